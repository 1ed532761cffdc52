"""Names behind which no file lies: opening a pipe waits for a writer, and a device may have no end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def special_kind(path: str | os.PathLike[str]) -> str | None:
    """What a name stands for, links followed, that must not be opened; None for files, folders and nothing at all."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return None  # opening it says what is wrong
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), None)
