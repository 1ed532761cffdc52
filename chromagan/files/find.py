"""Finding photos: one walk for sampling, training and evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from chromagan.errors import DataError
from chromagan.files.suffixes import is_photo_name


def walk_files(
    folder: str | os.PathLike[str],
    wanted: Callable[[str], bool] = is_photo_name,
    leave_out: Callable[[Path], bool] | None = None,
    follow_links: bool = False,
) -> Iterator[Path]:
    """Files below a folder at any depth, folder by folder in the order of their names, without hidden ones.

    Args:
        folder: where to look; its own name may be hidden.
        wanted: says of a file's name whether it counts.
        leave_out: says of a folder below whether it is passed by with all that is in it.
        follow_links: enter folders that are links.
    """
    for parent, folders, files in os.walk(folder, followlinks=follow_links):
        here = Path(parent)
        seen = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in seen if leave_out is None or not leave_out(here / name)]
        yield from (here / name for name in sorted(files) if wanted(name) and not name.startswith("."))


def find_photo_files(place: str | os.PathLike[str], wanted: Callable[[str], bool] = is_photo_name) -> list[Path]:
    """The photos of a folder (at any depth, hidden ones left out) in the order of their paths, or one file.

    Raises:
        DataError: nothing is there.
    """
    root = Path(place)
    if root.is_file():
        return [root]
    files = sorted(walk_files(root, wanted), key=lambda path: path.relative_to(root).as_posix())
    if not files:
        raise DataError(f"{root}: no photographs there; give a folder of photos, or one photo")
    return files
