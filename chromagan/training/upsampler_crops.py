"""Options and crops, of photographs in colour, for the training of the learned x2 chroma step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from chromagan.color.lab import rgb_to_lab
from chromagan.data.decode import decode_photo
from chromagan.data.source import PhotoSource
from chromagan.errors import DataError, ReadError, UsageError
from chromagan.evaluation.chroma_edges import lightness_gradient
from chromagan.options import Section, at_least, option, within

_SHARE = within(0, 1)


@dataclass(frozen=True)
class UpsamplerTraining(Section):
    """One training run of the learned x2 chroma step.

    The learning rate falls to 0 by `max_minutes`. Crops are softened as cameras, film and JPEG store ab, and enlarged
    by up to two, L and ab alike.
    """

    command: ClassVar[str] = "chromagan train-upsampler"

    width: int = option(32, "channels of the network", at_least(1))
    depth: int = option(3, "hidden convolutions of the network", at_least(0))
    images: int = option(120_000, "crops to train on in all", at_least(1))
    max_minutes: float = option(0.0, "end after this time, 0 for no limit", at_least(0))
    batch_size: int = option(4, "crops a step", at_least(1))
    crop: int = option(96, "side of a crop in pixels", at_least(16))
    learning_rate: float = option(4e-3, "at the start of the cosine", lambda rate: rate > 0)
    edge_weight: float = option(6.0, "how much more errors at edges count")
    smooth_share: float = option(0.1, "share of the batches that start from a blurred, noisy ab", _SHARE)
    soft_share: float = option(0.5, "share of the crops whose true ab is softened", _SHARE)
    enlarged_share: float = option(0.5, "share of the crops that are enlarged, as soft as a scan of film", _SHARE)
    lossy_share: float = option(0.7, "share of the crops drawn where interpolation loses most colour", _SHARE)
    seed: int = option(0, "of weights and crops")

    def check(self) -> None:
        """Refuse a crop that cannot be reduced to 1/8."""
        if self.crop % 8:
            raise UsageError(f"--crop must be a multiple of 8 and at least 16, not {self.crop}")


@dataclass(frozen=True)
class UpsamplerRunOptions(Section):
    """All that decides what such a run computes: kept in its folder, so that two runs are not mixed."""

    training: UpsamplerTraining = field(default_factory=UpsamplerTraining)
    data: str = option("", "folder of the photographs")
    init: str = option("", "weights to go on from")


def read_photograph(path: Path) -> Tensor:
    """Decode one photograph to (3, H, W) sRGB float32 in [0, 1]."""
    rgb = decode_photo(PhotoSource(str(path), str(path)))
    if rgb is None:
        raise ReadError(f"{path}: not a readable image; remove it or convert it to PNG")
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


@dataclass(frozen=True)
class LabPhotograph:
    """A photograph to take crops from."""

    lab: Tensor  # (3, H, W) in half precision: 6 bytes a pixel stay in memory, at a cost of at most 0.03 Lab units
    # (H // 8 * W // 8,) running sum, to 1, of the colour that interpolation from 1/8 loses in each square of 8 pixels
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


def random_crops(photographs: Sequence[LabPhotograph], config: UpsamplerTraining, rng: np.random.Generator) -> Tensor:
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
