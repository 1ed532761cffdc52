"""Training of the learned x2 chroma step on photographs in colour.

The step is trained as it is used: true ab is averaged to 1/2, 1/4 or 1/8 and brought back by one, two or three
applications of the same weights, so that errors do not pile up over the octaves.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.errors import TrainingError
from chromagan.evaluation.chroma_edges import lightness_gradient
from chromagan.files.find import find_photo_files
from chromagan.files.suffixes import is_training_name
from chromagan.models.chroma_upsampler import ChromaUpsampler
from chromagan.pretrained.create import load_upsampler
from chromagan.pretrained.store import save_weights
from chromagan.training.loop import Loop
from chromagan.training.run import ExponentialAverage, Run, Terms
from chromagan.training.run_folder import RunFolder, read_stats
from chromagan.training.schedule import ScheduleOptions
from chromagan.training.upsampler_crops import (
    LabPhotograph,
    UpsamplerRunOptions,
    UpsamplerTraining,
    degrade,
    load_lab,
    random_crops,
)

_EMA, _WARMUP, _CLIP = 0.995, 30, 5.0  # the warm-up in steps
_SNAPSHOT_EVERY = 4_000


def octave_loss(ab: Tensor, true_ab: Tensor, L: Tensor, edge_weight: float) -> Tensor:
    """Mean over crops of the root of the mean squared chroma error, where the strongest edges of L count most.

    A pixel's weight is 1 at flat places up to 1 + 3 `edge_weight`. The root keeps the few most vivid crops from
    deciding alone; 1 square Lab unit beneath it keeps the gradient finite.
    """
    gradient = lightness_gradient(L)
    edge = (gradient / (3 * gradient.mean((2, 3), keepdim=True) + 1)).clamp(max=3)
    squared = ((1 + edge_weight * edge) * (ab - true_ab).square().sum(1, keepdim=True)).mean((1, 2, 3))
    return (squared + 1).sqrt().mean()


def recursive_loss(step: ChromaUpsampler, lab: Tensor, config: UpsamplerTraining, rng: np.random.Generator) -> Tensor:
    """Shrink the true ab by 2, 4 or 8 (8 as often as the others together) and bring it back octave by octave.

    `lab` is (N, 3, H, W) with sides that are multiples of 8. Returns the loss at full size plus 0.3 of that at every
    octave on the way.
    """
    L, true_ab = lab[:, :1].contiguous(), lab[:, 1:].contiguous()
    factor = int(rng.choice((2, 4, 8, 8)))
    ab = F.avg_pool2d(true_ab, factor)
    if rng.random() < config.smooth_share:
        ab = degrade(ab, rng)
    loss = torch.zeros(())
    while factor > 1:
        factor //= 2
        L_here, true_here = F.avg_pool2d(L, factor), F.avg_pool2d(true_ab, factor)
        ab = step(ab, L_here)
        loss = loss + (1.0 if factor == 1 else 0.3) * octave_loss(ab, true_here, L_here, config.edge_weight)
    return loss


class UpsamplerRun(Run):
    """The step's training as the loop sees it; it goes on from the last checkpoint in its folder.

    `photographs` have at least `crop` pixels a side each. Width and depth are those of `start`, where it is given.
    """

    remedies: ClassVar = {"": "take a smaller --learning-rate"}
    unit: ClassVar[str] = "crop"
    network: ChromaUpsampler

    def __init__(
        self,
        options: UpsamplerRunOptions,
        folder: Path,
        photographs: Sequence[LabPhotograph],
        start: ChromaUpsampler | None = None,
    ) -> None:
        config = options.training
        kept = RunFolder(folder, options, boards=False)
        super().__init__(kept, torch.device("cpu"), config.images, config.batch_size)
        self.config, self.photographs = config, photographs
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.network = ChromaUpsampler(config.width, config.depth)
        if start is not None:
            self.network = ChromaUpsampler(**start.config)
            self.network.load_state_dict(start.state_dict())
        self.ema = ExponentialAverage(self.network, _EMA)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99))
        self.schedule = ScheduleOptions(images=config.images, warmup=0, decay=1.0)
        self._started, self._over = time.monotonic(), False
        self.resume()

    def state(self) -> dict[str, Any]:
        """Network, optimiser, and the time that the run has taken so far."""
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**state, "seconds": time.monotonic() - self._started}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._started = time.monotonic() - state["seconds"]

    @property
    def progress(self) -> float:
        """The share of the run that is done, by crops or by time, whichever is further on."""
        limit = 60 * self.config.max_minutes
        return max(self.images / self.length, (time.monotonic() - self._started) / limit if limit else 0.0)

    @property
    def finished(self) -> bool:
        """Whether crops or time were used up after the last step."""
        return self._over or self.images >= self.length

    def figures(self) -> dict[str, Any]:
        """The learning rate."""
        return {"lr": self.optimizer.param_groups[0]["lr"]}

    def batches(self) -> Iterator[tuple[Tensor, np.random.Generator]]:
        """Crops, and what draws the rest of their step: both decided by the seed and the number of the step alone."""
        step = self.images // self.batch_size
        while True:
            rng = np.random.default_rng((self.config.seed, step))
            yield random_crops(self.photographs, self.config, rng), rng
            step += 1

    def train_batch(self, batch: tuple[Tensor, np.random.Generator]) -> Terms:
        """One step of Adam, its gradient clipped."""
        step = self.images // self.batch_size + 1
        share = self.schedule.learning_rate_share(min(1.0, self.progress) * self.length) * min(1.0, step / _WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * share
        loss = recursive_loss(self.network, batch[0], self.config, batch[1])
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimizer.step()
        self.ema.update(self.network)
        self.images += self.batch_size
        self._over = self.progress >= 1
        return {"loss": loss.detach()}


def train_upsampler(
    data: Path, out: Path, config: UpsamplerTraining, init: Path | None = None, command: str = ""
) -> tuple[ChromaUpsampler, int, float]:
    """Train the x2 chroma step on a folder of photographs (recursive) and write its weights, in float32.

    While it is trained a folder beside `out` holds its checkpoints, and the same call goes on from the last one.

    Args:
        data: folder of photographs whose colour was not stored at half size (lossless, or reduced from larger ones).
        out: safetensors file to write.
        config: the run's options.
        init: weights to go on from.
        command: the training command, without paths of the machine.

    Returns:
        The average of the trained network, the crops that it saw, and the mean loss at the end.

    Raises:
        TrainingError: the loss is not finite, the run was stopped, or its folder belongs to another one.
    """
    photographs = load_lab(find_photo_files(data, is_training_name), config.crop)
    folder = out.with_name(out.name + ".run")
    options = UpsamplerRunOptions(config, str(data), str(init or ""))
    run = UpsamplerRun(options, folder, photographs, load_upsampler(init) if init is not None else None)
    reason = Loop(run, _SNAPSHOT_EVERY).run()
    if not run.finished:
        raise TrainingError(f"{out}: stopped by {reason} after {run.images:,} crops; the same command goes on")
    network = run.ema.applied_to(run.network)
    save_weights(out, network, model="chroma_upsampler", config=network.config, command=command, half=False)
    loss = read_stats(folder)[-1]["loss"]
    shutil.rmtree(folder)
    return network, run.images, loss
