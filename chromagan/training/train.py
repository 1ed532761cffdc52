"""Training from a configuration to a run folder: the exam and the preview that a colorization network's loop gets."""

from __future__ import annotations

import copy
import json
import logging
import math
import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from chromagan.color.lab import rgb_to_lab
from chromagan.compute.device import choose_device
from chromagan.compute.distributed import gather, local_rank, process_group, rank, world_size
from chromagan.data.decode import decode_photo
from chromagan.data.photos import find_photos
from chromagan.data.source import Photo
from chromagan.errors import DataError, UsageError
from chromagan.evaluation.held_out import HeldOut, choose_best_metric
from chromagan.evaluation.options import HeldOutOptions
from chromagan.files.atomic import write_atomically
from chromagan.inference.stages import paint
from chromagan.metrics.registry import better
from chromagan.models.baselines import Gray
from chromagan.models.contract import ColorizationNetwork, count_parameters
from chromagan.models.critic import PatchCritic
from chromagan.models.look import Look
from chromagan.training.build import build_generator
from chromagan.training.config import TrainConfig
from chromagan.training.loop import Loop
from chromagan.training.trainer import Trainer

log = logging.getLogger(__name__)

_PREVIEWED = 12
_TRIED = 2  # photographs for the estimate of memory; one alone has no batch statistics where a map is 1 x 1


class HeldOutExam:
    """The averaged weights of a run on photographs that are not trained on; a figure of theirs chooses the best."""

    def __init__(self, options: HeldOutOptions, trainer: Trainer) -> None:
        self.metric = choose_best_metric(options.best_metric, options.metrics)
        self.every, self.trainer = options.eval_every, trainer
        self.held_out = HeldOut(
            options.val, options.eval_size, options.metrics, options.metric_networks or None, options.eval_limit,
            trainer.device, download=world_size() == 1, look=options.look,
        )  # fmt: skip
        if self.metric in self.held_out.missing:
            raise UsageError(f"--best-metric: {self.held_out.missing[self.metric]}")
        if rank() == 0:
            for message in self.held_out.missing.values():
                log.warning("%s", message)

    def sit(self) -> bool:
        """Measure and log; whether these weights are the best so far."""
        trainer = self.trainer
        figures = self.held_out.evaluate(trainer.averaged_generator(), rank(), world_size(), gather)
        trainer.folder.log(trainer.images, {f"val/{name}": value for name, value in figures.items()})
        value, best = figures.get(self.metric, math.nan), trainer.best
        before = best.get("value", math.nan) if best.get("metric", self.metric) == self.metric else math.nan
        if not better(self.metric, value, before):
            return False
        trainer.best = {"images": trainer.images, "metric": self.metric, "value": value}
        return True


