"""An endless, seeded stream of training batches that knows its place, can go on from it, and is shared by ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from chromagan.compute.signals import signals_held
from chromagan.data.cache import prepare_worker
from chromagan.data.near_gray import ManifestWriter
from chromagan.data.training_photos import NEAR_GRAY, UNREADABLE, USED, TrainingPhotos
from chromagan.errors import DataError

UNREADABLE_SHARE = 0.01


class Batch(NamedTuple):
    """Training squares: `rgb` (B, 3, S, S) uint8, and `ordinals` (B,) int64, their places in the endless stream."""

    rgb: Tensor
    ordinals: Tensor


@dataclass
class StreamState:
    """Where one rank's stream is: the next place that it has not seen, and what happened to its photos before it."""

    ordinal: int = 0
    near_gray: int = 0
    unreadable: int = 0
    seen: int = 0

    @staticmethod
    def of_rank(states: Sequence[StreamState], rank: int, world: int) -> StreamState:
        """The state from which a rank of so many (`world`) goes on, from those of all ranks of the run before.

        With as many ranks as before each goes on exactly where it was. With another number of them all start at the
        largest place that any rank had reached: no photo is seen twice in that epoch, and the few that slower ranks
        had still before them are left out once. Rank 0 then carries the counts of all.
        """
        if len(states) == world:
            return replace(states[rank])
        start = StreamState(max(state.ordinal for state in states))
        if rank == 0:
            for name in ("near_gray", "unreadable", "seen"):
                setattr(start, name, sum(getattr(state, name) for state in states))
        return start


def unreadable_warning(state: StreamState, names: Sequence[str] = ()) -> str | None:
    """The line for the end of a run in which more than 1 % of the photos could not be read, or None."""
    if not state.seen or state.unreadable <= UNREADABLE_SHARE * state.seen:
        return None
    shown = f", among them {', '.join(names[:3])}" if names else ""
    return (
        f"{100 * state.unreadable / state.seen:.1f} % of the photographs ({state.unreadable:,} of {state.seen:,} seen) "
        f"could not be read{shown}; repair or remove them"
    )


class BatchStream:
    """Batches of exactly `batch_size` used photos; near-gray and unreadable ones are skipped and counted.

    The stream is one endless sequence of places ("ordinals") for all ranks: a new permutation of the photos every
    epoch. Rank r owns the places congruent to r modulo `world`, so that ranks never overlap, and every photo comes once
    an epoch over all of them.

    `batch_size` is that of this rank, of so many (`world`). `workers` processes decode; with 0 the training process.
    `state` is advanced in place: after each batch a new stream goes on from it with the batches that follow.
    """

    def __init__(
        self,
        photos: TrainingPhotos,
        batch_size: int,
        workers: int = 0,
        state: StreamState | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.photos, self.batch_size, self.workers = photos, batch_size, workers
        self.state = state if state is not None else StreamState()
        self.rank, self.world = rank, world
        self._refused: set[int] = set()  # photos that were of no use since the last one that was

    @property
    def unreadable_names(self) -> list[str]:
        """Photos that could not be read, as far as this rank and the manifest know."""
        return list(self.photos.unreadable.values())

    def __iter__(self) -> Iterator[Batch]:
        """Batches without end; `DataError` where a whole epoch has no usable photo, or none can be reached any more."""
        self._refused.clear()
        with ManifestWriter(self.photos.manifest, self.rank) as writer:
            yield from self._cut_on_device() if self.photos.cuts_on_device else self._load(writer)
        raise DataError("no usable photograph in a whole epoch: all are near-gray or unreadable")

    @property
    def _next(self) -> int:
        """This rank's first place that it has not seen."""
        return self.state.ordinal + (self.rank - self.state.ordinal) % self.world

    def _walk(self) -> Iterator[int]:
        """This rank's places, without those known to be of no use; ends where no photo is of any."""
        ordinal, skipped = self._next, 0
        while skipped < len(self.photos) or self.photos.has_hope():
            if self.photos.foreseen(ordinal) == USED:
                skipped = 0
                yield ordinal
            else:
                skipped += 1
            ordinal += self.world

    def _cut_on_device(self) -> Iterator[Batch]:
        walk = self._walk()
        while len(ordinals := list(islice(walk, self.batch_size))) == self.batch_size:
            rgb = self.photos.cached_batch(ordinals)
            for ordinal in ordinals:
                self._pass(ordinal, USED)
            yield Batch(rgb, torch.tensor(ordinals))

    def _load(self, writer: ManifestWriter) -> Iterator[Batch]:
        ready: list[tuple[Tensor, int]] = []
        for images, statuses, ordinals, chromas in self._candidates():
            results = zip(images, statuses.tolist(), ordinals.tolist(), chromas.tolist(), strict=True)
            for image, status, ordinal, chroma in results:
                self.photos.learn(self.photos.index_of(ordinal), chroma, writer)
                self._pass(ordinal, status)
                if len(self._refused) == len(self.photos):
                    return
                if status == USED:
                    ready.append((image, ordinal))
                if len(ready) == self.batch_size:
                    writer.flush()
                    yield Batch(torch.stack([i for i, _ in ready]), torch.tensor([o for _, o in ready]))
                    ready = []

    def _candidates(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        loader = DataLoader(
            self.photos,
            batch_size=self.batch_size,
            sampler=self._walk(),
            num_workers=self.workers,
            worker_init_fn=prepare_worker if self.workers else None,
            generator=torch.Generator().manual_seed(0),  # else it would draw from the run's own generator
        )
        try:
            with signals_held():  # a worker that a signal finds before it has prepared itself would die of it
                candidates = iter(loader)
            yield from candidates
        except DataError as error:  # from a worker its message is a whole traceback
            last = str(error).strip().splitlines()[-1]
            raise DataError(last.removeprefix(f"{DataError.__module__}.{DataError.__name__}: ")) from error

    def _pass(self, ordinal: int, status: int) -> None:
        """Count a place of this rank, and those before it that `_walk` had left out."""
        for skipped in range(self._next, ordinal, self.world):
            self._count(skipped, self.photos.foreseen(skipped))
        self._count(ordinal, status)
        self.state.ordinal = ordinal + 1

    def _count(self, ordinal: int, status: int) -> None:
        self.state.seen += 1
        self.state.near_gray += status == NEAR_GRAY
        self.state.unreadable += status == UNREADABLE
        if status == USED:
            self._refused.clear()
        else:
            self._refused.add(self.photos.index_of(ordinal))
