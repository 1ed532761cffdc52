"""Join a photo's own lightness with predicted chroma at full resolution: the hot path of colorizing.

The arithmetic is CIE Lab to sRGB, as passes of OpenCV and numpy (`chromagan.images.lab_passes`) over tiles that stay in
a core's cache: both release the interpreter lock, so a few plain threads share the photo and no pass goes through main
memory. Pixels whose colour sRGB cannot show at their lightness are gathered, fitted (less chroma, same hue) and put
back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.color.curves import f_to_lightness
from chromagan.errors import ModelError, UsageError
from chromagan.images.lab_passes import (
    Codes,
    Floats,
    Lightness,
    encode8,
    encode16,
    f_and_y,
    fit,
    lightness16,
    outside,
    to_linear,
)  # fmt: skip

# Pixels a pass works on: large enough that threads do not queue for the interpreter, small enough for the caches.
_TILE = 81_920
_BAND = 524_288  # pixels of one thread's task; bounds the chroma rows that are kept enlarged in width


@dataclass(frozen=True)
class _Taps:
    """Bicubic taps (a = -0.75, as OpenCV and torch) of every output row; pixel centres aligned, edges repeated."""

    rows: NDArray[np.int64]  # (H, 4) source rows
    weights: Floats  # (H, 4)

    @classmethod
    def between(cls, source: int, target: int) -> _Taps:
        if source == target:
            return cls(np.arange(target)[:, None], np.ones((target, 1), np.float32))
        centre = (np.arange(target) + 0.5) * (source / target) - 0.5
        first = np.floor(centre)
        x = np.abs(centre[:, None] - first[:, None] - np.arange(-1, 3))
        near = (1.25 * x - 2.25) * x * x + 1
        far = ((-0.75 * x + 3.75) * x - 6) * x + 3
        rows = first[:, None].astype(np.int64) + np.arange(-1, 3)
        return cls(rows.clip(0, source - 1), np.where(x <= 1, near, far).astype(np.float32))


class _Scratch:
    """What one band works in: buffers for the tile at hand, and the pixels that still have to be fitted."""

    def __init__(self, pixels: int) -> None:
        self.planes, self.lab = np.empty((3, pixels), np.float32), np.empty((pixels, 3), np.float32)
        self.lightness = Lightness(pixels)
        self.misfits: list[tuple[NDArray[np.int64], Floats]] = []
        self.pending = 0

    def defer(self, where: NDArray[np.int64], planes: tuple[Floats, ...], first: int) -> None:
        """Keep pixels for one fit of many: a call on the few of a tile costs more in overhead than in work."""
        if where.size:
            self.misfits.append((where + first, np.stack([plane.ravel()[where] for plane in planes])))
            self.pending += where.size


@dataclass(frozen=True)
class _Job:
    """One call's inputs and output."""

    pixels: Any
    out: Codes
    chroma: list[Floats]  # a and b, (h, w) each, no larger than the photo
    taps: _Taps
    L: Floats | None  # that stands in for the pixels' own: one a pixel, or one in all

    def band(self, top: int, bottom: int, rows: int) -> None:
        """Colour the rows from `top` to `bottom`, `rows` at a time."""
        width = self.out.shape[1]
        taps = self.taps.rows[top:bottom]
        first, last = int(taps.min()), int(taps.max()) + 1
        wide = [_widen(plane[first:last], width) for plane in self.chroma]
        scratch = _Scratch(rows * width)
        tile = self._tile8 if self.out.dtype == np.uint8 else self._tile16
        for start in range(top, bottom, rows):
            end = min(start + rows, bottom)
            L, a, b = scratch.planes[:, : (end - start) * width].reshape(3, -1, width)
            self._enlarge(wide, start, end, first, (a, b))
            tile(start, end, L, a, b, scratch)
            if scratch.pending > _TILE:
                self._fit(scratch)
        self._fit(scratch)

    def _tile8(self, top: int, bottom: int, L: Floats, a: Floats, b: Floats, scratch: _Scratch) -> None:
        """A tile of 8 bits: OpenCV's own conversion, within 0.02 of a level where sRGB can show the colour.

        It cuts off what it cannot show, which leaves 0 or 255 in a channel: those are looked at again.
        """
        out = self.out[top:bottom]
        if self.L is not None:
            np.copyto(L, self.L[top:bottom] if self.L.ndim else self.L)
        else:
            scratch.lightness.read(self.pixels[top:bottom], L)
        lab, rgb = (buffer[: L.size].reshape(out.shape) for buffer in (scratch.lab, scratch.lightness.three))
        cv2.merge([L, a, b], dst=lab)
        cv2.cvtColor(lab, cv2.COLOR_Lab2RGB, dst=rgb)
        cv2.convertScaleAbs(rgb, dst=out, alpha=255)
        where = np.flatnonzero(cv2.inRange(out, (1, 1, 1), (254, 254, 254)).ravel() == 0)
        if where.size == 0:
            return
        f, y, chroma_x, chroma_z, low, high, *buffers = np.empty((12, where.size), np.float32)
        f_and_y(L.ravel()[where], f, y, low)
        np.divide(a.ravel()[where], 500, out=chroma_x)
        np.divide(b.ravel()[where], 200, out=chroma_z)
        beyond = outside(to_linear(f, y, chroma_x, chroma_z, buffers), low, high)
        scratch.defer(where[beyond], (L, a, b), top * out.shape[1])

    def _tile16(self, top: int, bottom: int, L: Floats, a: Floats, b: Floats, scratch: _Scratch) -> None:
        """A tile of 16 bits, which OpenCV's tables are too coarse for."""
        out = self.out[top:bottom]
        f, y, chroma_x, chroma_z, low, high, *buffers = np.empty((12, L.size), np.float32)
        if self.L is None:
            lightness16(self.pixels[top:bottom], f, y, low)
        else:
            f_and_y(self.L, f, y, low)
        np.divide(a.ravel(), 500, out=chroma_x)
        np.divide(b.ravel(), 200, out=chroma_z)
        rgb = to_linear(f, y, chroma_x, chroma_z, buffers)
        np.copyto(L, f_to_lightness(f).reshape(L.shape))
        scratch.defer(outside(rgb, low, high), (L, a, b), top * out.shape[1])
        cv2.merge([encode16(plane, low).reshape(out.shape[:2]) for plane in rgb], dst=out)

    def _fit(self, scratch: _Scratch) -> None:
        """Write over the pixels that are outside sRGB with what they become inside."""
        if scratch.pending == 0:
            return
        where = np.concatenate([index for index, _ in scratch.misfits])
        lab = np.concatenate([planes for _, planes in scratch.misfits], axis=1)
        scratch.misfits, scratch.pending = [], 0
        encode = encode8 if self.out.dtype == np.uint8 else encode16
        flat = self.out.reshape(-1, 3)
        for start in range(0, where.size, _TILE):
            part = slice(start, start + _TILE)
            rgb = fit(*lab[:, part])
            flat[where[part]] = np.stack([encode(plane, np.empty_like(plane)) for plane in rgb], axis=-1)

    def _enlarge(self, wide: list[Floats], top: int, bottom: int, first: int, out: tuple[Floats, Floats]) -> None:
        """Bicubic in height: the weighted sum of the rows of `wide` that each output row needs."""
        rows, weights = self.taps.rows[top:bottom] - first, self.taps.weights[top:bottom]
        low, high = int(rows.min()), int(rows.max()) + 1
        dense = np.zeros((bottom - top, high - low), np.float32)
        for source, weight in zip((rows - low).T, weights.T, strict=True):  # two taps may be one row, at the edges
            dense[np.arange(bottom - top), source] += weight
        for plane, target in zip(wide, out, strict=True):
            if rows.shape[1] == 1:  # as many rows as the photo
                np.copyto(target, plane[low:high])
            else:  # not dot: BLAS starts threads of its own inside ours
                np.einsum("rk,kw->rw", dense, plane[low:high], out=target)


