"""Where the program keeps what it can make or download again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """The folder of one kind of such files: under CHROMAGAN_CACHE, else under XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("CHROMAGAN_CACHE")
    shared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(own) if own else shared / "chromagan") / kind
