"""Peak signal-to-noise ratio over RGB, after rounding to 8 bits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.eight_bit import sum_of_squares, to_8bit_rgb
from chromagan.metrics.metric import Array, MeanMetric, Pair, PictureMetric
from chromagan.metrics.registry import register


def psnr(image: NDArray[np.generic], truth: NDArray[np.generic]) -> float:
    """PSNR of one picture: 10 log10(255^2 / MSE), the error taken over all pixels and the three channels.

    Args:
        image: sRGB, (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; rounded to 8 bits first.
        truth: the same size, any of these types.

    Returns:
        Decibels; infinity for identical pictures.

    Raises:
        ValueError: the sizes differ, or one of them is no picture.
    """
    return decibels(squared_error(image, truth), 3 * image.shape[0] * image.shape[1])


def squared_error(image: NDArray[np.generic], truth: NDArray[np.generic]) -> float:
    """The sum of the squared differences over all pixels and the three channels, in 8-bit codes: a whole number.

    Arguments and errors as for `psnr`.
    """
    image, truth = to_8bit_rgb(image), to_8bit_rgb(truth)
    if image.shape != truth.shape:
        raise ValueError(f"pictures of {image.shape[:2]} and {truth.shape[:2]} pixels have no PSNR")
    return float(sum_of_squares(image, truth))


def decibels(squares: float, count: float) -> float:
    """PSNR from a sum of squared errors over `count` numbers of peak 255; infinity for a sum of 0."""
    return math.inf if squares == 0 else 10 * math.log10(255**2 * count / squares)


def _pooled(mean: Array, truth: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(255**2 / mean))


def _squares(pair: Pair) -> float:
    return squared_error(pair.picture.pixels, pair.truth.pixels)


register(PictureMetric(
    name="psnr", label="PSNR", unit="dB", digits=3, better="higher", place=10,
    about="peak signal-to-noise ratio over 8-bit RGB",
    compute=lambda pair: decibels(pair.once(_squares), pair.truth.pixels.size),
))  # fmt: skip
register(MeanMetric(
    name="psnr_pooled", label="PSNR, pooled", unit="dB", digits=3, better="higher", place=11,
    about="peak signal-to-noise ratio of the errors of all pixels of all images",
    of=PictureMetric(
        name="mse", label="MSE", better="lower", by_pixels=True,
        compute=lambda pair: pair.once(_squares) / pair.truth.pixels.size,
    ),
    formula=_pooled,
))  # fmt: skip