def _widen(rows: Floats, width: int) -> Floats:
    if rows.shape[1] == width:
        return rows
    wide = cv2.resize(rows, (width, rows.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide, np.float32).reshape(-1, width)


def _chroma(ab: Tensor | NDArray[np.generic], shape: tuple[int, int]) -> list[Floats]:
    """The two chroma planes in Lab units, no larger than the photo."""
    array = ab.detach().to("cpu", torch.float32).numpy() if isinstance(ab, Tensor) else np.asarray(ab, np.float32)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3 or array.shape[0] != 2 or 0 in array.shape:
        raise UsageError(f"chroma must have the shape (1, 2, h, w) or (2, h, w), not {tuple(array.shape)}")
    if not np.isfinite(array).all():
        raise ModelError("the predicted chroma is not finite: run the model in float32, or check its weights")
    height, width = min(array.shape[1], shape[0]), min(array.shape[2], shape[1])
    if (height, width) == array.shape[1:]:
        return list(np.ascontiguousarray(array))
    planes = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in array]
    return [np.asarray(plane, np.float32).reshape(height, width) for plane in planes]


def _check_target(out: Codes, pixels: Codes | Floats) -> None:
    fits = out.shape == (*pixels.shape[:2], 3) and (out.dtype == np.uint16) == (pixels.dtype == np.uint16)
    if not (fits and out.flags.c_contiguous and out.flags.writeable):
        raise UsageError("the array to write to must have the photo's size and depth, 3 channels, and be in one piece")


