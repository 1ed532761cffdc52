"""Lab to sRGB as passes over planes of numpy: what `chromagan.images.join` does to a tile of a photo.

The same arithmetic as `chromagan.color.lab` and `chromagan.color.gamut`, laid out for speed: planes are (P,) float32,
results go to buffers that the caller owns, tables replace roots where the input is an 8- or 16-bit code. Colours are
f = Lab's curve of luminance (L = 116 f - 16), relative luminance Y, and chroma as a / 500 and b / 200. Neutral is the
gray axis of sRGB itself (its ab in Lab's rounded constants is below 0.005, not 0): no chroma is exactly gray.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.color import curves

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8] | NDArray[np.uint16]

_CODES = 131_072  # entries of the sRGB code table: off by 0.013 of an 8-bit level in the darkest codes, less above
_GAMUT_SLACK = 2e-6  # linear light beyond [0, 1] that counts as inside: float32 rounding
_BISECTIONS = 11
# Lab's curve: a cube above the knee and its tangent below (constants as in `chromagan.color.curves`).
_KNEE, _STEEPNESS, _DARK = np.float32(curves.LAB_KNEE), np.float32(1 / curves.LAB_SLOPE), np.float32(curves.LAB_DARK)


def _primaries() -> NDArray[np.float64]:
    """XYZ relative to the gray axis, to linear RGB: each row sums to 1, so that equal X, Y and Z are exactly gray."""
    matrix = np.array(curves.RGB_TO_XYZ)
    return np.linalg.inv(matrix / matrix.sum(axis=1, keepdims=True))


# linear channel = Y + x * (X - Y) + z * (Z - Y)
_X_Z = [(np.float32(row[0]), np.float32(row[2])) for row in _primaries()]
_LUMINANCE = np.array(curves.RGB_TO_XYZ[1]) / sum(curves.RGB_TO_XYZ[1])
_LUMINANCE_STEPS = np.array([[*(_LUMINANCE * 65_535), 0.5]], np.float32)  # with what rounds when it is cut off


def uncurve(f: Floats, out: Floats, scratch: Floats) -> Floats:
    """Lab's inverse curve into `out`. Branch-free below the knee; exactly f*f*f above it."""
    if f.min() >= _KNEE:
        np.multiply(f, f, out=out)
        return np.multiply(out, f, out=out)
    high = np.maximum(f, _KNEE, out=scratch)
    np.multiply(high, high, out=out)
    np.multiply(out, high, out=out)
    low = np.minimum(f, _KNEE, out=scratch)
    np.subtract(low, _KNEE, out=low)
    np.multiply(low, _STEEPNESS, out=low)
    return np.add(out, low, out=out)


@dataclass(frozen=True)
class _Tables:
    light: Floats  # linear light of each code
    f: Floats  # Lab's curve of it
    luminance: Floats  # and back, with the passes' own rounding: a gray pixel then has X - Y exactly 0


@cache
def tables(levels: int) -> _Tables:
    """The tables of 256 or 65,536 sRGB codes."""
    light = curves.srgb_to_linear(np.arange(levels) / (levels - 1))
    f = curves.lab_curve(light).astype(np.float32)
    return _Tables(light.astype(np.float32), f, uncurve(f, np.empty_like(f), np.empty_like(f)))


@cache
def _codes8() -> NDArray[np.uint8]:
    """The 8-bit sRGB code of linear light."""
    return np.rint(curves.linear_to_srgb((np.arange(_CODES) + 0.5) / _CODES) * 255).astype(np.uint8)


def look_up(table: Floats, codes: Codes, out: Floats) -> None:
    """The table's entry of every 8- or 16-bit code."""
    if codes.dtype == np.uint8:
        cv2.LUT(np.ascontiguousarray(codes), table, dst=out.reshape(codes.shape))
    else:
        np.take(table, codes.ravel(), out=out, mode="clip")


def given_lightness(L: Floats, f: Floats, y: Floats, scratch: Floats) -> None:
    """Lab's f and relative luminance Y of L itself, one number or one a pixel."""
    np.copyto(f, curves.lightness_to_f(L).ravel())
    uncurve(f, y, scratch)


def lightness8(photo: NDArray[np.uint8], out: Floats, lab: Floats) -> None:
    """L of an 8-bit gray (H, W) or RGB (H, W, 3) photo into (H, W); (H, W, 3) `lab` is worked in."""
    if photo.ndim == 2:
        cv2.LUT(np.ascontiguousarray(photo), _lightness8(), dst=out)
        return
    cv2.LUT(np.ascontiguousarray(photo), tables(256).light, dst=lab)
    luminance = cv2.transform(lab, _LUMINANCE_STEPS)
    np.take(_lightness_of_luminance(), luminance.astype(np.uint16), out=out, mode="clip")


@cache
def _lightness_of_luminance() -> Floats:
    """L of 65,536 steps of luminance: half of a step is 0.02 of an 8-bit level in the darkest codes, less above."""
    return curves.f_to_lightness(curves.lab_curve(np.arange(65_536) / 65_535)).astype(np.float32)


@cache
def _lightness8() -> Floats:
    """L of the 256 gray codes."""
    return curves.f_to_lightness(tables(256).f)


