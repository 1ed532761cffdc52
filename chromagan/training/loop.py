"""The training loop: ticks, evaluation, snapshots, a clean stop."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator

from torch import Tensor
from tqdm import tqdm

from chromagan.compute.distributed import any_rank, gather, rank, world_size
from chromagan.data.loader import Batch, BatchStream, open_training_photos, unreadable_warning
from chromagan.evaluation.held_out import HeldOut, check_best_metric
from chromagan.metrics.registry import better
from chromagan.training.interruption import StopSignals
from chromagan.training.meter import Meter, check_terms
from chromagan.training.preview import load_grid_photos, save_grid
from chromagan.training.trainer import Trainer

TICK = 1_000
# Ranks agree on stopping every so many steps: on a GPU the question waits for the device.
_STOP_EVERY = 8


class Loop:
    """Trains to the end of the run, a signal, a time limit or a number of photographs.

    Args:
        trainer: the run.
        snapshot_every: photographs between checkpoints.
        max_minutes: stop cleanly after this time.
        stop_at: stop cleanly after so many photographs of the run; 0 does not.
        tick: photographs between lines of the log.
    """

    def __init__(
        self, trainer: Trainer, snapshot_every: int, max_minutes: float = math.inf, stop_at: int = 0, tick: int = TICK
    ) -> None:
        self.trainer, self.config = trainer, trainer.config
        self.snapshot_every, self.stop_at, self.tick = snapshot_every, stop_at, tick
        self.deadline = time.monotonic() + 60 * max_minutes
        self.meter = Meter()
        self.held_out: HeldOut | None = None
        self._grid: Tensor | None = None
        self._steps = 0

    def run(self) -> str:
        """Train; returns why it stopped.

        Raises:
            TrainingError: a loss or a weight is not finite, the critic has exploded, or another rank is lost; the last
                checkpoint stands.
        """
        trainer, config = self.trainer, self.config
        trainer.folder.start(trainer.images)
        photos = open_training_photos(config, trainer.folder.path, trainer.device, rank())
        stream = BatchStream(
            photos, config.batch_size // world_size(), config.workers, trainer.stream, rank(), world_size()
        )
        self._open_held_out()
        trainer.generator.train()
        shown = tqdm(total=config.images, initial=trainer.images, unit="photo", smoothing=0.05, disable=rank() > 0)
        with StopSignals() as signals, shown as bar:
            reason = self._train(iter(stream), signals, bar)
        trainer.folder.close()
        warning = unreadable_warning(trainer.stream, stream.unreadable_names)
        if warning:
            print(f"chromagan: {warning}", file=sys.stderr)
        return reason

    def _train(self, batches: Iterator[Batch], signals: StopSignals, bar: tqdm) -> str:
        while self.trainer.images < self.config.images:
            stop = self.advance(batches, signals, bar)
            if stop and self.trainer.images < self.config.images:
                return stop
        return "the end of the run"

    def advance(self, batches: Iterator[Batch], signals: StopSignals, bar: tqdm) -> str:
        """Train on the next batch, and log, evaluate and save where that is due; says why to stop, or nothing."""
        trainer, config = self.trainer, self.config
        self.meter.add(trainer.train_batch(next(batches)), config.batch_size)
        bar.update(config.batch_size)
        self._steps += 1
        stop = self._wish_to_stop(signals)
        done = trainer.images >= config.images
        due = self._passed(self.snapshot_every) or self._evaluation_due() or done or bool(stop)
        if self.meter.images >= self.tick or due:
            self._tick(bar)
        if due:
            self.snapshot()
        return stop

    def _passed(self, every: int) -> bool:
        """Whether the last batch crossed a multiple of `every` photographs."""
        images = self.trainer.images
        return every > 0 and images // every > (images - self.config.batch_size) // every

    def _wish_to_stop(self, signals: StopSignals) -> str:
        """Why to stop after this step, the same on every rank; empty to go on."""
        if self.stop_at and self.trainer.images >= self.stop_at:
            return "--stop-at"
        wish = signals.asked or ("the time limit" if time.monotonic() > self.deadline else "")
        if world_size() == 1:
            return wish
        if self._steps % _STOP_EVERY or not any_rank(bool(wish)):
            return ""
        return next(filter(None, gather(wish)))

    def _tick(self, bar: tqdm) -> None:
        trainer = self.trainer
        values = self.meter.take()
        check_terms(values, trainer.images, trainer.last_checkpoint())
        values["lr"] = trainer.optimizer.param_groups[0]["lr"]
        counts = [one.as_dict() for one in gather(trainer.stream)]
        values |= {name: sum(one[name] for one in counts) for name in counts[0] if name != "ordinal"}
        trainer.folder.log(trainer.images, values)
        bar.set_postfix({k: f"{values[k]:.4g}" for k in ("chroma", "wasserstein") if k in values})

    def _evaluation_due(self) -> bool:
        finished = self.trainer.images >= self.config.images
        return self.held_out is not None and (finished or self._passed(self.config.eval_every))

    def snapshot(self) -> None:
        """Checkpoint and preview grid; before them the evaluation where it is due. All on the averaged weights."""
        trainer = self.trainer
        trainer.check_weights()
        trainer.save(best=self._evaluation_due() and self._evaluate())
        if trainer.folder.writes and self._grid is not None:
            name = f"preview-{trainer.images:09d}.jpg"
            save_grid(trainer.averaged_generator(), self._grid, trainer.folder.path / name, self.config.look)

    def _open_held_out(self) -> None:
        config, trainer = self.config, self.trainer
        if trainer.folder.writes:
            self._grid = load_grid_photos(config.val or config.data[0], 12, config.size)
        if not (config.val and config.eval_every and config.metrics):
            return
        check_best_metric(config.best_metric)
        self.held_out = HeldOut(
            config.val, config.eval_size, config.metrics, config.metric_networks or None, config.eval_limit,
            trainer.device, download=world_size() == 1, look=config.look,
        )  # fmt: skip
        if rank() == 0:
            for message in self.held_out.missing.values():
                print(f"chromagan: {message}", file=sys.stderr)

    def _evaluate(self) -> bool:
        """Measure the averaged weights on the held-out photos; whether they are the best so far."""
        trainer, metric = self.trainer, self.config.best_metric
        assert self.held_out is not None
        figures = self.held_out.evaluate(trainer.averaged_generator(), rank(), world_size(), gather)
        trainer.folder.log(trainer.images, {f"val/{name}": value for name, value in figures.items()})
        value = figures.get(metric, math.nan)
        if not better(metric, value, trainer.best.get("value", math.nan)):
            return False
        trainer.best = {"images": trainer.images, "value": value}
        return True
