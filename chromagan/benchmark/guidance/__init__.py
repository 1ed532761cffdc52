"""What a person's guidance is worth, measured: one file a tool, each with `measure` and `table`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chromagan.errors import UsageError
from chromagan.files.find import find_photo_files


def drawn_photos(folder: Path, limit: int, seed: int) -> list[Path]:
    """Photos of a folder, as many as that at most, drawn by chance and in the order of their names.

    Raises:
        UsageError: there are none.
    """
    photos = find_photo_files(folder)
    if not photos:
        raise UsageError(f"--data {folder}: there are no photos in it")
    chosen = np.random.default_rng(seed).permutation(len(photos))[:limit]
    return [photos[number] for number in sorted(chosen)]
