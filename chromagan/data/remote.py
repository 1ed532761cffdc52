"""Tar shards behind URLs (http, https, s3, ...), indexed once and then read photo by photo through fsspec."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
import tarfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromagan.data.shards import Member, index_tar, list_shard
from chromagan.data.source import Photo, PhotoSource
from chromagan.errors import DataError
from chromagan.files.atomic import moved_into_place, write_text
from chromagan.files.cache import cache_folder
from chromagan.files.stores import filesystem

RETRY_AFTER = (1.0, 4.0, 15.0)  # seconds before each new attempt
_INDEX_BLOCK = 1 << 16  # larger photos are sought over while a shard is indexed, smaller ones streamed


@dataclass(frozen=True, slots=True)
class RemotePhoto:
    """`length` bytes at `offset` of a shard behind a URL."""

    url: str
    name: str
    offset: int
    length: int

    def read(self) -> bytes:
        """The encoded bytes, by one range request; `DataError` where the server fails again and again.

        The run stops then, rather than go on without photos that it would have seen on a better day.
        """
        cause: object = None
        for wait in (0.0, *RETRY_AFTER):
            time.sleep(wait)
            try:
                fs, path = filesystem(self.url)
                data: bytes = fs.cat_file(path, start=self.offset, end=self.offset + self.length)
            except _network_errors() as error:
                cause = error
                continue
            if len(data) == self.length:
                return data
            cause = f"{len(data)} bytes came instead of {self.length}"
        raise DataError(f"{self.name}: cannot be read ({cause}); run the same command again when the server is back")


def list_remote(urls: Sequence[str], cache: str = "") -> list[Photo]:
    """The photos of uncompressed `.tar` shards behind URLs, in their order; `*` is expanded where the server can list.

    A shard is indexed once: its index is kept in the folder `cache`, by default `~/.cache/chromagan`, and used again
    while size and tag stay the same. Shards of a server without range requests are downloaded there, if it is given.

    Raises:
        DataError: fsspec or its backend is not installed, a shard cannot be had, or it is not a tar.
    """
    shards = [shard for url in urls for shard in _expand(url)]
    for shard in shards:
        if not shard.split("?")[0].endswith(".tar"):
            raise DataError(f"{shard}: not a .tar shard; photos behind URLs are read from WebDataset shards only")
    with ThreadPoolExecutor(max_workers=8) as pool:
        return [photo for photos in pool.map(lambda shard: _list_one(shard, cache), shards) for photo in photos]


def _network_errors() -> tuple[type[BaseException], ...]:
    """What fsspec lets through: OSError of most backends, and aiohttp's own family."""
    return (OSError, sys.modules["aiohttp"].ClientError) if "aiohttp" in sys.modules else (OSError,)


def _expand(url: str) -> list[str]:
    if not glob.has_magic(url.replace("?", "")):
        return [url]
    fs, path = filesystem(url)
    try:
        found = sorted(fs.unstrip_protocol(name) for name in fs.glob(path))
    except (*_network_errors(), NotImplementedError) as error:  # type: ignore[misc]
        raise DataError(f"{url}: cannot be listed ({error}); name the shards, as in x-{{000..009}}.tar") from error
    if not found:
        raise DataError(f"{url}: no shard there; name the shards, as in x-{{000..009}}.tar")
    return found


def _list_one(url: str, cache: str) -> list[Photo]:
    fs, path = filesystem(url)
    folder = Path(cache or cache_folder(""))
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    try:
        info = fs.info(path)
        version = [info.get("size"), *(str(info[k]) for k in ("ETag", "Last-Modified", "LastModified") if k in info)]
        members = _read_index(folder / f"{key}.json", url, version)
        if members is None:
            with fs.open(path, "rb", block_size=_INDEX_BLOCK, cache_type="readahead") as file:
                members = index_tar(file) if _gives_ranges(file) else None
            if members is None:
                return _list_download(fs, path, url, version, cache)
            _write_index(folder / f"{key}.json", url, version, members)
    except (*_network_errors(), tarfile.TarError) as error:  # type: ignore[misc]
        raise DataError(f"{url}: cannot be read as a tar shard ({error})") from error
    return [RemotePhoto(url, f"{url}/{name}", offset, length) for name, offset, length in members]


def _gives_ranges(file: Any) -> bool:
    """Whether a place behind the first block can be read without what lies before it."""
    if not file.seekable() or not getattr(file, "size", None):
        return False
    try:
        file.seek(max(1, file.size - 512))
        file.read(512)
        file.seek(0)
    except ValueError:  # fsspec's answer to a server that sends the whole file
        return False
    return True


def _list_download(fs: Any, path: str, url: str, version: list[Any], cache: str) -> list[Photo]:
    if not cache:
        raise DataError(f"{url}: its server gives no byte ranges; --shard-cache DIR downloads such shards there first")
    Path(cache).mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(json.dumps([url, version]).encode()).hexdigest()[:16]
    local = Path(cache) / f"{key}.tar"
    if not local.exists():
        # A killed download leaves no half shard, and two ranks do not disturb each other.
        with moved_into_place(local) as part:
            fs.get_file(path, str(part))
    prefix = f"{os.path.abspath(local)}/"
    photos = [photo for photo in list_shard(local) if isinstance(photo, PhotoSource)]
    return [PhotoSource(p.path, f"{url}/{p.name.removeprefix(prefix)}", p.offset, p.length) for p in photos]


def _read_index(file: Path, url: str, version: list[Any]) -> list[Member] | None:
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        if index["url"] != url or index["version"] != version:
            return None
        return [(str(name), int(offset), int(length)) for name, offset, length in index["members"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # none yet, or a damaged one: made again
        return None


def _write_index(file: Path, url: str, version: list[Any], members: list[Member]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps({"url": url, "version": version, "members": members}))