def lightness_of(photo: Codes, f: Floats, y: Floats, scratch: Floats) -> None:
    """Lab's f and relative luminance Y of a gray (H, W) or RGB (H, W, 3) photo."""
    codes = tables(256 if photo.dtype == np.uint8 else 65_536)
    if photo.ndim == 2:
        look_up(codes.f, photo, f)
        look_up(codes.luminance, photo, y)
        return
    y.fill(0)
    for channel, weight in enumerate(_LUMINANCE):
        look_up(codes.light, photo[..., channel], scratch)
        np.multiply(scratch, np.float32(weight), out=scratch)
        np.add(y, scratch, out=y)
    np.power(np.maximum(y, _DARK, out=f), np.float32(1 / 3), out=f)
    dark = y <= _DARK
    if dark.any():
        np.copyto(f, y * np.float32(curves.LAB_SLOPE) + np.float32(curves.LAB_OFFSET), where=dark)
    uncurve(f, y, scratch)


def to_linear(f: Floats, y: Floats, chroma_x: Floats, chroma_z: Floats, buffers: list[Floats]) -> list[Floats]:
    """Linear RGB, in the last three of six buffers."""
    x, z, scratch, *rgb = buffers
    np.subtract(uncurve(np.add(f, chroma_x, out=rgb[0]), x, scratch), y, out=x)
    np.subtract(uncurve(np.subtract(f, chroma_z, out=rgb[0]), z, scratch), y, out=z)
    for channel, plane in enumerate(rgb):
        linear(y, x, z, channel, plane, scratch)
    return rgb


def linear(y: Floats, x: Floats, z: Floats, channel: int, out: Floats, scratch: Floats) -> Floats:
    """One linear channel of the differences x = X - Y and z = Z - Y."""
    from_x, from_z = _X_Z[channel]
    np.multiply(x, from_x, out=out)
    np.multiply(z, from_z, out=scratch)
    np.add(out, scratch, out=out)
    return np.add(out, y, out=out)


def outside(rgb: list[Floats], low: Floats, high: Floats) -> NDArray[np.int64] | None:
    """Indices of the pixels that sRGB cannot show, or None."""
    np.minimum(np.minimum(rgb[0], rgb[1], out=low), rgb[2], out=low)
    np.maximum(np.maximum(rgb[0], rgb[1], out=high), rgb[2], out=high)
    if low.min() >= -_GAMUT_SLACK and high.max() <= 1 + _GAMUT_SLACK:
        return None
    return np.flatnonzero((low < -_GAMUT_SLACK) | (high > 1 + _GAMUT_SLACK))


def fit(f: Floats, y: Floats, chroma_x: Floats, chroma_z: Floats) -> list[Floats]:
    """Linear RGB of gathered pixels with the largest share of their chroma that stays inside sRGB.

    At one lightness and hue the colours inside sRGB are one interval from gray outwards. Halving finds a bracket of its
    end and a chord the rest; a chord taken earlier misses by levels where a dark channel leaves.
    """
    buffers = list(np.empty((6, f.size), np.float32))
    x, z, s, *rgb = buffers
    chroma = np.empty((2, f.size), np.float32)

    def excess(share: Floats) -> Floats:
        np.multiply(chroma_x, share, out=chroma[0])
        np.multiply(chroma_z, share, out=chroma[1])
        to_linear(f, y, chroma[0], chroma[1], buffers)
        np.maximum(np.maximum(rgb[0], rgb[1], out=x), rgb[2], out=x)
        np.subtract(x, np.float32(1), out=x)
        np.minimum(np.minimum(rgb[0], rgb[1], out=z), rgb[2], out=z)
        return np.maximum(x, np.negative(z, out=z), out=s)

    low, high, step = np.zeros_like(f), np.empty_like(f), np.float32(1)
    for _ in range(_BISECTIONS):
        step *= np.float32(0.5)
        inside = excess(np.add(low, step, out=high)) <= 0
        np.add(low, step, out=low, where=inside)
    inner = np.minimum(excess(low), 0)
    outer = np.maximum(excess(np.add(low, step, out=high)), 0)
    low += step * (inner / np.minimum(inner - outer, -np.float32(1e-30)))
    excess(low)
    return rgb


def encode8(plane: Floats, scratch: Floats) -> NDArray[np.uint8]:
    """8-bit sRGB codes of a linear channel, rounded; light outside [0, 1] is clipped."""
    np.multiply(plane, np.float32(_CODES), out=scratch)
    return np.take(_codes8(), scratch.astype(np.int64), mode="clip")


def encode16(plane: Floats, scratch: Floats) -> NDArray[np.uint16]:
    """16-bit sRGB codes of a linear channel, rounded; light outside [0, 1] is clipped. Overwrites the channel."""
    np.clip(plane, 0, 1, out=plane)
    np.power(plane, np.float32(1 / curves.SRGB_GAMMA), out=scratch)
    np.multiply(scratch, np.float32(curves.SRGB_SCALE), out=scratch)
    np.subtract(scratch, np.float32(curves.SRGB_OFFSET), out=scratch)
    dark = plane <= np.float32(curves.SRGB_DARK)
    if dark.any():
        np.copyto(scratch, plane * np.float32(curves.SRGB_SLOPE), where=dark)
    np.multiply(scratch, np.float32(65_535), out=scratch)
    np.add(scratch, np.float32(0.5), out=scratch)
    return scratch.astype(np.uint16)
