"""Stores that stand for far ones: one whose every answer takes a while, one that holds a million names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

LATENCY = 0.020
FOLDER_NAMES = 1000


class SlowStore(LocalFileSystem):
    """`slow://`: a disk whose every call takes 20 ms longer, as a store in the same town does."""

    protocol = "slow"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        paths = path if isinstance(path, list) else [path]
        plain = [LocalFileSystem._strip_protocol(str(one).removeprefix("slow://")) for one in paths]
        return plain if isinstance(path, list) else plain[0]

    def unstrip_protocol(self, name: str) -> str:
        """The URI of a path."""
        return f"slow://{self._strip_protocol(name)}"


def _later(name: str) -> Any:
    def call(self: SlowStore, *args: Any, **kwargs: Any) -> Any:
        time.sleep(LATENCY)
        return getattr(LocalFileSystem, name)(self, *args, **kwargs)

    return call


for _name in ("ls", "info", "exists", "cat_file", "pipe_file", "open", "makedirs", "mv", "rm_file"):
    setattr(SlowStore, _name, _later(_name))


class NamesStore(AbstractFileSystem):
    """`names://COUNT`: photos in folders of a thousand, a call each; of them there are the names alone."""

    protocol = "names"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return str(path).removeprefix("names://").strip("/")

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """A folder's names."""
        count, _, folder = self._strip_protocol(path).partition("/")
        names: Iterator[dict[str, Any]]
        if folder:
            names = ({"name": f"{path}/scan-{number:04}.tif", "size": 12_000_000 + number, "type": "file"}
                     for number in range(FOLDER_NAMES))  # fmt: skip
        else:
            names = ({"name": f"{count}/box-{number:05}", "size": 0, "type": "directory"}
                     for number in range(int(count) // FOLDER_NAMES))  # fmt: skip
        return list(names) if detail else [one["name"] for one in names]


@contextmanager
def plugin() -> Iterator[str]:
    """A folder for `PYTHONPATH` in which fsspec finds these stores as plug-ins, in any process."""
    with TemporaryDirectory(prefix="chromagan-") as folder:
        about = Path(folder) / "chromagan_benchmark_stores-0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: chromagan-benchmark-stores\nVersion: 0\n")
        lines = (f"{store.protocol} = {__name__}:{store.__name__}" for store in (SlowStore, NamesStore))
        (about / "entry_points.txt").write_text("\n".join(["[fsspec.specs]", *lines, ""]))
        yield folder
