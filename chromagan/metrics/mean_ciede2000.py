"""Mean CIEDE2000 of a picture, fast: the formula of `chromagan.metrics.ciede2000` without angles, in tiles.

Sharma, Wu, Dalal (2005) state the formula over hue angles. Here hues are directions: the difference of hue comes from
the cross product, the mean hue is the bisector, and its multiples follow from the formulas for double angles, so that
only additions, multiplications and roots are left, but for one exponential. Tiles keep its arrays in cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.lab_8bit import Planes

Array = NDArray[Any]  # float32 throughout
_TILE = 1 << 15
_25_TO_7 = np.float32(25.0**7)
_BLUE = math.radians(275)
_SPREAD = 1 / math.radians(25) ** 2
# Weight times cosine and sine of the phase of each multiple of the hue.
_COS1, _SIN1 = 0.17 * math.cos(math.radians(-30)), 0.17 * math.sin(math.radians(-30))
_COS3, _SIN3 = 0.32 * math.cos(math.radians(6)), 0.32 * math.sin(math.radians(6))
_COS4, _SIN4 = 0.20 * math.cos(math.radians(-63)), 0.20 * math.sin(math.radians(-63))


def mean_ciede2000(lab: Planes, truth: Planes) -> float:
    """The mean over the pixels of a picture.

    Two colours of exactly opposite hue have two bisectors; the formula's choice between them is not followed here. (It
    jumps there by itself, so rounding decides between them in any case.)

    Args:
        lab: L, a, b of the picture, each (H, W) float32.
        truth: of the same size.

    Returns:
        At least 0, and 0 for identical pictures; about 1 is just noticeable. Lower is better. Within 1e-3 of
        scikit-image's `deltaE_ciede2000` of the same pictures, averaged.

    Raises:
        ValueError: the sizes differ.
    """
    if any(plane.shape != lab[0].shape for plane in (*lab, *truth)):
        raise ValueError(f"Lab pictures of {lab[0].shape} and {truth[0].shape} pixels cannot be compared")
    flat = [np.ascontiguousarray(plane).reshape(-1) for plane in (*lab, *truth)]
    total = 0.0
    for start in range(0, flat[0].size, _TILE):
        tile = _differences(*(plane[start : start + _TILE] for plane in flat))
        total += float(tile.sum(dtype=np.float64))
    return total / flat[0].size


def _differences(l1: Array, a1: Array, b1: Array, l2: Array, a2: Array, b2: Array) -> Array:
    """CIEDE2000 of each pixel; arrays of equal length, not changed."""
    square_b1, square_b2 = b1 * b1, b2 * b2
    mean_c = np.sqrt(a1 * a1 + square_b1)
    mean_c += np.sqrt(a2 * a2 + square_b2)
    mean_c *= np.float32(0.5)
    stretch = np.float32(1.5) - np.float32(0.5) * _share_of_chroma(mean_c)  # 1 + G
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.sqrt(a1 * a1 + square_b1), np.sqrt(a2 * a2 + square_b2)

    product = c1 * c2
    dot = a1 * a2
    dot += b1 * b2
    cross = a1 * b2
    cross -= b1 * a2
    delta_hue = _delta_hue(product, dot, cross)

    # The bisector of the two hues; where one colour is gray it is the other's. The small number decides only there.
    cos = a1 * (c2 + np.float32(1e-10))
    cos += a2 * (c1 + np.float32(1e-10))
    sin = b1 * (c2 + np.float32(1e-10))
    sin += b2 * (c1 + np.float32(1e-10))
    norm = np.sqrt(cos * cos + sin * sin)
    norm += np.float32(1e-30)
    cos /= norm
    sin /= norm

    mean_c = (c1 + c2) * np.float32(0.5)
    rotation = _rotation(cos, sin, mean_c)
    # scaled_h, scaled_c, scaled_l
    delta_hue /= np.float32(1) + np.float32(0.015) * mean_c * _hue_weight(cos, sin)
    c2 -= c1
    c2 /= np.float32(1) + np.float32(0.045) * mean_c
    offset = (l1 + l2) * np.float32(0.5)
    offset -= np.float32(50)
    offset *= offset
    delta_l = l2 - l1
    delta_l /= np.float32(1) + np.float32(0.015) * offset / np.sqrt(offset + np.float32(20))
    rotation *= c2
    rotation *= delta_hue
    for part in (delta_l, c2, delta_hue):
        part *= part
        rotation += part
    np.maximum(rotation, np.float32(0), out=rotation)
    return np.asarray(np.sqrt(rotation, out=rotation))


def _share_of_chroma(chroma: Array) -> Array:
    """sqrt(C^7 / (C^7 + 25^7)), which is 1 - 2 G and half of R_C."""
    square = chroma * chroma
    power = square * square
    power *= square
    power *= chroma
    power /= power + _25_TO_7
    return np.asarray(np.sqrt(power, out=power))


def _delta_hue(product: Array, dot: Array, cross: Array) -> Array:
    """2 sqrt(c1 c2) sin(dh / 2) with its sign, where dot = c1 c2 cos dh and cross = c1 c2 sin dh.

    Below a right angle it is cross / sqrt((c1 c2 + dot) / 2), which loses nothing when the hues are close; beyond, the
    root of 2 (c1 c2 - dot), which loses nothing when they are opposite.
    """
    near = product + np.maximum(dot, np.float32(0))
    near *= np.float32(0.5)
    result = cross / np.sqrt(near + np.float32(1e-30))
    far = dot < 0
    if far.any():
        chosen = np.flatnonzero(far)
        length = np.sqrt(np.float32(2) * (product[chosen] - dot[chosen]))
        result[chosen] = np.copysign(length, cross[chosen])
    return result


def _hue_weight(cos: Array, sin: Array) -> Array:
    """T of the paper: 1 - 0.17 cos(h - 30) + 0.24 cos 2h + 0.32 cos(3h + 6) - 0.20 cos(4h - 63)."""
    cos2 = cos * cos
    cos2 *= np.float32(2)
    cos2 -= np.float32(1)
    sin2 = sin * cos
    sin2 *= np.float32(2)
    # cos 3h = cos (2 cos 2h - 1), sin 3h = sin (2 cos 2h + 1); cos 4h = 2 cos^2 2h - 1, sin 4h = 2 sin 2h cos 2h.
    total = np.float32(0.24) * cos2
    total += cos * (np.float32(2 * _COS3) * cos2 - np.float32(_COS3 + _COS1))
    total -= sin * (np.float32(2 * _SIN3) * cos2 + np.float32(_SIN3 - _SIN1))
    total -= cos2 * (np.float32(2 * _COS4) * cos2 - np.float32(2 * _SIN4) * sin2)
    total += np.float32(1 + _COS4)
    return total


def _rotation(cos: Array, sin: Array, mean_c: Array) -> Array:
    """R_T of the paper, -2 sqrt(C^7 / (C^7 + 25^7)) sin(60 exp(-((h - 275) / 25)^2)), angles in degrees.

    The square of the angle d between the hue and 275 degrees is a series in 1 - cos d; it is right to 1e-4 up to 60
    degrees, and beyond that nothing is left of the exponential.
    """
    gap = np.float32(-math.cos(_BLUE)) * cos
    gap -= np.float32(math.sin(_BLUE)) * sin
    gap += np.float32(1)
    series = gap * np.float32(16 / 1575)
    for coefficient in (1 / 35, 4 / 45, 1 / 3, 2):
        series += np.float32(coefficient)
        series *= gap
    series *= np.float32(-_SPREAD)
    angle = np.exp(series, out=series)
    angle *= np.float32(math.radians(60))
    turn = np.sin(angle, out=angle)
    turn *= _share_of_chroma(mean_c)
    turn *= np.float32(-2)
    return np.asarray(turn)
