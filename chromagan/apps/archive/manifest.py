"""The list of an archive's photos: Parquet files of uri, id and size that are written once and never again.

A file holds `FILE_ROWS` photos in groups; a group is a shard, which one worker takes. The last file that stands says
behind which photo a listing goes on, so a killed one loses a file at most. `manifest.json` stands when all is listed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chromagan.apps.archive.given import Row, is_manifest, is_unicode, rows_of
from chromagan.apps.archive.kept import reading
from chromagan.apps.archive.listing import pages
from chromagan.apps.archive.order import OWN
from chromagan.errors import DataError, UsageError
from chromagan.files.stores import Place, filesystem, is_local, named
from chromagan.files.suffixes import is_photo_name

FILE_ROWS, SHARD = 10_000, 100
FOLDER, WHOLE = f"{OWN}/manifest", f"{OWN}/manifest.json"
SCHEMA = pa.schema([("uri", pa.string()), ("id", pa.string()), ("size", pa.int64())])


@dataclass
class Listing:
    """How far a listing is, and what it passed over.

    Attributes:
        inputs: as a person gave them.
        rows: photos of each file.
        turn: 0 for the first listing, 1 for the next, ...
        at: the input under way.
        after: the photo of it that was listed last; of a given manifest, how many of its rows were read.
        passed: files of other kinds by ending.
        refused: folders that could not be looked into, and why.
        shard: photos that a worker takes at a time.
    """

    inputs: list[str]
    rows: list[int] = field(default_factory=list)
    turn: int = 0
    at: int = 0
    after: str = ""
    passed: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, str]] = field(default_factory=list)
    shard: int = SHARD

    @property
    def photos(self) -> int:
        """All that are listed."""
        return sum(self.rows)

    @classmethod
    def read(cls, text: bytes) -> Listing:
        """From JSON."""
        values = json.loads(text)
        return cls(**{**values, "passed": Counter(values["passed"]), "refused": list(map(tuple, values["refused"]))})

    def json(self) -> bytes:
        """As JSON."""
        return json.dumps(vars(self)).encode()


def read_listing(out: Place) -> Listing | None:
    """The listing of an output folder, where it is whole."""
    text = out.read_if_there(WHOLE)
    if text is None:
        return None
    with reading(out, WHOLE):
        return Listing.read(text)


def list_photos(
    inputs: Sequence[str], out: Place, again: bool = False, progress: Any = None, shard: int = SHARD
) -> Listing:
    """List the photos of folders, URIs and manifests into the manifest of an output folder, or go on with that.

    Args:
        inputs: what to list.
        out: the output folder.
        again: list once more and add what is new.
        progress: called with the photos that each page adds.
        shard: photos that a worker takes at a time.

    Raises:
        UsageError: the folder holds the manifest of other inputs, two inputs have one name, or one is the output.
        DataError: there are no photos, or two with one id.
    """
    before = read_listing(out)
    if before is not None and not again:
        if before.inputs != list(inputs):
            raise UsageError(
                f"{out.uri} is the archive of {', '.join(before.inputs)}; name another -o, or add these inputs with "
                "--relist"
            )
        return before
    for uri in inputs:
        if not is_manifest(uri) and _is_output(uri, out):
            raise UsageError(f"{uri} is the output folder, or lies in it; name another -o")
    listing = _Lister(inputs, out, before, progress, shard).run()
    if not listing.photos:
        why = f" ({listing.refused[0][0]}: {listing.refused[0][1]})" if listing.refused else ""
        raise DataError(f"{', '.join(inputs)}: no photos there{why}; name folders, URIs or manifests of photos")
    out.put(WHOLE, listing.json())
    return listing


def shards_of(listing: Listing) -> list[str]:
    """The names of all shards, FILE-GROUP."""
    groups = [-(-rows // listing.shard) for rows in listing.rows]
    return [f"{file:06}-{group:04}" for file, count in enumerate(groups) for group in range(count)]


def read_shard(out: Place, name: str) -> list[Row]:
    """The photos of a shard."""
    file, group = name.split("-")
    path = f"{FOLDER}/{file}.parquet"
    with reading(out, path), out.fs.open(out.path(path), "rb") as opened:
        found: list[Row] = pq.ParquetFile(opened).read_row_group(int(group)).to_pylist()
    return found


class _Lister:
    def __init__(self, inputs: Sequence[str], out: Place, before: Listing | None, progress: Any, shard: int) -> None:
        self._out, self._progress = out, progress
        self._listing = Listing(list(inputs), shard=shard)
        if before:
            self._listing = replace(self._listing, rows=list(before.rows), turn=before.turn + 1, shard=before.shard)
        self._first = len(self._listing.rows)
        self._resume(before)
        self._waiting: list[Row] = []
        self._known = self._ids(before) if before else None
        self._names = _prefixes(inputs)

    def run(self) -> Listing:
        listing = self._listing
        for at in range(listing.at, len(listing.inputs)):
            if at != listing.at:
                listing.at, listing.after = at, ""
            for page, after in self._pages(listing.inputs[at], self._names[at], listing.after):
                self._add(page, after)
        self._write(len(self._waiting))
        if any(map(is_manifest, listing.inputs)):
            self._check_ids()
        return listing

    def _resume(self, before: Listing | None) -> None:
        """Go on behind the last file of a listing of these inputs that was not finished."""
        count = len(before.rows) if before else 0
        files = [name for name in self._out.names(FOLDER) if name.endswith(".parquet")]
        if len(files) <= count:
            return
        path = f"{FOLDER}/{files[-1]}"
        with reading(self._out, path), self._out.fs.open(self._out.path(path), "rb") as opened:
            last = Listing.read(pq.read_schema(opened).metadata[b"chromagan"])
        if last.inputs != self._listing.inputs or last.turn != self._listing.turn:
            raise UsageError(
                f"{self._out.uri} holds half a listing of {', '.join(last.inputs)}; finish it, or name another -o"
            )
        self._listing = last

    def _pages(self, uri: str, prefix: str, after: str) -> Iterator[tuple[list[Row], str]]:
        if is_manifest(uri):
            read = int(after or 0)
            for rows in rows_of(uri, read):
                read += len(rows)
                yield rows, str(read)
            return
        fs, root = filesystem(uri, "archive")
        root = root.rstrip("/")
        inside = _within(self._out, fs, root)

        def refuse(place: str, why: str) -> None:
            self._listing.refused.append((named(fs, place), why))

        for page in pages(fs, root, after, inside, refuse):
            photos = []
            for one in page:
                if not is_unicode(one.path):
                    refuse(repr(one.path), "its name is not Unicode; rename it")
                elif is_photo_name(one.path):
                    below = one.path[len(root) :].strip("/") or PurePath(root).name
                    photos.append({"uri": named(fs, one.path), "id": f"{prefix}{below}", "size": one.size})
                else:
                    self._listing.passed[PurePath(one.path).suffix.lower()] += 1
            yield photos, page[-1].path if page else after

    def _add(self, rows: list[Row], after: str) -> None:
        if self._known is not None:
            new = ~np.isin(_hashes(row["id"] for row in rows), self._known)
            rows = [row for row, wanted in zip(rows, new, strict=True) if wanted]
        self._waiting += rows
        self._listing.after = after
        if self._progress is not None:
            self._progress(len(rows))
        if len(self._waiting) >= FILE_ROWS:
            self._write(len(self._waiting))

    def _write(self, count: int) -> None:
        if not count:
            return
        listing = self._listing
        listing.rows.append(count)
        table = pa.Table.from_pylist(self._waiting, SCHEMA).replace_schema_metadata({"chromagan": listing.json()})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size=listing.shard)
        self._out.put(f"{FOLDER}/{len(listing.rows) - 1:06}.parquet", buffer.getvalue())
        self._waiting = []

    def _ids(self, listing: Listing) -> np.ndarray:
        """Eight bytes of every id."""
        found = []
        for number in range(len(listing.rows)):
            path = f"{FOLDER}/{number:06}.parquet"
            with reading(self._out, path), self._out.fs.open(self._out.path(path), "rb") as opened:
                found.append(_hashes(pq.read_table(opened, columns=["id"])["id"].to_pylist()))
        return np.concatenate(found) if found else np.empty(0, np.uint64)

    def _check_ids(self) -> None:
        """Two photos of one id would have one output."""
        ids = np.sort(self._ids(self._listing))
        twice = set(ids[1:][ids[1:] == ids[:-1]].tolist())
        if not twice:
            return
        for name in shards_of(self._listing):
            for row in read_shard(self._out, name):
                if int(_hashes([row["id"]])[0]) in twice:
                    self._forget()
                    raise DataError(f"the id {row['id']!r} stands twice in the manifests; ids must differ")

    def _forget(self) -> None:
        """Take this listing away, so that the mended manifest is read anew."""
        for number in reversed(range(self._first, len(self._listing.rows))):
            self._out.remove(f"{FOLDER}/{number:06}.parquet")


def _real(fs: Any, path: str) -> str:
    """A path as the system knows it, whatever links lead there."""
    return os.path.realpath(path) if is_local(fs) else path


def _is_output(uri: str, out: Place) -> bool:
    """Whether an input is the output folder, or lies in it, so that nothing of it would be listed."""
    fs, root = filesystem(uri, "archive")
    return type(fs) is type(out.fs) and f"{_real(fs, root.rstrip('/'))}/".startswith(f"{_real(fs, out.root)}/")


def _within(out: Place, fs: Any, root: str) -> str:
    """The output folder under the name that it has below an input; "" where it lies elsewhere."""
    below, place = f"{_real(fs, root)}/", _real(out.fs, out.root)
    return f"{root}/{place[len(below) :]}" if type(fs) is type(out.fs) and place.startswith(below) else ""


def _hashes(ids: Any) -> np.ndarray:
    digests = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(digests, np.uint64)


def _prefixes(inputs: Sequence[str]) -> list[str]:
    """What ids begin with: nothing for a single input, the last part of its name for one of several."""
    if len(inputs) == 1:
        return [""]
    names = [PurePath(uri.rstrip("/")).name for uri in inputs]
    for name, uri in zip(names, inputs, strict=True):
        if names.count(name) > 1 and not is_manifest(uri):
            raise UsageError(f"two inputs are called {name}, and their photos would be mixed up; rename one of them")
    return [f"{name}/" for name in names]
