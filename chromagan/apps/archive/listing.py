"""What lies in a store, by page and in one order, so that a listing can go on behind any file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chromagan.files.find import is_system_folder
from chromagan.files.stores import is_local, kinds
from chromagan.files.suffixes import is_photo_name

PAGE = 1000
Refuse = Callable[[str, str], None]
"""Told of a folder that cannot be looked into, and why."""


@dataclass(frozen=True)
class Entry:
    """A file or folder of a listing; `size` in bytes, -1 where it is not told."""

    path: str
    size: int = -1
    folder: bool = False


def pages(fs: Any, root: str, after: str, leave_out: str, refuse: Refuse) -> Iterator[list[Entry]]:
    """The files below a folder, by page, in an order that is the same each time.

    What is hidden, and what file servers keep for themselves, is passed over; links to folders are not entered. In
    memory is one page of S3, or the names of one folder of another store.

    Args:
        fs: a file system of fsspec.
        root: the folder in it.
        after: the file behind which to go on, as it was listed; "" for all.
        leave_out: a folder that is passed over; "" for none.
        refuse: told of folders that cannot be looked into.
    """
    if kinds(fs) & {"s3", "s3a"} and hasattr(fs, "call_s3"):
        found = _of_s3(fs, root, after)
    else:
        entries = _local_entries if is_local(fs) else _Entries(fs)
        found = batches(_walk(entries, root, _parts(after), refuse))
    if is_photo_name(root) and fs.isfile(root):
        found = iter([[Entry(root, int(fs.size(root) or -1))]] if root != after else [])
    hidden = leave_out and f"{leave_out.rstrip('/')}/"
    for page in found:
        yield [one for one in page if not (hidden and one.path.startswith(hidden)) and _is_shown(one.path, root)]


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries in pages."""
    left = iter(entries)
    return iter(lambda: list(islice(left, PAGE)), [])


def _is_shown(path: str, root: str) -> bool:
    below = _parts(path[len(root) :])
    return not any(part.startswith(".") or is_system_folder(part) for part in below)


def _of_s3(fs: Any, root: str, after: str) -> Iterator[list[Entry]]:
    """S3 lists by page itself, in the order of the keys, from any key on."""
    bucket, _, prefix = root.partition("/")
    given: dict[str, Any] = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix else "", "MaxKeys": PAGE}
    key = after.partition("/")[2]
    while True:
        answer = fs.call_s3("list_objects_v2", **given, **({"StartAfter": key} if key else {}))
        found = [(one["Key"], one["Size"]) for one in answer.get("Contents", [])]
        yield [Entry(f"{bucket}/{name}", size) for name, size in found if not name.endswith("/")]
        if not answer.get("IsTruncated") or not found:
            return
        key = found[-1][0]


class _Entries:
    """A folder's entries by fsspec's own listing."""

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def __call__(self, folder: str) -> Iterator[Entry]:
        found = self._fs.ls(folder, detail=True, refresh=True)
        self._fs.invalidate_cache(folder)  # it would keep all that it has seen
        for one in sorted(found, key=lambda one: str(one["name"])):
            path = str(one["name"]).rstrip("/")
            if one["type"] in ("file", "directory") and (path != folder or one["type"] == "file"):
                size = one.get("size")
                yield Entry(path, -1 if size is None else int(size), one["type"] == "directory")


def _local_entries(folder: str) -> Iterator[Entry]:
    """A folder's entries, of which the names alone are in memory."""
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}"
        try:
            status = os.stat(path)
        except OSError:  # a link that leads nowhere
            continue
        if stat.S_ISREG(status.st_mode):
            yield Entry(path, status.st_size)
        elif stat.S_ISDIR(status.st_mode) and not os.path.islink(path):
            yield Entry(path, folder=True)


def _walk(entries: Callable[[str], Iterable[Entry]], folder: str, after: list[str], refuse: Refuse) -> Iterator[Entry]:
    """The files below a folder in the order of the parts of their paths, from behind `after` on."""
    try:
        for one in entries(folder):
            parts = _parts(one.path)
            if one.folder:
                if parts >= after[: len(parts)] and _is_shown(one.path, folder):
                    yield from _walk(entries, one.path, after, refuse)
            elif parts > after:
                yield one
    except OSError as error:
        refuse(folder, error.strerror or str(error))


def _parts(path: str) -> list[str]:
    return path.split("/") if path else []
