"""What every report needs: digests, versions, strict JSON."""

from __future__ import annotations

import hashlib
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from chromagan.errors import WriteError
from chromagan.files.atomic import write_text
from chromagan.version import __version__


def list_digest(names: Sequence[str]) -> str:
    """SHA-256 of the sorted names, one a line: two measurements with the same digest used the same list of photos."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Programs and machine that decide a figure's last digit."""
    return {
        "chromagan": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def strict_json(value: Any) -> Any:
    """The same content with None, JSON's null, for every number that is not finite."""
    if isinstance(value, dict):
        return {key: strict_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_texts(folder: str | os.PathLike[str], texts: Mapping[str, str], option: str) -> list[Path]:
    """Write texts by file name into a folder, made where it is missing; each file whole or not at all.

    Args:
        folder: where.
        texts: by file name.
        option: that named the folder, for messages.

    Returns:
        The files.

    Raises:
        WriteError: the folder cannot be made, or a file cannot be written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: the folder cannot be made ({error.strerror}); choose another {option}") from error
    for name, text in texts.items():
        write_text(Path(folder) / name, text)
    return [Path(folder) / name for name in texts]
