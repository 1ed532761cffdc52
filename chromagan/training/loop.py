"""The training loop of any run: ticks, evaluation, snapshots, a clean stop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from chromagan.compute.distributed import any_rank, average, gather, rank, world_size
from chromagan.compute.signals import StopSignals
from chromagan.errors import TrainingError
from chromagan.training.run import Run

log = logging.getLogger(__name__)

TICK = 1_000
# (1 - norm of the critic's gradient)^2: a healthy penalty stays far below 1.
LARGEST_PENALTY = 100.0
# On a GPU ranks agree on stopping every so many steps, as the question waits for the device; elsewhere at each, as
# torchrun kills what has not stopped within 30 seconds.
_STOP_EVERY = 8


class Meter:
    """Sums the terms between two ticks, on the device; reads them out once a tick."""

    def __init__(self) -> None:
        self.images, self.steps, self.since = 0, 0, time.monotonic()
        self.sums: dict[str, Tensor] = {}

    def add(self, terms: dict[str, Tensor], images: int) -> None:
        """Take in the terms of one step of `images` photographs."""
        self.images, self.steps = self.images + images, self.steps + 1
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def take(self) -> dict[str, float]:
        """The means over the steps and ranks since the last tick, with `images_per_second`.

        Every rank calls this at the same step and gets the same answer, so that all go on or none.
        """
        names = sorted(self.sums)
        means = average(torch.stack([self.sums[name].double() for name in names]) / self.steps).tolist()
        speed = self.images / (time.monotonic() - self.since)
        return dict(zip(names, means, strict=True)) | {"images_per_second": speed}


class Exam(Protocol):
    """What a run is measured by now and then."""

    every: int

    def sit(self) -> bool:
        """Measure the averaged weights and log the figures; whether they are the best so far. All ranks call it."""


class Loop:
    """Trains to the end of the run, a signal, a time limit or a number of photographs.

    Args:
        run: what is trained.
        snapshot_every: photographs between checkpoints.
        max_minutes: stop cleanly after this time.
        stop_at: stop cleanly after so many photographs of the run; 0 does not.
        tick: photographs between lines of the log.
        exam: sat every so many photographs, and at the end.
        preview: saves pictures of the averaged weights to a file, at every snapshot.
    """

    def __init__(
        self,
        run: Run,
        snapshot_every: int,
        max_minutes: float = math.inf,
        stop_at: int = 0,
        tick: int = TICK,
        exam: Exam | None = None,
        preview: Callable[[Path], None] | None = None,
    ) -> None:
        self.trained = run
        self.snapshot_every, self.stop_at, self.tick = snapshot_every, stop_at, tick
        self.deadline = time.monotonic() + 60 * max_minutes
        self.exam, self.preview = exam, preview
        self.meter, self._steps = Meter(), 0

    def run(self) -> str:
        """Train; returns why it stopped.

        Raises:
            TrainingError: a loss or a weight is not finite, the critic has exploded, or another rank is lost; the last
                checkpoint stands.
        """
        run, reason = self.trained, ""
        # The folder becomes the run's once its data have given a batch.
        batches = run.batches()
        first = [] if run.finished else [next(batches)]
        run.folder.start(run.images)
        run.network.train()
        bar = tqdm(total=run.length, initial=run.images, unit=run.unit, smoothing=0.05, disable=rank() > 0)
        try:
            with StopSignals() as signals, bar:
                steps = chain(first, batches)
                while not (reason or run.finished):
                    reason = self.advance(steps, signals, bar)
        finally:
            run.folder.close()
        words = run.last_words()
        if words:
            log.warning("%s", words)
        return "the end of the run" if run.finished else reason

    def advance(self, batches: Iterator[Any], signals: StopSignals, bar: tqdm) -> str:
        """Train on the next batch, and log, evaluate and save where that is due; says why to stop, or nothing."""
        run = self.trained
        self.meter.add(run.train_batch(next(batches)), run.batch_size)
        bar.update(run.batch_size)
        self._steps += 1
        # What is due after this step: the same on every rank, as they meet in each of these.
        stop = self._wish_to_stop(signals)
        due = self._passed(self.snapshot_every) or self._exam_due() or run.finished or bool(stop)
        if self.meter.images >= self.tick or due:
            self._tick(bar)
        if due:
            self.snapshot()
        return stop

    def _passed(self, every: int) -> bool:
        """Whether the last batch crossed a multiple of `every` photographs."""
        images = self.trained.images
        return every > 0 and images // every > (images - self.trained.batch_size) // every

    def _wish_to_stop(self, signals: StopSignals) -> str:
        """Why to stop after this step, the same on every rank; empty to go on."""
        if self.stop_at and self.trained.images >= self.stop_at:
            return "--stop-at"
        wish = signals.asked or ("the time limit" if time.monotonic() > self.deadline else "")
        if world_size() == 1:
            return wish
        every = _STOP_EVERY if self.trained.device.type == "cuda" else 1
        if self._steps % every or not any_rank(bool(wish)):
            return ""
        return next(filter(None, gather(wish)))

    def _tick(self, bar: tqdm) -> None:
        """Log the means since the last tick; a run that has broken does not go on."""
        run, values = self.trained, self.meter.take()
        self.meter = Meter()
        stands = f"after {run.images:,} {run.unit}s; {run.last_checkpoint()}"
        for name, value in sorted(values.items(), key=lambda one: one[0] != "chroma"):  # the others follow from it
            if not math.isfinite(value):
                raise TrainingError(f"the {name} term is {value} {stands}; {run.remedy(name)}")
        if values.get("penalty", 0.0) > LARGEST_PENALTY:
            norm = 1 + math.sqrt(values["penalty"])
            raise TrainingError(
                f"the critic's gradient norm is about {norm:.0f} instead of 1 {stands}; {run.remedy('penalty')}"
            )
        run.folder.log(run.images, values | run.figures())
        bar.set_postfix({k: f"{values[k]:.4g}" for k in ("chroma", "wasserstein", "loss") if k in values})

    def _exam_due(self) -> bool:
        return self.exam is not None and (self.trained.finished or self._passed(self.exam.every))

    def snapshot(self) -> None:
        """Checkpoint and preview; before them the exam where it is due. All on the averaged weights."""
        run = self.trained
        run.check_weights()
        run.save(best=self._exam_due() and self.exam is not None and self.exam.sit())
        if run.folder.writes and self.preview is not None:
            self.preview(run.folder.path / f"preview-{run.images:09d}.jpg")
