"""Cb and Cr of wished a* and b* at a given luma.

Chroma that R'G'B' of [0, 1] cannot hold at its luma gives way; the hue stays (within a degree, a few about blue). How
much chroma there is, and how the lightness bends on the way there, stands in a table over luma and hue: one look a
sample, no search. RGB is taken as sRGB whatever the matrix, as PyAV and most players show it.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from chromagan.color import curves
from chromagan.film.luma import WEIGHTS
from chromagan.images.lab_passes import uncurve

Floats = NDArray[np.float32]

_LUMAS, _HUES, _FINER, _HALVINGS = 129, 256, 4, 20  # nodes of the table, and how closely it looks between them
_SHARES = (0.6, 0.9, 1.0)  # of the most chroma, where a cubic through gray is met: most bends near the end
_EDGE = 48  # points on an edge of what can be shown at one luma
_TOP = 65_535
_TINY, _DARK = np.float32(1e-6), np.float32(curves.SRGB_DARK)
# XYZ relative to the gray axis to linear RGB: rows sum to 1, so that equal X, Y and Z are exactly gray.
_PRIMARIES = np.linalg.inv(np.array(curves.RGB_TO_XYZ) / np.array(curves.RGB_TO_XYZ).sum(axis=1, keepdims=True))
_X_Z = [(np.float32(row[0]), np.float32(row[2])) for row in _PRIMARIES]


def to_cb_cr(luma: Floats, a: Floats, b: Floats, matrix: str) -> tuple[Floats, Floats]:
    """Cb and Cr in [-0.5, 0.5] of wished a and b at a luma; all (H, W), overwritten.

    Args:
        luma: Y' in hundredths, [0, 100].
        a: a* in Lab units; no chroma at all gives exactly 0.
        b: b*.
        matrix: "bt601", "bt709" or "bt2020".
    """
    red_share, green_share, blue_share = (np.float32(weight) for weight in WEIGHTS[matrix])
    much, hue = cv2.cartToPolar(a, b)
    hue *= np.float32(_HUES / (2 * np.pi))
    rows = luma * np.float32((_LUMAS - 1) / 100)
    looked_up = cv2.remap(_table(matrix), hue, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    most, one, two, three = cv2.split(looked_up)
    most += _TINY
    much += _TINY
    fit = np.minimum(most / much, 1)
    a *= fit
    b *= fit
    # Lab's f: that of gray of this luma, and how far the colour's is from it.
    share = np.divide(np.minimum(most, much, out=much), most, out=much)
    f = three
    for coefficient in (two, one):
        f *= share
        f += coefficient
    f *= share
    luma *= np.float32(0.01)
    f += np.asarray(cv2.LUT((luma * np.float32(_TOP)).astype(np.uint16), _curve_of_gray()))
    red, green, blue = _rgb(f, a, b)
    # Its luma is off by a hair: what is on top of that is what is wished.
    own = red * red_share
    own += green * green_share
    own += blue * blue_share
    for plane in (red, green, blue):
        plane -= own
    # The table's most is generous: what is left over gives way here.
    low = np.subtract(_TINY, np.minimum(np.minimum(red, green), blue))
    high = np.add(_TINY, np.maximum(np.maximum(red, green), blue))
    inside = np.minimum(np.divide(luma, low, out=low), np.divide(1 - luma, high, out=high), out=low)
    np.minimum(inside, 1, out=inside)
    for plane, share in ((blue, blue_share), (red, red_share)):
        plane *= inside
        plane *= 1 / (2 * (1 - share))
    return blue, red


def _rgb(f: Floats, a: Floats, b: Floats) -> list[Floats]:
    """R', G' and B' of colours by Lab's f of their luminance, a and b; the curve goes on beyond [0, 1]."""
    x, z = f + a * np.float32(1 / 500), f - b * np.float32(1 / 200)
    x, y, z = (uncurve(plane, np.empty_like(plane), np.empty_like(plane)) for plane in (x, f, z))
    x -= y
    z -= y
    planes = []
    for from_x, from_z in _X_Z:
        light = x * from_x
        light += z * from_z
        light += y
        # A power above the knee and its tangent below.
        code = np.maximum(light, _DARK)
        np.power(code, np.float32(1 / curves.SRGB_GAMMA), out=code)
        code *= np.float32(curves.SRGB_SCALE)
        code -= np.float32(curves.SRGB_OFFSET)
        light -= _DARK
        np.minimum(light, 0, out=light)
        light *= np.float32(curves.SRGB_SLOPE)
        code += light
        planes.append(code)
    return planes


@cache
def _curve_of_gray() -> Floats:
    """Lab's f of gray codes in steps of 1 / 65,535."""
    return curves.lab_curve(curves.srgb_to_linear(np.arange(_TOP + 1) / _TOP)).astype(np.float32)


