"""Manifests that a person gives: Parquet, CSV or lines of JSON with a column `uri`, and may have `id` and `size`."""

from __future__ import annotations

import io
import json
import os
import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from chromagan.apps.archive.order import OWN
from chromagan.errors import DataError, words_of
from chromagan.files.stores import filesystem, is_local, named

ENDINGS = (".parquet", ".csv", ".jsonl")
Row = dict[str, Any]
"""One photo of a manifest: uri, id, size in bytes (-1 where it is not known)."""


def is_unicode(name: str) -> bool:
    """Whether a name can be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_manifest(uri: str) -> bool:
    """Whether an input is one by the ending of its name."""
    return uri.lower().endswith(ENDINGS)


def rows_of(uri: str, behind: int = 0) -> Iterator[list[Row]]:
    """The rows of a manifest by page, in its order.

    Paths in it are below its own folder. An id is the path of the photo below its store, unless its row has one.

    Args:
        uri: the manifest.
        behind: so many rows are passed over.

    Raises:
        DataError: it cannot be read, or a row names no photo or an id that leads out of the output folder.
    """
    fs, path = filesystem(uri, "archive")
    number = 0
    try:
        with fs.open(path, "rb") as file:
            for page in _read(file, path):
                first, number = max(0, behind - number), number + len(page)
                if first < len(page):
                    start = number - len(page)
                    yield [_row(row, fs, path, uri, start + at) for at, row in enumerate(page) if at >= first]
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's are ValueErrors, too
        raise DataError(f"{uri}: cannot be read as a manifest ({words_of(error)})") from error


def _read(file: Any, path: str) -> Iterator[list[Row]]:
    if path.lower().endswith(".jsonl"):
        page = []
        for number, line in enumerate(io.TextIOWrapper(file, encoding="utf-8-sig"), 1):
            if line.strip():
                page.append(_parsed(line, number))
            if len(page) == 1000:
                yield page
                page = []
        yield page
        return
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    if path.lower().endswith(".csv"):
        plain = csv.ConvertOptions(column_types={"uri": "string", "id": "string", "size": "int64"})  # 007 is no number
        # One thread: it names the row of a fault, and none is left running behind one.
        batches: Any = csv.open_csv(file, csv.ReadOptions(use_threads=False), convert_options=plain)
    else:
        batches = parquet.ParquetFile(file).iter_batches(1000)
    for batch in batches:
        yield batch.to_pylist()


def _parsed(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number}: {error.msg} at character {error.colno}") from error


def _row(row: Row, fs: Any, path: str, manifest: str, number: int) -> Row:
    uri = row.get("uri") if isinstance(row, dict) else None
    if not isinstance(uri, str) or not uri:
        raise DataError(f"{manifest}: row {number + 1} has no uri; each row has a uri, and may have an id and a size")
    if "://" not in uri and is_local(fs):
        uri = os.path.join(os.path.dirname(os.path.abspath(path)), uri)
    elif "://" not in uri and not uri.startswith("/"):
        uri = named(fs, posixpath.join(posixpath.dirname(path), uri))
    key = row.get("id")
    key = uri.partition("://")[2] or os.path.normpath(uri) if key in (None, "") else str(key)
    key = PurePosixPath(key.replace("\\", "/")).as_posix().lstrip("/")
    if ".." in key.split("/") or key in ("", "."):
        raise DataError(f"{manifest}: row {number + 1}: the id {key!r} leads out of the output folder; choose another")
    if key.split("/")[0] == OWN:
        raise DataError(
            f"{manifest}: row {number + 1}: the id {key!r} lies in a folder of this program; choose another"
        )
    if "\0" in key or not is_unicode(uri + key):
        raise DataError(f"{manifest}: row {number + 1}: {uri!r}, {key!r}: such names no file has; choose others")
    size = row.get("size")
    if size is None or size != size:  # pandas writes a column with gaps as floats, NaN in the gaps
        size = -1
    if not isinstance(size, int | float) or size % 1 != 0:  # infinity neither
        raise DataError(f"{manifest}: row {number + 1}: the size {size!r} is no whole number of bytes")
    return {"uri": uri, "id": key, "size": int(size)}
