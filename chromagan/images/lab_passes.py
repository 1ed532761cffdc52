"""Lab to sRGB as passes over the pixels of a tile: what `chromagan.images.join` does to a photo.

The same arithmetic as `chromagan.color.lab` and `chromagan.color.gamut`, laid out for speed: results go to buffers that
the caller owns, because memory that is asked for anew costs as much as the arithmetic, and tables replace roots. Beside
L, a and b stand f = Lab's curve of luminance (L = 116 f - 16), relative luminance Y, and chroma as a / 500 and b / 200.
Neutral is the gray axis of sRGB itself (its ab in Lab's rounded constants is below 0.005, not 0): no chroma is exactly
gray.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.color import curves

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8] | NDArray[np.uint16]

_STEPS = 65_535  # of light in the tables
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
_TO_LUMINANCE = np.array([[*(_LUMINANCE * _STEPS), 0.5]], np.float32)  # in steps; the half rounds what is cut off


class Lightness:
    """The lightness of photos in bands of up to so many pixels."""

    def __init__(self, pixels: int) -> None:
        self.three = np.empty((pixels, 3), np.float32)  # free for others between two calls
        self._one, self._steps = np.empty(pixels, np.float32), np.empty(pixels, np.uint16)

    def read(self, photo: Codes, out: Floats | NDArray[np.uint16]) -> None:
        """Lightness of an 8- or 16-bit photo.

        Args:
            photo: (H, W) gray or (H, W, 3) RGB.
            out: (H, W), float32 for L, uint16 for L in steps of 100 / 65,535.
        """
        levels = 256 if photo.dtype == np.uint8 else 65_536
        if photo.ndim == 2:
            cv2.LUT(np.ascontiguousarray(photo), _lightness_of_codes(levels, out.dtype), dst=out)
            return
        light, luminance, steps = self.three[: out.size], self._one[: out.size], self._steps[: out.size]
        cv2.LUT(np.ascontiguousarray(photo), light_of_codes(levels), dst=light.reshape(photo.shape))
        cv2.transform(light.reshape(photo.shape), _TO_LUMINANCE, dst=luminance.reshape(out.shape))
        np.copyto(steps, luminance, casting="unsafe")
        cv2.LUT(steps.reshape(out.shape), _lightness_of_light(out.dtype), dst=out)


@cache
def light_of_codes(levels: int) -> Floats:
    """Linear light of 256 or 65,536 sRGB codes."""
    return curves.srgb_to_linear(np.arange(levels) / (levels - 1)).astype(np.float32)


@cache
def _lightness_of_codes(levels: int, dtype: np.dtype[np.generic]) -> Codes | Floats:
    return _lightness(curves.srgb_to_linear(np.arange(levels) / (levels - 1)), dtype)


@cache
def _lightness_of_light(dtype: np.dtype[np.generic]) -> Codes | Floats:
    """L of the steps of luminance: half of a step is 0.02 of an 8-bit level in the darkest codes, less above."""
    return _lightness(np.arange(_STEPS + 1) / _STEPS, dtype)


def _lightness(light: NDArray[np.float64], dtype: np.dtype[np.generic]) -> Codes | Floats:
    L = curves.f_to_lightness(curves.lab_curve(light))
    return L.astype(np.float32) if dtype == np.float32 else np.rint(L.clip(0, 100) * (_STEPS / 100)).astype(np.uint16)


def lightness16(photo: NDArray[np.uint16], f: Floats, y: Floats, scratch: Floats) -> None:
    """Lab's f and relative luminance Y of a gray (H, W) or RGB (H, W, 3) photo, as (P,)."""
    if photo.ndim == 2:
        for table, out in zip(_curves16(), (f, y), strict=True):
            np.take(table, photo.ravel(), out=out, mode="clip")
        return
    y.fill(0)
    for channel, weight in enumerate(_LUMINANCE):
        np.take(light_of_codes(65_536), photo[..., channel].ravel(), out=scratch, mode="clip")
        np.multiply(scratch, np.float32(weight), out=scratch)
        np.add(y, scratch, out=y)
    np.power(np.maximum(y, _DARK, out=f), np.float32(1 / 3), out=f)
    dark = y <= _DARK
    if dark.any():
        np.copyto(f, y * np.float32(curves.LAB_SLOPE) + np.float32(curves.LAB_OFFSET), where=dark)
    uncurve(f, y, scratch)


