"""Colourfulness by Hasler and Suesstrunk, "Measuring colourfulness in natural images" (2003), and its distance."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.eight_bit import sum_of_squares, to_8bit_rgb
from chromagan.metrics.metric import Array, MeanMetric, Pair, PictureMetric
from chromagan.metrics.registry import register


def colourfulness(image: NDArray[np.generic]) -> float:
    """Hasler and Suesstrunk's measure M3, with signed opponent channels as they define them: 0 for gray.

    rg = R - G and yb = (R + G) / 2 - B; M3 = sqrt(var rg + var yb) + 0.3 sqrt(mean rg^2 + mean yb^2), where "mean" is
    the channel's mean, squared. About 39 over ImageNet photographs. Pictures are sRGB, (H, W) or (H, W, 3), uint8,
    uint16 or float in [0, 1], and rounded to 8 bits first; the measure is on the 0-255 scale.
    """
    return both_colourfulnesses(image)[0]


def absolute_colourfulness(image: NDArray[np.generic]) -> float:
    """The variant of recent colorization papers: the same formula over |rg| and |yb|.

    It is lower than `colourfulness` (about 36.6 where that gives 39.1), so the two never go under one name. Arguments
    and result as there.
    """
    return both_colourfulnesses(image)[1]


def both_colourfulnesses(image: NDArray[np.generic]) -> tuple[float, float]:
    """`colourfulness` and `absolute_colourfulness` at once; arguments as there. Sums are exact integers."""
    picture = to_8bit_rgb(image)
    red, green, blue = cv2.split(np.ascontiguousarray(picture))
    doubled = cv2.add(red, green, dtype=cv2.CV_16S)
    twice_blue = cv2.add(blue, blue, dtype=cv2.CV_16S)
    pixels = red.size
    totals = [cv2.sumElems(plane)[0] for plane in (red, green, blue)]
    # Of rg and of 2 yb: the sum, the sum of the absolute values, and the sum of the squares.
    rg = (totals[0] - totals[1], cv2.norm(red, green, cv2.NORM_L1), sum_of_squares(red, green))
    yb = (
        totals[0] + totals[1] - 2 * totals[2],
        cv2.norm(doubled, twice_blue, cv2.NORM_L1),
        sum_of_squares(doubled, twice_blue),
    )

    def measure(rg_sum: float, yb_sum: float) -> float:
        variance = (pixels * rg[2] - rg_sum**2) + (pixels * yb[2] - yb_sum**2) / 4
        return (math.sqrt(variance) + 0.3 * math.hypot(rg_sum, yb_sum / 2)) / pixels

    return measure(rg[0], yb[0]), measure(rg[1], yb[1])


def _difference(mean: Array, truth: Array) -> Array:
    return abs(mean - truth)


def _of_a_pair(pair: Pair) -> float:
    made, true = (shown.once(both_colourfulnesses)[0] for shown in (pair.picture, pair.truth))
    return abs(made - true)


_SIGNED = register(PictureMetric(
    name="colourfulness", label="Colourfulness", better="truth", place=70, needs_truth=False,
    about="Hasler and Suesstrunk's measure, signed opponents",
    compute=lambda pair: pair.picture.once(both_colourfulnesses)[0],
))  # fmt: skip
_ABSOLUTE = register(PictureMetric(
    name="colourfulness_absolute", label="Colourfulness, abs()", better="truth", place=71, needs_truth=False,
    about="the variant of recent papers, absolute opponents",
    compute=lambda pair: pair.picture.once(both_colourfulnesses)[1],
))  # fmt: skip
register(MeanMetric(
    name="delta_colourfulness", label="Δ colourfulness", better="lower", place=80,
    about="difference of the means of `colourfulness`", of=_SIGNED, formula=_difference,
))  # fmt: skip
register(MeanMetric(
    name="delta_colourfulness_absolute", label="Δ colourfulness, abs()", better="lower", place=81,
    about="difference of the means of `colourfulness_absolute`", of=_ABSOLUTE, formula=_difference,
))  # fmt: skip
register(PictureMetric(
    name="delta_colourfulness_per_image", label="Δ colourfulness an image", better="lower", place=82,
    about="mean of the images' differences of `colourfulness`", compute=_of_a_pair,
))  # fmt: skip
