"""The tone curve of sRGB, the curve of CIE Lab, white point and matrix: once, for PyTorch and for NumPy.

The constants are those of scikit-image (and so of most of the field): white (0.95047, 1, 1.08883), the sRGB matrix of
IEC 61966-2-1 rounded to six digits, threshold 0.008856 with slope 7.787. PyTorch is not imported for arrays: a photo
that cannot be read does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

WHITE = (0.95047, 1.0, 1.08883)
RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
XYZ_TO_RGB: list[list[float]] = np.linalg.inv(np.array(RGB_TO_XYZ)).tolist()

# code = SRGB_SCALE light^(1 / SRGB_GAMMA) - SRGB_OFFSET, and SRGB_SLOPE light up to SRGB_DARK, whose code is SRGB_KNEE
SRGB_GAMMA, SRGB_SCALE, SRGB_OFFSET, SRGB_SLOPE, SRGB_KNEE, SRGB_DARK = 2.4, 1.055, 0.055, 12.92, 0.04045, 0.0031308
# f = t^(1/3), and LAB_SLOPE t + LAB_OFFSET up to LAB_DARK, whose f is LAB_KNEE
LAB_DARK, LAB_SLOPE, LAB_OFFSET, LAB_KNEE = 0.008856, 7.787, 16 / 116, 0.2068966
LIGHTNESS_SCALE, LIGHTNESS_OFFSET = 116, 16  # L = 116 f - 16

Numbers = TypeVar("Numbers", "Tensor", np.ndarray)
Lightness = TypeVar("Lightness", float, "Tensor", np.ndarray)


def srgb_to_linear(codes: Numbers) -> Numbers:
    """Undo the sRGB transfer curve; any shape, values in [0, 1]."""
    of = _library(codes)
    # The clamps here and below keep the branch that is not taken away from 0, where the power's gradient is infinite.
    high = ((of.clip(codes, SRGB_KNEE, None) + SRGB_OFFSET) / SRGB_SCALE) ** SRGB_GAMMA
    return of.where(codes > SRGB_KNEE, high, codes / SRGB_SLOPE)


def linear_to_srgb(light: Numbers) -> Numbers:
    """Apply the sRGB transfer curve; any shape. Values below 0 stay on the linear segment."""
    of = _library(light)
    high = SRGB_SCALE * of.clip(light, SRGB_DARK, None) ** (1 / SRGB_GAMMA) - SRGB_OFFSET
    return of.where(light > SRGB_DARK, high, light * SRGB_SLOPE)


def lab_curve(t: Numbers) -> Numbers:
    """Lab's f of X, Y or Z relative to white; any shape."""
    of = _library(t)
    return of.where(t > LAB_DARK, of.clip(t, LAB_DARK, None) ** (1 / 3), LAB_SLOPE * t + LAB_OFFSET)


def lab_uncurve(f: Numbers) -> Numbers:
    """X, Y or Z relative to white of Lab's f; any shape."""
    return _library(f).where(f > LAB_KNEE, f**3, (f - LAB_OFFSET) / LAB_SLOPE)


def f_to_lightness(f: Lightness) -> Lightness:
    """L* in [0, 100] of Lab's f of the luminance; any shape."""
    return LIGHTNESS_SCALE * f - LIGHTNESS_OFFSET


def lightness_to_f(L: Lightness) -> Lightness:
    """Lab's f of the luminance of L* in [0, 100]; any shape."""
    return (L + LIGHTNESS_OFFSET) / LIGHTNESS_SCALE


def _library(numbers: Tensor | np.ndarray) -> Any:
    if isinstance(numbers, np.ndarray):
        return np
    import torch

    return torch
