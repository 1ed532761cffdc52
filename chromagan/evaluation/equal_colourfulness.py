"""PSNR of a network at a given colourfulness, so that a shy network and a bold one can stand in one column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.evaluation.held_out import deal_batches
from chromagan.inference.stages import Walk, paint_walks
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.psnr import psnr
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look

Pixels = NDArray[np.uint8]
LARGEST_FACTOR = 6.0
_TOLERANCE = 1e-3  # of the factor


def psnr_at_colourfulness(
    network: ColorizationNetwork, photos: Sequence[Tensor], target: float, device: torch.device | str = "cpu"
) -> tuple[float, float]:
    """Scale a network's chroma by one factor for all photos, so that their mean colourfulness is `target`.

    Squared error rewards answers near gray, so of two networks the paler one wins in plain PSNR whatever it knows.
    Photos are the truths, each (3, H, W) uint8 sRGB; colourfulness is Hasler and Suesstrunk's, signed. The network is
    in evaluation mode, on `device`.

    Returns:
        The mean PSNR in dB over the photos for which it is finite, and the factor. Both are NaN where no factor up to
        `LARGEST_FACTOR` reaches the target.

    Raises:
        ValueError: no photos, or a target that is not above 0.
    """
    if not photos or target <= 0:
        raise ValueError("give photos, and a target above 0")
    answers: list[tuple[Tensor, Walk]] = []
    for numbers in deal_batches([(photo.shape[1], photo.shape[2]) for photo in photos]):
        truth = torch.stack([photos[number] for number in numbers])
        L = rgb_to_lab(truth.to(device).float() / 255)[:, :1]
        answers += zip(truth, paint_walks(network, L, look=Look(size=min(L.shape[2:]))), strict=True)

    def excess(factor: float) -> float:
        found = [colourfulness(made) for made, _ in _pictures(answers, factor)]
        return math.fsum(found) / len(found) - target

    if excess(LARGEST_FACTOR) < 0:
        return math.nan, math.nan
    factor = float(brentq(excess, 0.0, LARGEST_FACTOR, xtol=_TOLERANCE))
    decibels = [value for value in (psnr(*pair) for pair in _pictures(answers, factor)) if math.isfinite(value)]
    return (math.fsum(decibels) / len(decibels) if decibels else math.nan), factor


def _pictures(answers: Sequence[tuple[Tensor, Walk]], factor: float) -> Iterator[tuple[Pixels, Pixels]]:
    """Pairs of (H, W, 3) uint8: the colorized photo and its truth."""
    for truth, walk in answers:
        yield walk.coloured(factor).end(), truth.permute(1, 2, 0).contiguous().numpy()