def join_chroma(
    pixels: Codes | Floats,
    ab: Tensor | NDArray[np.generic],
    lightness: float | None = None,
    threads: int | None = None,
    out: Codes | None = None,
) -> Codes:
    """Colour a photo: its own lightness at every pixel, with chroma from a grid that covers it.

    The chroma is enlarged bicubically (pixel centres aligned; a grid larger than the photo is averaged down), and where
    sRGB cannot show it at the pixel's lightness it gives way at equal hue. Lightness is that of the input
    within one level of the output's depth; ab = 0 gives a gray photo back unchanged. Memory beside input and output: a
    few megabytes a thread.

    Args:
        pixels: (H, W) gray or (H, W, 3) RGB, uint8 or uint16 sRGB. Of an RGB photo only the lightness is used. Or
            (H, W) float32, L itself in [0, 100].
        ab: (1, 2, h, w) or (2, h, w) chroma in Lab units.
        lightness: an L in [0, 100] that stands in for the photo's own at every pixel (for a colour layer).
        threads: how many threads share the work; `torch.get_num_threads()` unless given. The result does not depend
            on it.
        out: where to write; may be the RGB photo itself, whose pixels are then lost.

    Returns:
        (H, W, 3) RGB of the type of `pixels`; uint8 for L.

    Raises:
        UsageError: a type, shape or lightness that is not one of these.
        ModelError: chroma that is not finite.
    """
    if pixels.dtype not in (np.uint8, np.uint16) and (pixels.dtype, pixels.ndim) != (np.float32, 2):
        raise UsageError(f"a photo must be uint8 or uint16, or L as (H, W) float32, not {pixels.dtype}")
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or 0 in pixels.shape:
        raise UsageError(f"a photo must have the shape (H, W) or (H, W, 3), not {tuple(pixels.shape)}")
    if lightness is not None and not 0 <= lightness <= 100:
        raise UsageError(f"lightness must lie in [0, 100], not {lightness}")
    height, width = pixels.shape[:2]
    chroma = _chroma(ab, (height, width))
    fresh: Any = np.uint16 if pixels.dtype == np.uint16 else np.uint8
    made: Codes = np.empty((height, width, 3), fresh) if out is None else out
    _check_target(made, pixels)
    L = pixels.astype(np.float32, copy=False) if pixels.dtype == np.float32 else None
    if lightness is not None:
        L = np.asarray(lightness, np.float32)
    job = _Job(pixels, made, chroma, _Taps.between(len(chroma[0]), height), L)
    rows = min(height, max(1, _TILE // width))
    band = rows * max(1, _BAND // (rows * width))
    workers = min(threads or torch.get_num_threads(), -(-height // band))
    if workers > 1:
        tops = range(0, height, band)
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(lambda top: job.band(top, min(top + band, height), rows), tops):
                pass
    else:
        for top in range(0, height, band):
            job.band(top, min(top + band, height), rows)
    return made
