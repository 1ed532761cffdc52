"""Structural similarity: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE TIP 13(4), 2004."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.metrics.metric import PictureMetric
from chromagan.metrics.registry import register

WINDOW, SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_KERNEL = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_32F)
_RADIUS = WINDOW // 2


def ssim(image: NDArray[np.generic], truth: NDArray[np.generic]) -> float:
    """Mean SSIM of one picture over 8-bit RGB, each channel by itself, the three averaged.

    Gaussian window of 11 x 11 and sigma 1.5, K1 = 0.01, K2 = 0.03, data range 255, population variances: the mean of
    ((2 ma mb + C1)(2 cov + C2)) / ((ma^2 + mb^2 + C1)(va + vb + C2)). It equals scikit-image's
    `structural_similarity` with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2,
    data_range=255` to 1e-4 (float32 here).

    Borders: only windows that lie wholly inside the picture count, as in the paper. Along a side shorter than the
    window (where scikit-image refuses) the picture is continued by its mirror image and every pixel counts.

    Args:
        image: sRGB, (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; rounded to 8 bits first.
        truth: the same size, any of these types.

    Returns:
        In [-1, 1]; exactly 1 for identical pictures. Higher is better.

    Raises:
        ValueError: the sizes differ, or one of them is no picture.
    """
    image, truth = to_8bit_rgb(image), to_8bit_rgb(truth)
    if image.shape != truth.shape:
        raise ValueError(f"pictures of {image.shape[:2]} and {truth.shape[:2]} pixels have no SSIM")
    height, width = image.shape[:2]
    # Sum s and difference d of the two need four blurs where the five moments of a and b need five, and less is lost
    # to cancellation: 4 cov = var s - var d, 2 (va + vb) = var s + var d. Centred on 0 for the same reason.
    total = cv2.add(image, truth, dtype=cv2.CV_32F) - np.float32(255)
    difference = cv2.subtract(image, truth, dtype=cv2.CV_32F)
    mean_s, mean_d = _blur(total), _blur(difference)
    var_s = _blur(cv2.multiply(total, total)) - mean_s * mean_s
    var_d = _blur(cv2.multiply(difference, difference)) - mean_d * mean_d
    mean_s += 255
    mean_s *= mean_s
    mean_d *= mean_d
    top = (mean_s - mean_d + np.float32(2 * _C1)) * (var_s - var_d + np.float32(2 * _C2))
    ratio = top / ((mean_s + mean_d + np.float32(2 * _C1)) * (var_s + var_d + np.float32(2 * _C2)))
    rows = slice(_RADIUS, height - _RADIUS) if height >= WINDOW else slice(None)
    columns = slice(_RADIUS, width - _RADIUS) if width >= WINDOW else slice(None)
    return float(ratio[rows, columns].mean(dtype=np.float64))


def _blur(plane: cv2.typing.MatLike) -> NDArray[np.float32]:
    blurred = cv2.sepFilter2D(plane, cv2.CV_32F, _KERNEL, _KERNEL, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32).reshape(plane.shape)


register(PictureMetric(
    name="ssim", label="SSIM", digits=4, better="higher", place=30, about="structural similarity over 8-bit RGB",
    compute=lambda pair: ssim(pair.picture.pixels, pair.truth.pixels),
))  # fmt: skip
