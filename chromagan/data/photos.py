"""Where training photographs lie: folders, list files, tar shards, URLs and named sets, all as one list of photos."""

from __future__ import annotations

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    return survey(places, shard_cache).photos


@dataclass
class Survey:
    """What lies in the places of a run's photographs."""

    photos: list[Photo] = field(default_factory=list)
    digest: str = ""  # of the photos' names below their places, the same wherever the places are moved to
    passed_over: Counter[str] = field(default_factory=Counter)  # files of folders that are no photo here, by ending

    def text(self) -> str:
        """One line for the start of a run."""
        kinds = [f"{count:,} {kind or 'without an ending'}" for kind, count in self.passed_over.most_common(6)]
        return f"{len(self.photos):,} photographs found" + (f"; passed over: {', '.join(kinds)}" if kinds else "")


def survey(places: Sequence[str], shard_cache: str = "") -> Survey:
    """As `find_photos`, with a digest of what is there, and what was passed over."""
    found, sha = Survey(), hashlib.sha256()
    for place in places:
        photos = _list_place(place, shard_cache, found.passed_over)
        if not photos:
            raise DataError(f"{place}: no photographs there; {_TAKES}")
        check_readers(place, (photo.name for photo in photos))
        above = len(os.path.commonprefix(list({os.path.dirname(photo.name) for photo in photos})))
        for photo in photos:
            sha.update(os.fsencode(photo.name[above:]) + b"\n")
        found.photos += photos
    found.digest = f"{len(found.photos)} photographs, names {sha.hexdigest()[:32]}"
    return found


def _list_place(place: str, shard_cache: str, passed_over: Counter[str]) -> list[Photo]:
    if place.startswith(NAMED):
        return list_named(place)
    if os.path.exists(place):
        return _list_path(Path(place), shard_cache, passed_over)
    parts = expand_braces(place)
    if "://" in place:
        return list_remote(parts, shard_cache)
    paths = [path for part in parts for path in (sorted(glob.glob(part)) if glob.has_magic(part) else [part])]
    return [photo for path in paths for photo in _list_path(Path(path), shard_cache, passed_over)]


def _list_path(path: Path, shard_cache: str, passed_over: Counter[str]) -> list[Photo]:
    if path.is_dir():
        return _list_folder(path, passed_over)
    if not path.is_file():
        raise DataError(f"{path}: not found; {_TAKES}")
    if path.suffix == ".tar":
        return list_shard(path)
    if path.suffix == ".txt":
        return _list_lines(path, shard_cache, passed_over)
    return [PhotoSource(str(path), os.path.abspath(path))]


def _list_folder(path: Path, passed_over: Counter[str]) -> list[Photo]:
    shards: list[str] = []
    files: list[str] = []
    for file in sorted(str(file) for file in walk_files(path, lambda name: True, follow_links=True)):
        ending = os.path.splitext(file)[1].lower()
        if ending == ".tar":
            shards.append(file)
        elif is_training_name(file):
            files.append(file)
        else:
            passed_over[ending] += 1
    inside = [photo for shard in shards for photo in list_shard(Path(shard))]
    return inside + [PhotoSource(file, os.path.abspath(file)) for file in files]


def _list_lines(path: Path, shard_cache: str, passed_over: Counter[str]) -> list[Photo]:
    """Photos and shards, one a line. Photos are not looked for: one that is missing counts as unreadable."""
    photos: list[Photo] = []
    for line in path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines():
        entry = line.strip()
        if not entry:
            continue
        file = entry if "://" in entry else os.path.join(path.parent, entry)
        if entry.endswith(".tar"):
            photos += _list_place(file, shard_cache, passed_over)
        elif "://" in entry:
            raise DataError(f"{path}: {entry} is not a .tar shard; single photos cannot be read from URLs")
        else:
            photos.append(PhotoSource(file, os.path.abspath(file)))
    return photos
