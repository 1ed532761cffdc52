"""What collectors of sets hold, saved now and then beside the journal, so that a killed run need not start again."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from chromagan.compute.distributed import gather, rank
from chromagan.files.atomic import write_atomically
from chromagan.metrics.metric import Collector

PREFIX = "sets-"
_SECONDS = 60.0
_SHARE = 20.0  # at most this part of the time goes into saving


class SetStates:
    """Saves and restores collectors; does nothing where there are none.

    Args:
        collectors: what to save.
        folder: of the output, or None to keep nothing.
        rank: of this process, which has a file of its own.
    """

    def __init__(self, collectors: Sequence[Collector], folder: Path | None, rank: int) -> None:
        self._collectors = collectors
        self._folder = folder if collectors else None
        self._own = None if self._folder is None else self._folder / f"{PREFIX}{rank:04d}.pt"
        self._done: set[int] = set()
        self._saved, self._cost = time.monotonic(), 0.0
        files = [] if self._folder is None else sorted(self._folder.glob(f"{PREFIX}*.pt"))
        self._found = [content for content in map(_load, files) if content is not None]

    def restore(self, digests: dict[int, str], ab: tuple[float, float]) -> set[int]:
        """Take over what was held when this object was made, unless a picture has changed since.

        The first process alone takes the features; all agree on the indices.

        Args:
            digests: of the pictures, by index.
            ab: the colour of the row `mean ab`.

        Returns:
            Indices that are held.
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
        if rank() == 0:
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
        parts = gather([collector.state() for collector in self._collectors])
        if rank() == 0:
            for number, collector in enumerate(self._collectors):
                collector.merge([part[number] for part in parts[1:]])


def _load(path: Path) -> dict[str, Any] | None:
    """A file's content; None where a disk error left it unreadable: its pictures are then measured again."""
    try:
        content = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return content if isinstance(content, dict) else None
