"""Finding photos: one walk for sampling, training and evaluation."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from chromagan.errors import DataError, ReadError
from chromagan.files.suffixes import is_photo_name

# Thumbnails, bins and snapshots of Synology and QNAP, bins and indexes of Windows, what macOS packs beside files.
_SYSTEM_FOLDERS = {
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin", "system volume information",
    "__macosx", "lost+found",
}  # fmt: skip
_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def special_kind(path: str | os.PathLike[str]) -> str | None:
    """What a name stands for, links followed, behind which no file lies; None for files, folders and nothing at all.

    Such a name must not be opened: a pipe waits for a writer, and a device may have no end.
    """
    try:
        return _SPECIAL.get(stat.S_IFMT(Path(path).stat().st_mode))
    except (OSError, ValueError):
        return None  # opening it says what is wrong


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name holds what a file server or a system keeps for itself."""
    return name.lower() in _SYSTEM_FOLDERS


def walk_files(
    folder: str | os.PathLike[str],
    wanted: Callable[[str], bool] = is_photo_name,
    leave_out: Callable[[Path], bool] | None = None,
    follow_links: bool = False,
    unreadable: Callable[[OSError], None] | None = None,
) -> Iterator[Path]:
    """Files below a folder at any depth, folder by folder in the order of their names.

    Hidden ones are passed over, and so are the folders in which file servers and systems keep what is theirs.

    Args:
        folder: where to look; its own name may be hidden.
        wanted: says of a file's name whether it counts.
        leave_out: says of a folder below whether it is passed by with all that is in it.
        follow_links: enter folders that are links too, after the others; each folder once, however it is linked.
        unreadable: told of each folder that cannot be looked into; they are passed over.
    """
    roots, entered = deque([Path(folder)]), set()
    while roots:
        for parent, folders, files in os.walk(roots.popleft(), onerror=unreadable):  # enters no links by itself
            here = Path(parent)
            if follow_links:
                if (real := os.path.realpath(here)) in entered:
                    folders.clear()
                    continue
                entered.add(real)
            seen = sorted(name for name in folders if not name.startswith(".") and not is_system_folder(name))
            folders[:] = [name for name in seen if leave_out is None or not leave_out(here / name)]
            if follow_links:
                roots.extend(here / name for name in folders if (here / name).is_symlink())
            yield from (here / name for name in sorted(files) if wanted(name) and not name.startswith("."))


def find_photo_files(place: str | os.PathLike[str], wanted: Callable[[str], bool] = is_photo_name) -> list[Path]:
    """The photos of a folder (at any depth, links followed, hidden ones left out) in the order of paths, or one file.

    Raises:
        DataError: nothing is there.
        ReadError: a folder below cannot be looked into, so that photos might be missed.
    """
    root = Path(place)
    if root.is_file():
        return [root]

    def refuse(error: OSError) -> None:
        raise ReadError(
            f"{error.filename}: the folder cannot be looked into ({error.strerror}); mend it or move it away"
        )

    found = walk_files(root, wanted, follow_links=True, unreadable=refuse) if root.is_dir() else []
    files = sorted(found, key=lambda path: path.relative_to(root).as_posix())
    if not files:
        raise DataError(f"{root}: no photographs there; give a folder of photos, or one photo")
    return files