def open_loop(trainer: Trainer, snapshot_every: int, max_minutes: float = math.inf, **given: Any) -> Loop:
    """The loop of a trainer, with its exam where `--val` is given, and its preview; further arguments are `Loop`'s.

    Raises:
        UsageError: a figure that does not exist.
        DataError: the held-out photographs cannot be read.
    """
    photos, options = trainer.config.photos, trainer.config.exam
    exam = preview = None
    # Random numbers that are drawn here, such as for weights that are loaded over, would be missing in the run.
    with torch.random.fork_rng(devices=[]):
        if trainer.folder.writes:
            place = find_photos([options.val]) if options.val else trainer.photos
            shown = load_grid_photos(place, _PREVIEWED, photos.size)

            def preview(path: Path) -> None:
                sheet = grid(trainer.averaged_generator(), shown, options.look).permute(1, 2, 0).numpy()
                # Not by `imwrite`, which crashes on names that are not UTF-8.
                data = cv2.imencode(".jpg", np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
                write_atomically(path, lambda file: file.write(data.tobytes()))

        if options.examines:
            exam = HeldOutExam(options, trainer)
    return Loop(trainer, snapshot_every, max_minutes, exam=exam, preview=preview, **given)


def load_grid_photos(photos: Sequence[Photo], count: int, size: int) -> Tensor:
    """The first photos that can be read, centre-cropped: (count, 3, size, size) uint8; `DataError` where none can."""
    squares = []
    for source in photos:
        rgb = decode_photo(source)
        if rgb is None:
            continue
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = cv2.resize(rgb[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
        squares.append(torch.from_numpy(square).permute(2, 0, 1))
        if len(squares) == count:
            break
    if not squares:
        raise DataError("no readable photograph for the preview: all of --val, or of --data, are damaged")
    return torch.stack(squares)


def grid(network: ColorizationNetwork, photos: Tensor, look: Look | None = None) -> Tensor:
    """Gray | colour | truth of photos (N, 3, S, S) uint8, two photos a row: (3, rows, columns) uint8."""
    L = rgb_to_lab(photos.float() / 255)[:, :1]
    strips = torch.cat((paint(Gray(), L), paint(network, L, look=look), photos), dim=3)
    pairs = [strips[i : i + 2] for i in range(0, len(strips) - 1, 2)] or [strips]
    return torch.cat([torch.cat(tuple(pair), dim=2) for pair in pairs], dim=1)


def train(
    config: TrainConfig,
    out: str | Path,
    device: str | torch.device = "auto",
    snapshot_every: int = 10_000,
    max_minutes: float = math.inf,
    stop_at: int = 0,
    rank_timeout: float = 600.0,
    allow_changes: Collection[str] = (),
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
        allow_changes: options that may differ from those of the run so far.

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
    if not max_minutes >= 0 or stop_at < 0 or not rank_timeout > 0:  # NaN neither
        raise UsageError("--max-minutes, --stop-at and --rank-timeout take no such number; see chromagan train --help")
    unknown = sorted(set(allow_changes) - set(config.options()))
    if unknown:
        raise UsageError(f"--allow-changes {unknown[0]}: there is no such option; name options such as images or data")
    device = choose_device(device) if isinstance(device, str) else device
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = choose_device(f"cuda:{local_rank()}")
    with process_group(device.type, rank_timeout):
        trainer = Trainer(config, Path(out), device, allow_changes)
        try:
            if trainer.folder.writes:
                _warn(config, trainer.photos)
            return trainer, open_loop(trainer, snapshot_every, max_minutes, stop_at=stop_at).run()
        finally:
            trainer.folder.close()


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


def estimate_memory(generator: ColorizationNetwork, config: TrainConfig) -> dict[str, int]:
    """Bytes of a step in float32; autocast needs down to half of it for activations.

    Weights, gradients, Adam's two moments (one with `--optimizer sgd`) and the average are counted; activations are
    what autograd keeps of a forward pass of generator and critic on two photographs, scaled to those of one
    accumulation part.
    """
    network = copy.deepcopy(generator).train()
    critic = PatchCritic() if config.objective.asking_for("critic") else None
    networks = [network] if critic is None else [network, critic]
    weights = sum(p.numel() for one in networks for p in one.parameters())
    photos = config.schedule.batch_size // config.schedule.accumulate
    side = config.photos.size
    L = torch.rand(_TRIED, 1, side, side) * 100
    kept = _saved_bytes(network, L)
    if critic is not None:
        stride = generator.ab_stride
        small = torch.rand(_TRIED, 3, -(-side // stride), -(-side // stride))
        # real and interpolates; the second backward pass of the penalty keeps about as much again
        kept += 3 * _saved_bytes(critic, small[:, :1], small[:, 1:])
    moments = 4 if config.optimizer.optimizer == "sgd" else 8
    generator_weights = sum(p.numel() for p in network.parameters())
    return {
        "weights": 4 * weights,
        "gradients": 4 * weights,
        "optimisers": moments * generator_weights + 8 * (weights - generator_weights),
        "average": 4 * generator_weights if config.optimizer.ema else 0,
        "activations": kept * photos // _TRIED,
    }


def _saved_bytes(network: nn.Module, *inputs: Tensor) -> int:
    """Bytes that autograd keeps of one forward pass, each storage once, parameters left out."""
    seen: dict[Any, int] = {}
    ours = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in ours:
            seen[storage._cdata] = storage.nbytes()
            alive.append(tensor)  # an address is not given away while it is counted
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(*inputs)
    return sum(seen.values())


def _warn(config: TrainConfig, photos: Sequence[Photo]) -> None:
    """Say what is allowed and seldom meant."""
    schedule, val = config.schedule, config.exam.val
    if schedule.warmup > schedule.images:
        log.warning(
            "--warmup %s is longer than the run of %s photographs: the learning rate never reaches --lr",
            f"{schedule.warmup:,}", f"{schedule.images:,}",
        )  # fmt: skip
    folders = Counter(os.path.dirname(photo.name) for photo in photos)
    inside = os.path.join(os.path.realpath(val), "")
    count = sum(n for folder, n in folders.items() if os.path.join(os.path.realpath(folder), "").startswith(inside))
    if val and count:
        log.warning(
            "--val %s: %s of its photographs are in --data too; its figures are of what was learned", val, f"{count:,}"
        )


def _check(config: TrainConfig) -> None:
    if not config.photos.data:
        raise UsageError("give the training photographs: --data PLACE ...")
    if config.exam.examines:
        choose_best_metric(config.exam.best_metric, config.exam.metrics)
