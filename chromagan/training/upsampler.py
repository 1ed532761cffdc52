"""Training of the learned x2 chroma step on photographs in colour.

The step is trained as it is used: true ab is averaged to 1/2, 1/4 or 1/8 and brought back by one, two or three
applications of the same weights, so that errors do not pile up over the octaves.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from chromagan.color.lab import rgb_to_lab
from chromagan.errors import DataError, ReadError, TrainingError, UsageError
from chromagan.evaluation.chroma_edges import lightness_gradient
from chromagan.files.find import find_photo_files
from chromagan.files.suffixes import is_training_name
from chromagan.models.chroma_upsampler import ChromaUpsampler
from chromagan.pretrained.store import save_weights


@dataclass(frozen=True)
class UpsamplerTraining:
    """Options of one training run.

    Attributes:
        width: channels of the network.
        depth: hidden convolutions of the network.
        images: crops to train on in all.
        max_minutes: end after this time; the learning rate falls to 0 by then. 0 sets no limit.
        batch_size: crops a step.
        crop: side of a crop in pixels, a multiple of 8.
        learning_rate: Adam's, at the start of the cosine.
        edge_weight: how much more an error at the strongest edges counts.
        smooth_share: share of the batches whose small ab is blurred and noisy, as a network's prediction is.
        soft_share: share of the crops whose true ab is softer than L, as cameras, film and JPEG store it.
        enlarged_share: share of the crops that are enlarged by up to two, L and ab alike, as soft as a scan of film.
        lossy_share: share of the crops drawn where interpolation from 1/8 loses most colour; the rest lie anywhere.
        seed: of weights and crops.
    """

    width: int = 32
    depth: int = 3
    images: int = 120_000
    max_minutes: float = 0.0
    batch_size: int = 4
    crop: int = 96
    learning_rate: float = 4e-3
    edge_weight: float = 6.0
    smooth_share: float = 0.1
    soft_share: float = 0.5
    enlarged_share: float = 0.5
    lossy_share: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        if self.crop < 16 or self.crop % 8:
            raise UsageError(f"--crop must be a multiple of 8 and at least 16, not {self.crop}")
        if self.images < 1 or self.batch_size < 1:
            raise UsageError("--images and --batch-size must be at least 1")
        shares = (self.smooth_share, self.soft_share, self.enlarged_share, self.lossy_share)
        if not all(0 <= share <= 1 for share in shares):
            raise UsageError("--smooth-share, --soft-share, --enlarged-share and --lossy-share must lie in [0, 1]")
        if self.learning_rate <= 0 or self.max_minutes < 0:
            raise UsageError("--learning-rate must be above 0 and --max-minutes not below it")


def read_photograph(path: Path) -> Tensor:
    """Decode one photograph to (3, H, W) sRGB float32 in [0, 1]."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ReadError(f"{path}: not a readable image; remove it or convert it to PNG")
    return torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).permute(2, 0, 1).float() / 255


