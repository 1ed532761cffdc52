"""Errors of the two colour channels of one picture, in Lab units, and the metrics that are made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.eight_bit import Planes, lab_of_8bit
from chromagan.metrics.metric import MeanMetric, Pair, PictureMetric
from chromagan.metrics.registry import register

LARGEST_THRESHOLD = 150
AB_PEAK = 255.0
"""Range that `ab_psnr` takes for the peak: that of 8-bit Lab, whose steps are Lab units (a + 128)."""


@dataclass(frozen=True)
class AbErrors:
    """What one picture's colours are off by."""

    mse: float
    auc: float

    @property
    def psnr(self) -> float:
        """10 log10(255^2 / MSE) over a and b alone, in decibels; infinite for equal colours."""
        return math.inf if self.mse == 0 else 10 * math.log10(AB_PEAK**2 / self.mse)


def ab_errors(lab: Planes, truth: Planes) -> AbErrors:
    """Compare the colours of two pictures of L, a, b, each (H, W) float32; lightness does not count.

    The curve is that of Zhang, Isola, Efros, "Colorful image colorization" (ECCV 2016): the share of the pixels whose
    ab lies within a distance t of the truth, averaged over t = 0, 1, ..., 150. All pixels count alike (the paper's "raw
    accuracy"; its class-rebalanced variant weights them by the rarity of their colour). So `auc` lies in [0, 1] and is
    1 for equal colours.

    Raises:
        ValueError: the sizes differ.
    """
    if lab[1].shape != truth[1].shape:
        raise ValueError(f"Lab pictures of {lab[1].shape} and {truth[1].shape} pixels cannot be compared")
    squares: NDArray[np.float32] = lab[1] - truth[1]
    squares *= squares
    other = lab[2] - truth[2]
    other *= other
    squares += other
    mse = float(squares.mean(dtype=np.float64)) / 2
    # A pixel at distance d is within ceil(d), ..., 150: 151 - ceil(d) thresholds, none beyond 150.
    np.sqrt(squares, out=squares)
    np.ceil(squares, out=squares)
    np.minimum(squares, np.float32(LARGEST_THRESHOLD + 1), out=squares)
    return AbErrors(mse, 1 - float(squares.mean(dtype=np.float64)) / (LARGEST_THRESHOLD + 1))


def ab_errors_of(pair: Pair) -> AbErrors:
    """The errors of a pair, for `Pair.once`."""
    return ab_errors(pair.picture.once(lab_of_8bit), pair.truth.once(lab_of_8bit))


_MSE = register(PictureMetric(
    name="ab_mse", label="MSE of ab", better="lower", place=50, about="mean squared error of a and b in Lab units",
    compute=lambda pair: pair.once(ab_errors_of).mse,
))  # fmt: skip
register(MeanMetric(
    name="ab_rmse", label="RMSE of ab", better="lower", place=51, about="root of the mean of `ab_mse`",
    of=_MSE, formula=lambda mean, truth: np.sqrt(mean),
))  # fmt: skip
register(PictureMetric(
    name="psnr_ab", label="PSNR of ab", unit="dB", digits=3, better="higher", place=20,
    about="peak signal-to-noise ratio of a and b alone, peak 255",
    compute=lambda pair: pair.once(ab_errors_of).psnr,
))  # fmt: skip
register(PictureMetric(
    name="auc_ab", label="AuC of ab errors", digits=4, better="higher", place=60,
    about="share of pixels whose colour is within a distance of the truth's, over distances of 0 to 150",
    compute=lambda pair: pair.once(ab_errors_of).auc,
))  # fmt: skip
