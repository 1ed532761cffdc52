"""Training from a configuration to a run folder: the exam and the preview that a colorization network's loop gets."""

from __future__ import annotations

import json
import logging
import math
import os
from functools import partial
from pathlib import Path
from typing import Any

import torch

from chromagan.compute.device import choose_device
from chromagan.compute.distributed import gather, local_rank, process_group, rank, world_size
from chromagan.errors import UsageError
from chromagan.evaluation.held_out import HeldOut, check_best_metric
from chromagan.evaluation.options import HeldOutOptions
from chromagan.metrics.registry import better
from chromagan.models.contract import count_parameters
from chromagan.training.build import build_generator
from chromagan.training.config import TrainConfig
from chromagan.training.loop import Loop
from chromagan.training.memory import estimate_memory
from chromagan.training.preview import load_grid_photos, save_grid
from chromagan.training.trainer import Trainer

log = logging.getLogger(__name__)

_PREVIEWED = 12


class HeldOutExam:
    """The averaged weights on photographs that are not trained on.

    Args:
        options: which photographs, and which figure chooses the best state.
        trainer: the run.
    """

    def __init__(self, options: HeldOutOptions, trainer: Trainer) -> None:
        check_best_metric(options.best_metric, options.metrics)
        self.every, self.metric, self.trainer = options.eval_every, options.best_metric, trainer
        self.held_out = HeldOut(
            options.val, options.eval_size, options.metrics, options.metric_networks or None, options.eval_limit,
            trainer.device, download=world_size() == 1, look=options.look,
        )  # fmt: skip
        if options.best_metric in self.held_out.missing:
            raise UsageError(f"--best-metric: {self.held_out.missing[options.best_metric]}")
        if rank() == 0:
            for message in self.held_out.missing.values():
                log.warning("%s", message)

    def sit(self) -> bool:
        """Measure and log; whether these weights are the best so far."""
        trainer = self.trainer
        figures = self.held_out.evaluate(trainer.averaged_generator(), rank(), world_size(), gather)
        trainer.folder.log(trainer.images, {f"val/{name}": value for name, value in figures.items()})
        value = figures.get(self.metric, math.nan)
        if not better(self.metric, value, trainer.best.get("value", math.nan)):
            return False
        trainer.best = {"images": trainer.images, "value": value}
        return True


def open_loop(trainer: Trainer, snapshot_every: int, max_minutes: float = math.inf, **given: Any) -> Loop:
    """The loop of a trainer, with its exam where `--val` is given, and its preview.

    Args:
        trainer: the run.
        snapshot_every: photographs between checkpoints.
        max_minutes: stop cleanly after this time.
        **given: `stop_at` and `tick` of `Loop`.

    Raises:
        UsageError: a figure that does not exist.
        DataError: the held-out photographs cannot be read.
    """
    photos, options = trainer.config.photos, trainer.config.exam
    exam = preview = None
    # Random numbers that are drawn here, such as for weights that are loaded over, would be missing in the run.
    with torch.random.fork_rng(devices=[]):
        if trainer.folder.writes:
            grid = load_grid_photos(options.val or photos.data[0], _PREVIEWED, photos.size)
            preview = partial(_save_preview, trainer, grid)
        if options.val and options.eval_every and options.metrics:
            exam = HeldOutExam(options, trainer)
    return Loop(trainer, snapshot_every, max_minutes, exam=exam, preview=preview, **given)


def _save_preview(trainer: Trainer, grid: torch.Tensor, path: Path) -> None:
    save_grid(trainer.averaged_generator(), grid, path, trainer.config.exam.look)


def train(
    config: TrainConfig,
    out: str | Path,
    device: str | torch.device = "auto",
    snapshot_every: int = 10_000,
    max_minutes: float = math.inf,
    stop_at: int = 0,
    rank_timeout: float = 600.0,
) -> tuple[Trainer, str]:
    """Train, or go on where the same call stopped. With several processes (torchrun) all call this.

        config = chromagan.training.config.from_preset("default", data=["photos"], images=100_000)
        trainer, reason = chromagan.train(config, "runs/mine")

    Args:
        config: what to compute.
        out: the run folder.
        device: where; "auto" takes a GPU where there is one, and each process of torchrun its own.
        snapshot_every: photographs between checkpoints.
        max_minutes: stop cleanly after this time.
        stop_at: stop cleanly after so many photographs of the run; 0 does not.
        rank_timeout: seconds after which a process that says nothing is taken for lost.

    Returns:
        The run as it stands, and why it stopped.

    Raises:
        UsageError: options that do not go together, or with this network.
        DataError, WeightsError: photographs or weights that cannot be read.
        TrainingError: the folder belongs to another run, a loss is not finite, or another rank is lost; the last
            checkpoint stands.
    """
    _check(config)
    if snapshot_every < 1:
        raise UsageError("--snapshot-every must be at least 1 photograph")
    device = choose_device(device) if isinstance(device, str) else device
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = choose_device(f"cuda:{local_rank()}")
    with process_group(device.type, rank_timeout):
        trainer = Trainer(config, Path(out), device)
        with trainer.folder.given_back():
            return trainer, open_loop(trainer, snapshot_every, max_minutes, stop_at=stop_at).run()


def describe(config: TrainConfig) -> str:
    """What a run would be: its configuration, parameters, steps and memory, for a terminal."""
    _check(config)
    generator = build_generator(config)
    head = sum(p.numel() for n, p in generator.named_parameters() if generator.training_only(n))
    memory = estimate_memory(generator, config)
    parts = ", ".join(f"{name} {size / 2**30:.2f}" for name, size in memory.items())
    return "\n".join([
        json.dumps(config.as_dict(), indent=1),
        f"generator: {count_parameters(generator):,} parameters, {head:,} of them in the class head",
        f"steps: {math.ceil(config.schedule.images / config.schedule.batch_size):,}",
        f"memory: about {sum(memory.values()) / 2**30:.2f} GiB ({parts}), photographs and PyTorch itself apart",
    ])  # fmt: skip


def _check(config: TrainConfig) -> None:
    if not config.photos.data:
        raise UsageError("give the training photographs: --data PLACE ...")