@cache
def _table(matrix: str) -> Floats:
    """What a look at luma (rows) and hue (columns, the first once more at the end) gives: (lumas, hues + 1, 4) float32.

    The most chroma, and a cubic over the share of it: how far Lab's f of the colour is from that of gray of its luma.
    """
    weights = np.array(WEIGHTS[matrix])
    fine = np.zeros(((_LUMAS - 1) * _FINER + 1, _HUES * _FINER))
    angles = np.arange(fine.shape[1]) * (2 * np.pi / fine.shape[1])
    for row in range(1, len(fine) - 1):
        a, b = _lab(_shown(weights, row / (len(fine) - 1)))[1:]
        fine[row] = np.interp(angles, np.arctan2(b, a), np.hypot(a, b), period=2 * np.pi)
    # The most within a node's reach: generous, so that no peak falls between nodes. None at black and white.
    near = maximum_filter(fine, 2 * _FINER + 1, mode=("nearest", "wrap"))[::_FINER, ::_FINER]
    most = np.pad(near, ((0, 0), (0, 1)), mode="wrap")
    most[[0, -1]] = 0
    luma, hue = np.linspace(0, 1, _LUMAS)[:, None], np.arange(_HUES + 1) * (2 * np.pi / _HUES)
    # A cubic without a constant through three shares of the most chroma.
    solve = np.linalg.inv(np.array([[share, share**2, share**3] for share in _SHARES]))
    a, b = (most * np.cos(hue)).astype(np.float32), (most * np.sin(hue)).astype(np.float32)
    steps = np.array([_curve_at_luma(luma.astype(np.float32), share * a, share * b, weights) for share in _SHARES])
    steps -= curves.lab_curve(curves.srgb_to_linear(luma))
    return np.concatenate([most[..., None], np.tensordot(steps, solve, (0, 1))], axis=-1).astype(np.float32)


def _shown(weights: NDArray[np.float64], luma: float) -> NDArray[np.float64]:
    """R'G'B' (3, P) around what can be shown at one luma: where that plane cuts the faces of the cube of [0, 1]."""
    points = []
    for fixed in range(3):
        along, solved = [channel for channel in range(3) if channel != fixed]
        for level in (0.0, 1.0):
            left = luma - weights[fixed] * level
            # The part of the edge inside the cube, from end to end.
            ends = ((left - weights[solved] * end) / weights[along] for end in (1, 0))
            low, high = (float(np.clip(end, 0, 1)) for end in ends)
            rgb = np.empty((3, _EDGE))
            rgb[fixed], rgb[along] = level, np.linspace(low, high, _EDGE)
            rgb[solved] = (left - weights[along] * rgb[along]) / weights[solved]
            if rgb[solved].min() >= -1e-9 and rgb[solved].max() <= 1 + 1e-9:
                points.append(rgb)
    return np.concatenate(points, axis=1).clip(0, 1)


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lab (3, P) of R'G'B' (3, P), gray without chroma."""
    x, y, z = curves.lab_curve(np.linalg.inv(_PRIMARIES) @ curves.srgb_to_linear(rgb))
    return np.stack([curves.f_to_lightness(y), 500 * (x - y), 200 * (y - z)])


def _curve_at_luma(luma: Floats, a: Floats, b: Floats, weights: NDArray[np.float64]) -> Floats:
    """Lab's f of the colours with a luma, a and b, all (lumas, hues): by halving, for luma grows with it."""
    low, step = np.full_like(a, curves.LAB_OFFSET), np.float32(1)
    for _ in range(_HALVINGS):
        step /= 2
        own = sum(plane * np.float32(share) for plane, share in zip(_rgb(low + step, a, b), weights, strict=True))
        low += step * (own <= luma)
    return low
