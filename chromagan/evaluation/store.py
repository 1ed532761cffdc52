"""What an evaluation has found so far, on disk: a killed run goes on where it was.

Every process appends the figures of images as JSON lines to a file of its own in the output folder. The first line of a
file holds the configuration; figures of another configuration are refused. A line is valid as long as its digest is
that of the files that it was measured on. A last line that was cut off by a kill is passed over. What collectors of
sets hold is saved beside it now and then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import pickle
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from chromagan.errors import DataError, ReadError, WriteError
from chromagan.evaluation.comparison import Ranks
from chromagan.files.atomic import write_atomically
from chromagan.metrics.metric import Collector

FIGURES, SETS = "figures-", "sets-"
_FORMAT = 1
_LONGEST_HEADER = 1 << 24
_SECONDS = 60.0  # between savings of collectors
_SHARE = 20.0  # at most this part of the time goes into saving


def files_digest(files: Iterable[Path]) -> str:
    """A digest of sizes and times of last change: another one as soon as a file is written again.

    Raises:
        ReadError: a file is gone.
    """
    try:
        stats = [os.stat(file) for file in files]
    except OSError as error:
        raise ReadError(f"{error.filename}: cannot be read ({error.strerror}); check the name") from error
    return hashlib.sha256(repr([(s.st_size, s.st_mtime_ns) for s in stats]).encode()).hexdigest()[:24]


class Store:
    """Figures by kind and image, in a folder that is made where it is missing.

    Each process appends to a file of its own, by its rank; the files of all are read. `settings` is everything that the
    figures depend on besides the pictures, as plain JSON.

    Raises:
        DataError: the folder holds figures of another configuration; the message says what differs.
        WriteError: the folder cannot be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], rank: int = 0) -> None:
        self._lines: dict[tuple[str, str], tuple[str, Path, int]] = {}  # digest, file, offset: not the figures
        settings = json.loads(json.dumps(settings))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file in sorted(folder.glob(f"{FIGURES}*.jsonl")):
                self._read(file, folder, settings)
            path = folder / f"{FIGURES}{rank:04d}.jsonl"
            # Not even the first line is complete after a kill at the very start.
            fresh = not path.exists() or b"\n" not in path.read_bytes()[:_LONGEST_HEADER]
            self._file = path.open("w+b" if fresh else "a+b")
            if fresh:
                self._write({"format": _FORMAT, "settings": settings})
            elif not _ends_with_newline(self._file):
                self._file.write(b"\n")
        except OSError as error:
            why = error.strerror
            raise WriteError(f"{folder}: the report cannot be written ({why}); choose another --out") from error

    def _read(self, file: Path, folder: Path, settings: dict[str, Any]) -> None:
        header: dict[str, Any] | None = None
        for offset, content in _complete_lines(file):
            if header is None:
                header = content
                different = describe_difference(content.get("settings", {}), settings)
                if content.get("format") != _FORMAT or different:
                    raise DataError(
                        f"{folder}: holds figures of another configuration ({different or 'of another version'}); "
                        "choose another --out, or delete that folder"
                    )
            else:
                self._lines[content["kind"], content["image"]] = content["digest"], file, offset

    def find(self, kind: str, image: str, digest: str) -> dict[str, Any] | None:
        """What was found for an image, where the files are still those; None otherwise."""
        known, file, offset = self._lines.get((kind, image), ("", Path(), 0))
        if known != digest:
            return None
        with file.open("rb") as lines:
            lines.seek(offset)
            return dict(_decoded(json.loads(lines.readline())["content"]))

    def add(self, kind: str, image: str, digest: str, content: dict[str, Any]) -> None:
        """Append what was found; it survives the death of this process from here on."""
        self._write({"kind": kind, "image": image, "digest": digest, "content": _encoded(content)})

    def _write(self, content: dict[str, Any]) -> None:
        self._file.write(json.dumps(content, allow_nan=False).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SetStates:
    """Saves and restores collectors, in a file of each process; does nothing without collectors or a folder."""

    def __init__(self, collectors: Sequence[Collector], folder: Path | None, ranks: Ranks) -> None:
        self._ranks = ranks
        self._collectors = collectors
        self._folder = folder if collectors else None
        self._own = None if self._folder is None else self._folder / f"{SETS}{ranks.rank:04d}.pt"
        self._done: set[int] = set()
        self._saved, self._cost = time.monotonic(), 0.0
        files = [] if self._folder is None else sorted(self._folder.glob(f"{SETS}*.pt"))
        self._found = [content for content in map(_load, files) if content is not None]

    def restore(self, digests: dict[int, str], ab: tuple[float, float]) -> set[int]:
        """Take over what was held when this object was made, unless a picture has changed; gives the indices.

        The first process alone takes the features; all agree on the indices. Digests are of the pictures, by index, and
        `ab` is the colour of the row `mean ab`.
        """
        settings = [collector.settings for collector in self._collectors]
        valid = [
            content
            for content in self._found
            if content["settings"] == settings
            and tuple(content["ab"]) == ab
            and all(digests.get(i) == d for i, d in content["digests"].items())
        ]
        held = {index for content in valid for index in content["digests"]}
        if self._ranks.rank == 0:
            for content in valid:
                for collector, state in zip(self._collectors, content["states"], strict=True):
                    collector.merge([state])
            self._done |= held
        self._found, self._ab = [], ab
        return held

    def block_done(self, block: Iterable[int], digests: dict[int, str]) -> None:
        """Note that a block is complete, and save where the last time is long enough ago."""
        self._done |= set(block)
        if time.monotonic() - self._saved > max(_SECONDS, _SHARE * self._cost):
            self.save(digests)

    def save(self, digests: dict[int, str]) -> None:
        """Write all that is held."""
        if self._own is None or not self._done:
            return
        start = time.monotonic()
        content = {
            "settings": [collector.settings for collector in self._collectors],
            "ab": list(self._ab),
            "digests": {index: digests[index] for index in sorted(self._done)},
            "states": [collector.state() for collector in self._collectors],
        }
        write_atomically(self._own, lambda file: torch.save(content, file))
        self._saved = time.monotonic()
        self._cost = self._saved - start

    def share(self) -> None:
        """Give the first process what the others hold."""
        if not self._collectors:
            return
        parts = self._ranks.gather([collector.state() for collector in self._collectors])
        if self._ranks.rank == 0:
            for number, collector in enumerate(self._collectors):
                collector.merge([part[number] for part in parts[1:]])


def _complete_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Offsets and contents; what a kill cut off is passed over."""
    with file.open("rb") as lines:
        offset = 0
        for line in lines:
            with contextlib.suppress(ValueError):
                yield offset, json.loads(line)
            offset += len(line)


def describe_difference(old: Any, new: Any, path: str = "", most: int = 4) -> str:
    """Where two JSON values differ, as one line; empty where they are equal."""
    found = list(_differences(old, new, path))
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return "; ".join(found[:most] + more)


def _differences(old: Any, new: Any, path: str) -> Iterable[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) | set(new)):
            below = f"{path}.{key}" if path else str(key)
            yield from _differences(old.get(key), new.get(key), below)
    elif old != new:
        yield f"{path}: {_short(old)} then, {_short(new)} now"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _ends_with_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _encoded(value: Any) -> Any:
    """JSON has no infinity and no NaN: they become strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    return [_encoded(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _decoded(value: Any) -> Any:
    if value in ("inf", "-inf", "nan"):
        return float(value)
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    return [_decoded(item) for item in value] if isinstance(value, list) else value


def _load(path: Path) -> dict[str, Any] | None:
    """A file's content; None where a disk error left it unreadable: its pictures are then measured again."""
    try:
        content = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return content if isinstance(content, dict) else None
