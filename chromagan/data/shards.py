"""WebDataset shards: uncompressed tar files. Random access by offset gives an exact shuffle and an exact position."""

from __future__ import annotations

import os
import re
import tarfile
from pathlib import Path
from typing import IO

from chromagan.data.source import Photo, PhotoSource
from chromagan.errors import DataError
from chromagan.files.suffixes import is_training_name

# name, offset of the data, length
Member = tuple[str, int, int]


def expand_braces(pattern: str) -> list[str]:
    """`a{000..002}.tar` to a000.tar, a001.tar, a002.tar, and `{train,val}` to both; several braces multiply.

    The zeros of a range's first number fix the width; one that runs backwards is a `DataError`.
    """
    found = re.search(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}", pattern)
    if found is None:
        return [pattern]
    first, last, names = found.groups()
    if names is not None:
        middles = names.split(",")
    elif int(first) > int(last):
        raise DataError(f"{pattern}: the range {{{first}..{last}}} runs backwards")
    else:
        middles = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    tails = expand_braces(pattern[found.end() :])
    return [pattern[: found.start()] + middle + tail for middle in middles for tail in tails]


def index_tar(file: IO[bytes]) -> list[Member]:
    """The photos of an open, seekable tar file, by its headers; `tarfile.TarError` where it is none, or compressed."""
    members = []
    with tarfile.open(fileobj=file, mode="r:") as shard:
        for member in shard:
            if member.isfile() and is_training_name(member.name):
                members.append((member.name, member.offset_data, member.size))
            shard.members = []  # type: ignore[attr-defined]  # tarfile would keep every header
        # tarfile takes a shard that was cut, in a header or at a member's end, for one that ends there.
        file.seek(shard.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it is cut, or damaged: no end mark behind its last file")
    return members


def list_shard(path: Path) -> list[Photo]:
    """The photos of a local shard; `DataError` where it cannot be read as an uncompressed tar."""
    try:
        with open(path, "rb") as file:
            members = index_tar(file)
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{path}: not a readable uncompressed tar shard ({error}); rebuild or remove it") from error
    shard, whole = str(path), os.path.abspath(path)
    return [PhotoSource(shard, f"{whole}/{name}", offset, length) for name, offset, length in members]