@dataclass(frozen=True)
class LabPhotograph:
    """A photograph to take crops from.

    Attributes:
        lab: (3, H, W) Lab in half precision: 6 bytes a pixel stay in memory, at a cost of at most 0.03 Lab units.
        losses: (H // 8 * W // 8,) running sum, from above 0 to 1, of the colour that interpolation from 1/8 loses in
            each square of 8 x 8 pixels.
    """

    lab: Tensor
    losses: np.ndarray

    @classmethod
    def from_lab(cls, lab: Tensor) -> LabPhotograph:
        """Measure where a photograph (3, H, W) in Lab loses colour; sides of at least 8."""
        height, width = (side // 8 * 8 for side in lab.shape[-2:])
        whole = lab[None, :, :height, :width].float()
        low = F.avg_pool2d(whole[:, 1:], 8)
        back = F.interpolate(low, scale_factor=8, mode="bilinear", align_corners=False)
        weight = lightness_gradient(whole[:, :1])
        lost = F.avg_pool2d(weight * (back - whole[:, 1:]).square().sum(1, keepdim=True), 8) + 1e-3
        running = lost.flatten().double().cumsum(0)
        return cls(lab.half(), (running / running[-1]).numpy())

    def place(self, side: int, lossy: bool, rng: np.random.Generator) -> tuple[int, int]:
        """Top and left of a square of a side: around a place where colour is lost, or anywhere."""
        sides = self.lab.shape[-2:]
        if not lossy:
            return int(rng.integers(sides[0] - side + 1)), int(rng.integers(sides[1] - side + 1))
        cell = int(np.searchsorted(self.losses, rng.random()))
        centre = divmod(cell, sides[1] // 8)
        corner = (8 * c + 4 - int(rng.integers(side // 4, side - side // 4)) for c in centre)
        top, left = (min(max(c, 0), whole - side) for c, whole in zip(corner, sides, strict=True))
        return top, left


def load_lab(paths: list[Path], crop: int) -> list[LabPhotograph]:
    """Read the photographs of at least `crop` pixels a side; converting once, not at every crop, halves the time."""
    photographs = []
    for path in tqdm(paths, desc="reading photographs", unit="photo"):
        rgb = read_photograph(path)
        if min(rgb.shape[-2:]) >= crop:
            photographs.append(LabPhotograph.from_lab(rgb_to_lab(rgb)))
    if not photographs:
        raise DataError(
            f"none of the {len(paths)} photographs has {crop} pixels a side; lower --crop or add larger ones"
        )
    return photographs


def random_crops(photographs: list[LabPhotograph], config: UpsamplerTraining, rng: np.random.Generator) -> Tensor:
    """(batch_size, 3, crop, crop) Lab float32: random photographs, places, flips and transpositions."""
    crops = []
    for index in rng.integers(len(photographs), size=config.batch_size):
        cut = round(config.crop / 2 ** rng.random()) if rng.random() < config.enlarged_share else config.crop
        top, left = photographs[index].place(cut, bool(rng.random() < config.lossy_share), rng)
        crop = photographs[index].lab[:, top : top + cut, left : left + cut]
        if cut != config.crop:
            size = (config.crop, config.crop)
            crop = F.interpolate(crop[None].float(), size=size, mode="bicubic", align_corners=False)[0]
        if rng.random() < 0.5:
            crop = crop.flip(-1)
        if rng.random() < 0.5:
            crop = crop.transpose(-1, -2)
        crops.append(crop.float())
    batch = torch.stack(crops)
    soft = torch.from_numpy(rng.random(len(crops)) < config.soft_share)
    if soft.any():
        batch[soft, 1:] = soften(batch[soft, 1:], halved=bool(rng.random() < 0.5))
    return batch


def soften(ab: Tensor, halved: bool) -> Tensor:
    """Ab as it comes back from a file that stores it at half size (`halved`), or blurred by a binomial 3 x 3."""
    if halved:
        return F.interpolate(F.avg_pool2d(ab, 2), scale_factor=2, mode="bilinear", align_corners=False)
    taps = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(taps, taps).expand(ab.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(ab, (1, 1, 1, 1), mode="replicate"), kernel, groups=ab.shape[1])


def degrade(ab: Tensor, rng: np.random.Generator) -> Tensor:
    """Blur ab and add a little noise: a colorization network's answer is smoother than the truth, and less exact."""
    noise = np.float32(rng.normal(scale=0.5, size=tuple(ab.shape)))
    return soften(ab, halved=False) + torch.from_numpy(noise)


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

    Args:
        step: the network.
        lab: (N, 3, H, W), sides multiples of 8.
        config: the run's options.
        rng: draws the octaves and the degradation.

    Returns:
        The loss at full size plus 0.3 of the loss at every octave on the way.
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


def train_steps(
    photographs: list[LabPhotograph],
    config: UpsamplerTraining,
    report: Callable[[int, float], None] | None = None,
    start: ChromaUpsampler | None = None,
) -> tuple[ChromaUpsampler, list[float]]:
    """Train on photographs in memory.

    Args:
        photographs: at least `config.crop` pixels a side each.
        config: the run's options.
        report: called after every step with the number of crops seen and the loss.
        start: weights to go on from, fresh ones when not given; its width and depth count, not the options'.

    Returns:
        The exponential moving average of the network, in evaluation mode, and the loss of every step.

    Raises:
        TrainingError: the loss is not finite.
    """
    rng = np.random.default_rng(config.seed)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = ChromaUpsampler(config.width, config.depth) if start is None else copy.deepcopy(start)
    network.train().requires_grad_(True)
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99))
    losses: list[float] = []
    for progress in _progress(config):
        count = len(losses) + 1
        rate = config.learning_rate * min(1.0, count / 30) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = recursive_loss(network, random_crops(photographs, config, rng), config, rng)
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss is {loss.item()} after {count} steps; take a smaller --learning-rate")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        decay = min(0.995, count / (count + 10))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        losses.append(loss.item())
        if report is not None:
            report(count * config.batch_size, losses[-1])
    return average.eval(), losses


def _progress(config: UpsamplerTraining) -> Iterator[float]:
    """Yield the share of the run that is done, by crops or by time, whichever is further on, until it is over."""
    started, steps = time.monotonic(), math.ceil(config.images / config.batch_size)
    for done in range(steps):
        progress = done / steps
        if config.max_minutes:
            progress = max(progress, (time.monotonic() - started) / 60 / config.max_minutes)
        if progress >= 1 and done:
            return
        yield min(progress, 1.0)


def train_upsampler(
    data: Path, config: UpsamplerTraining, start: ChromaUpsampler | None = None
) -> tuple[ChromaUpsampler, list[float]]:
    """Train the x2 chroma step on a folder of photographs (recursive), with a progress bar.

    Args:
        data: folder of photographs whose colour was not stored at half size (lossless, or reduced from larger ones).
        config: the run's options.
        start: weights to go on from.

    Returns:
        The trained network and the loss of every step.
    """
    photographs = load_lab(find_photo_files(data, is_training_name), config.crop)
    with tqdm(total=config.images, desc="training", unit="crop") as bar:

        def report(seen: int, loss: float) -> None:
            bar.update(min(seen, config.images) - bar.n)
            bar.set_postfix(loss=f"{loss:.1f}", refresh=False)

        return train_steps(photographs, config, report, start)


def save_upsampler(network: ChromaUpsampler, path: Path, command: str) -> None:
    """Write weights and what they say of themselves to a safetensors file, in float32.

    Args:
        network: the trained step.
        path: the file to write; its folder is made where it is missing.
        command: the training command, without paths of the machine.

    Raises:
        WriteError: the file cannot be written.
    """
    save_weights(path, network, model="chroma_upsampler", config=network.config, command=command, half=False)
