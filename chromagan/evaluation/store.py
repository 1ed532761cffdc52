"""What an evaluation has found so far, on disk: a killed run goes on where it was, and a later one adds methods.

Every process appends the figures of images as JSON lines to a file of its own in the output folder. The first line of a
file holds the configuration; figures of another configuration are refused. What a line says of a method is valid as
long as its digest is that of the files that it was measured on. A last line that was cut off by a kill is passed over.
What collectors of sets hold is saved beside it now and then. `methods.json` says which methods the folder has, and how
each can be had again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import pickle
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from chromagan.errors import DataError, ReadError, WriteError
from chromagan.evaluation.comparison import Ranks
from chromagan.files.atomic import write_atomically, write_json
from chromagan.metrics.metric import Collector

FIGURES, SETS, METHODS = "figures-", "sets-", "methods.json"
_FORMAT = 2
_LONGEST_HEADER = 1 << 24
Digests = dict[int, dict[str, str]]
"""By image and method, of the files that a figure was measured on."""
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


def settings_digest(settings: Any) -> str:
    """A digest of plain JSON."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def methods_there(folder: Path) -> dict[str, dict[str, Any]]:
    """Of the methods that a report's folder has by name the `settings`, and `from`: how each can be had again."""
    return dict(_known_there(folder).get("methods", {}))


def shared_there(folder: Path) -> dict[str, Any]:
    """The settings that all methods of a report's folder share."""
    return dict(_known_there(folder).get("shared", {}))


def _known_there(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / METHODS).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no report yet; or damaged, and what it told of is measured again
        return {}
    return content if isinstance(content, dict) else {}


class Store:
    """Figures by kind and image, in a folder that is made where it is missing.

    Each process appends to a file of its own, by its rank; the files of all are read. `settings` is everything that the
    figures depend on besides the pictures, as plain JSON: what all methods share, and under `methods` each one's own.
    `origins` says by method how it can be had again.

    Raises:
        DataError: the folder holds figures of another configuration; the message says what differs.
        WriteError: the folder cannot be written.
    """

    def __init__(
        self, folder: Path, settings: dict[str, Any], rank: int = 0, origins: Mapping[str, Any] | None = None
    ) -> None:
        self._lines: dict[tuple[str, str], list[tuple[Path, int]]] = {}  # file, offset: not the figures
        settings = json.loads(json.dumps(settings))
        methods = settings.pop("methods", {})
        earlier = methods_there(folder)
        for name in set(methods) & set(earlier):
            if different := describe_difference(earlier[name]["settings"], methods[name]):
                raise DataError(
                    f"{folder}: has another method {name!r} ({different}); give this one another name (NAME=...), "
                    "choose another --out, or delete that folder"
                )
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
            if rank == 0:
                own = {name: {"settings": methods[name], "from": (origins or {}).get(name, {})} for name in methods}
                write_json(folder / METHODS, {"shared": settings, "methods": {**earlier, **own}})
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
                        "methods are added under the same one: repeat it, choose another --out, or delete that folder"
                    )
            else:
                self._lines.setdefault((content["kind"], content["image"]), []).append((file, offset))

    def find(self, kind: str, image: str) -> Iterator[dict[str, Any]]:
        """What was found for an image, the latest first; whoever asks compares digests."""
        for file, offset in reversed(self._lines.get((kind, image), [])):
            with file.open("rb") as lines:
                lines.seek(offset)
                yield dict(_decoded(json.loads(lines.readline())["content"]))

    def add(self, kind: str, image: str, content: dict[str, Any]) -> None:
        """Append what was found; it survives the death of this process from here on."""
        self._write({"kind": kind, "image": image, "content": _encoded(content)})

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
        self._done: dict[tuple[int, str], str] = {}  # digests by image and method
        self._saved, self._cost = time.monotonic(), 0.0
        files = [] if self._folder is None else sorted(self._folder.glob(f"{SETS}*.pt"))
        self._found = [content for content in map(_load, files) if content is not None]

    def restore(self, digests: Digests) -> set[tuple[int, str]]:
        """Take over what was held when this object was made, unless a picture has changed; gives images and methods.

        The first process alone takes the features; all agree on what is held.
        """
        settings = [collector.settings for collector in self._collectors]
        valid = [
            content
            for content in self._found
            if content["settings"] == settings
            and all(
                digests[i].get(method, d) == d for i, made in content["digests"].items() for method, d in made.items()
            )
        ]
        held = {
            (i, method): d for content in valid for i, made in content["digests"].items() for method, d in made.items()
        }
        if self._ranks.rank == 0:
            for content in valid:
                for collector, state in zip(self._collectors, content["states"], strict=True):
                    collector.merge([state])
            self._done |= held
        self._found = []
        return set(held)

    def block_done(self, block: Iterable[int], methods: Sequence[str], digests: Digests) -> None:
        """Note that a block is complete for some methods, and save where the last time is long enough ago."""
        if self._own is not None:
            self._done |= {(index, method): digests[index][method] for index in block for method in methods}
        if time.monotonic() - self._saved > max(_SECONDS, _SHARE * self._cost):
            self.save()

    def save(self) -> None:
        """Write all that is held."""
        if self._own is None or not self._done:
            return
        start = time.monotonic()
        digests: Digests = {}
        for (index, method), digest in sorted(self._done.items()):
            digests.setdefault(index, {})[method] = digest
        content = {
            "settings": [collector.settings for collector in self._collectors],
            "digests": digests,
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
        both = f"{_short(old)} then, {_short(new)} now"
        yield f"{path}: {'other files now' if path in ('truth', 'folder') and old and new else both}"


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
