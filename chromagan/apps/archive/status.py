"""What became of each photo: rows in small Parquet files, a few for each shard, which only grow in number."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chromagan.apps.archive.kept import reading
from chromagan.apps.archive.order import OWN
from chromagan.files.stores import Place

DONE, IN_COLOUR, MARKED, LEFT_GRAY, FAILED = "done", "in colour", "marked", "left gray", "failed"
FOLDER = f"{OWN}/status"
SCHEMA = pa.schema(
    [("id", pa.string()), ("uri", pa.string()), ("status", pa.string()), ("output", pa.string())]
    + [("error", pa.string()), ("order", pa.string()), ("read", pa.int64()), ("written", pa.int64())]
    + [("pixels", pa.int64()), ("seconds", pa.float64())]
)


@dataclass(frozen=True)
class Status:
    """What became of a photo.

    Attributes:
        id: of the manifest.
        uri: where it was read.
        status: "done"; "in colour" (it was, and was left alone); "marked" (an output of this program); "left gray" (the
            network answered gray, and nothing was written); "failed".
        output: its name below the output folder.
        error: why not done, in one line.
        order: digest of options, request and weights.
        read: bytes of the input.
        written: bytes of the output.
        pixels: of the photo.
        seconds: Unix time when it was done.
        before: an earlier run did it; this and the next stand in no file.
        other: by other options or weights.
    """

    id: str
    uri: str
    status: str
    output: str = ""
    error: str = ""
    order: str = ""
    read: int = 0
    written: int = 0
    pixels: int = 0
    seconds: float = 0.0
    before: bool = False
    other: bool = False


def add_status(out: Place, shard: str, rows: Iterable[Status]) -> None:
    """Add rows to the status of a shard."""
    plain: list[dict[str, Any]] = [asdict(row) for row in rows]
    if plain:
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(plain, SCHEMA), buffer)
        out.put(f"{FOLDER}/{shard}/{secrets.token_hex(8)}.parquet", buffer.getvalue())


def read_status(out: Place, shard: str) -> dict[str, Status]:
    """The last status of each photo of a shard, by its id."""
    rows = []
    for name in out.names(f"{FOLDER}/{shard}"):
        if name.startswith(".") or not name.endswith(".parquet"):  # what desktops leave in folders
            continue
        path = f"{FOLDER}/{shard}/{name}"
        with reading(out, path, "take it away and run it again: its photos are done again"):
            found = pq.read_table(io.BytesIO(out.read(path))).to_pylist()
            rows += [Status(**row, before=True) for row in found]
    return {row.id: row for row in sorted(rows, key=lambda row: row.seconds)}
