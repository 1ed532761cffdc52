"""Where training photographs lie: folders, list files, tar shards, URLs and named sets, all as one list of photos."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from chromagan.data.heif import check_readers
from chromagan.data.named import NAMED, list_named
from chromagan.data.remote import list_remote
from chromagan.data.shards import expand_braces, list_shard
from chromagan.data.source import Photo, PhotoSource
from chromagan.errors import DataError
from chromagan.files.find import walk_files
from chromagan.files.suffixes import is_training_name

_TAKES = "--data takes folders, .tar shards, .txt lists, globs, URLs of shards, torchvision:NAME and hf:NAME"


def find_photos(places: Sequence[str], shard_cache: str = "") -> list[Photo]:
    """List the photographs of folders (any depth), list files, tar shards, globs of these, URLs and named sets.

    `.txt` lists have one path a line, relative to the list. `{000..009}` and `{a,b}` stand for several places. The
    order is that of the places, and of the sorted names within one, so that it is the same on every machine.
    `shard_cache` is the folder for the indexes of remote shards, and for shards whose server gives no ranges.

    Raises:
        DataError: a place does not exist or holds no photograph, or some that nothing installed reads.
    """
    photos: list[Photo] = []
    for place in places:
        found = _list_place(place, shard_cache)
        if not found:
            raise DataError(f"{place}: no photographs there; {_TAKES}")
        check_readers(place, (photo.name for photo in found))
        photos += found
    return photos


def _list_place(place: str, shard_cache: str) -> list[Photo]:
    if place.startswith(NAMED):
        return list_named(place)
    if os.path.exists(place):
        return _list_path(Path(place), shard_cache)
    parts = expand_braces(place)
    if "://" in place:
        return list_remote(parts, shard_cache)
    paths = [path for part in parts for path in (sorted(glob.glob(part)) if glob.has_magic(part) else [part])]
    return [photo for path in paths for photo in _list_path(Path(path), shard_cache)]


def _list_path(path: Path, shard_cache: str) -> list[Photo]:
    if path.is_dir():
        return _list_folder(path)
    if not path.is_file():
        raise DataError(f"{path}: not found; {_TAKES}")
    if path.suffix == ".tar":
        return list_shard(path)
    if path.suffix == ".txt":
        return _list_lines(path, shard_cache)
    return [PhotoSource(str(path), os.path.abspath(path))]


def _list_folder(path: Path) -> list[Photo]:
    def listed(wanted: Callable[[str], bool]) -> list[str]:
        return sorted(str(file) for file in walk_files(path, wanted, follow_links=True))

    shards = listed(lambda name: name.lower().endswith(".tar"))
    inside = [photo for shard in shards for photo in list_shard(Path(shard))]
    return inside + [PhotoSource(file, os.path.abspath(file)) for file in listed(is_training_name)]


def _list_lines(path: Path, shard_cache: str) -> list[Photo]:
    """Photos and shards, one a line. Photos are not looked for: one that is missing counts as unreadable."""
    photos: list[Photo] = []
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        entry = line.strip()
        if not entry:
            continue
        file = entry if "://" in entry else os.path.join(path.parent, entry)
        if entry.endswith(".tar"):
            photos += _list_place(file, shard_cache)
        elif "://" in entry:
            raise DataError(f"{path}: {entry} is not a .tar shard; single photos cannot be read from URLs")
        else:
            photos.append(PhotoSource(file, os.path.abspath(file)))
    return photos