@cache
def _curves16() -> tuple[Floats, Floats]:
    """Curve f of every gray code, and Y by way of it with the passes' own rounding: X - Y of gray is exactly 0."""
    f = curves.lab_curve(light_of_codes(65_536).astype(np.float64)).astype(np.float32)
    return f, uncurve(f, np.empty_like(f), np.empty_like(f))


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


def to_linear(f: Floats, y: Floats, chroma_x: Floats, chroma_z: Floats, buffers: list[Floats]) -> list[Floats]:
    """Linear RGB, in the last three of six buffers."""
    x, z, scratch, *rgb = buffers
    np.subtract(uncurve(np.add(f, chroma_x, out=rgb[0]), x, scratch), y, out=x)
    np.subtract(uncurve(np.subtract(f, chroma_z, out=rgb[0]), z, scratch), y, out=z)
    for plane, (from_x, from_z) in zip(rgb, _X_Z, strict=True):
        np.multiply(x, from_x, out=plane)
        np.multiply(z, from_z, out=scratch)
        np.add(plane, scratch, out=plane)
        np.add(plane, y, out=plane)
    return rgb


def outside(rgb: list[Floats], low: Floats, high: Floats) -> NDArray[np.int64]:
    """Indices of the pixels that sRGB cannot show."""
    np.minimum(np.minimum(rgb[0], rgb[1], out=low), rgb[2], out=low)
    np.maximum(np.maximum(rgb[0], rgb[1], out=high), rgb[2], out=high)
    if low.min() >= -_GAMUT_SLACK and high.max() <= 1 + _GAMUT_SLACK:
        return np.empty(0, np.int64)
    return np.flatnonzero((low < -_GAMUT_SLACK) | (high > 1 + _GAMUT_SLACK))


def fit(L: Floats, a: Floats, b: Floats) -> list[Floats]:
    """Linear RGB of gathered pixels with the largest share of their chroma that stays inside sRGB.

    At one lightness and hue the colours inside sRGB are one interval from gray outwards. Halving finds a bracket of its
    end and a chord the rest; a chord taken earlier misses by levels where a dark channel leaves.
    """
    f, y, chroma_x, chroma_z, share_x, share_z, *buffers = np.empty((12, L.size), np.float32)
    f_and_y(L, f, y, buffers[0])
    np.divide(a, 500, out=chroma_x)
    np.divide(b, 200, out=chroma_z)
    x, z, s, *rgb = buffers

    def excess(share: Floats) -> Floats:
        np.multiply(chroma_x, share, out=share_x)
        np.multiply(chroma_z, share, out=share_z)
        to_linear(f, y, share_x, share_z, buffers)
        np.maximum(np.maximum(rgb[0], rgb[1], out=x), rgb[2], out=x)
        np.minimum(np.minimum(rgb[0], rgb[1], out=z), rgb[2], out=z)
        return np.maximum(np.subtract(x, np.float32(1), out=x), np.negative(z, out=z), out=s)

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


def f_and_y(L: Floats, f: Floats, y: Floats, scratch: Floats) -> None:
    """Lab's f and relative luminance Y of L, one number or one a pixel."""
    np.copyto(f, curves.lightness_to_f(L))
    uncurve(f, y, scratch)


def encode8(plane: Floats, scratch: Floats) -> NDArray[np.uint8]:
    """8-bit sRGB codes of a linear channel, rounded; light outside [0, 1] is clipped."""
    np.multiply(plane, np.float32(_CODES), out=scratch)
    return np.take(_codes8(), scratch.astype(np.int64), mode="clip")


@cache
def _codes8() -> NDArray[np.uint8]:
    """The 8-bit sRGB code of linear light."""
    return np.rint(curves.linear_to_srgb((np.arange(_CODES) + 0.5) / _CODES) * 255).astype(np.uint8)


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
