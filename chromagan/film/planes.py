"""Between a film's planes and Lab: lightness of its Y plane, and U and V planes for wished colours.

Y' is luma, a weighted sum of R', G' and B', and not lightness: two colours of one luma differ in L*. A film keeps its
Y plane, so the shown colour has the luma of the source, the wished a* and b*, and the L* that follows from these. On
photographs that is 1 to 2 units of L* from the gray of the same luma in the mean, and 27 for the blue of BT.709.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.color import curves
from chromagan.errors import ModelError, UsageError
from chromagan.film.at_luma import Floats, to_cb_cr

Codes = NDArray[np.uint8] | NDArray[np.uint16]

_NEAR = 0.8  # sigma of the guide's regression, in grid points
_SMOOTH = 30.0  # variance of luma, in hundredths squared, below which the guide counts for little: grain
_BAND = 65_536  # chroma samples that are worked on at a time: bounds the memory


class PictureFormat(Protocol):
    """What codes mean; a `Reel` is one."""

    @property
    def bits(self) -> int:
        """8 to 16, in the low bits of a code."""

    @property
    def shift(self) -> tuple[int, int]:
        """Log2 of the chroma subsampling, x and y; (1, 1) for 4:2:0."""

    @property
    def full_range(self) -> bool:
        """Whether codes use all values, or 16 to 235 and 16 to 240 of 8 bits."""

    @property
    def matrix(self) -> str:
        """One of "bt601", "bt709", "bt2020"."""


class Scale(NamedTuple):
    """code = black + span * Y', and neutral + chroma_span * Cb."""

    black: float
    span: float
    neutral: float
    chroma_span: float


def scale_of(picture: PictureFormat) -> Scale:
    """Codes of a picture's bits and range (ITU-T H.273, 8.3)."""
    return _scale(picture.bits, picture.full_range)


def _scale(bits: int, full_range: bool) -> Scale:
    unit, top = 2.0 ** (bits - 8), 2.0**bits - 1
    if full_range:
        return Scale(0, top, 128 * unit, top)
    return Scale(16 * unit, 219 * unit, 128 * unit, 224 * unit)


def lightness(luma: Codes, picture: PictureFormat, size: tuple[int, int] | None = None) -> Floats:
    """L* of a Y plane as a gray picture.

    Args:
        luma: (H, W) uint8, or uint16 for more than 8 bits.
        picture: bits and range.
        size: (h, w) to reduce to, by the mean of L over each area; the plane's own unless given.

    Returns:
        (h, w) in [0, 100].
    """
    table = _lightness_steps(_entries(luma), scale_of(picture))
    steps = np.asarray(cv2.LUT(np.ascontiguousarray(luma), table))
    if size is not None and steps.shape != size:
        steps = np.asarray(cv2.resize(steps, size[::-1], interpolation=cv2.INTER_AREA)).reshape(size)
    return np.multiply(steps, np.float32(100 / 65_535), dtype=np.float32)


def deepened(codes: Codes, picture: PictureFormat, bits: int) -> Codes:
    """The same plane in codes of more bits, from which its own come back by a shift to the right.

    Args:
        codes: (H, W) uint8 or uint16, in the picture's bits.
        picture: bits and range.
        bits: not fewer than those, at most twice as many.
    """
    up = bits - picture.bits
    if not up:
        return codes
    deep: NDArray[np.uint16] = np.left_shift(codes, up, dtype=np.uint16)
    if picture.full_range:  # there the highest code has to stay the highest
        deep |= codes >> (picture.bits - up)
    return deep


def chroma(luma: Codes, ab: Floats, picture: PictureFormat, bits: int | None = None) -> tuple[Codes, Codes]:
    """U and V planes that show wished colours over a Y plane.

    Chroma is sited as in MPEG-2 and later: on the left column of its block, in the middle of its rows. The grid is
    enlarged under the luma: what of the colour goes with luma around a grid point goes with it between grid points
    (guided filter: He, Sun, Tang, PAMI 2013; coefficients on the grid alone: He, Sun, arXiv:1505.00996).

    Args:
        luma: (H, W) uint8, or uint16 for more than 8 bits; read only.
        ab: (2, h, w) a* and b* on a grid that covers the picture, not larger than it.
        picture: bits, subsampling, range and matrix.
        bits: of U and V; those of the picture unless given.

    Returns:
        U and V, (ceil(H / 2^y), ceil(W / 2^x)) uint8, or uint16 for more than 8 bits. No chroma gives the neutral code
        exactly.

    Raises:
        UsageError: a shape that is not one of these.
        ModelError: chroma that is not finite.
    """
    _check(luma, ab)
    (height, width), (x, y) = luma.shape, picture.shift
    shape = -(-height // (1 << y)), -(-width // (1 << x))
    bits = bits or picture.bits
    u, v = (np.empty(shape, np.uint8 if bits <= 8 else np.uint16) for _ in range(2))
    grid, scale = _Grid(luma, ab, picture), _scale(bits, picture.full_range)
    rows = max(1, _BAND // shape[1])
    for top in range(0, shape[0], rows):
        band = slice(top, min(top + rows, shape[0]))
        sites = _hundredths(_at_sites(luma[band.start << y : band.stop << y], picture.shift), grid.scale)
        cb, cr = to_cb_cr(sites, *grid.at_sites(band, sites), picture.matrix)
        u[band], v[band] = (_encode(plane, scale, bits) for plane in (cb, cr))
    return u, v


def _check(luma: Codes, ab: Floats) -> None:
    if ab.ndim != 3 or ab.shape[0] != 2 or 0 in ab.shape or ab.shape[1] > luma.shape[0] or ab.shape[2] > luma.shape[1]:
        raise UsageError(f"chroma must have the shape (2, h, w), at most {luma.shape}, not {tuple(ab.shape)}")
    if not np.isfinite(ab).all():
        raise ModelError("the chroma of a frame is not finite: run the model in float32, or check its weights")


def _entries(luma: Codes) -> int:
    return 256 if luma.dtype == np.uint8 else 65_536


@cache
def _lightness_steps(entries: int, scale: Scale) -> NDArray[np.uint16]:
    """L of every code in steps of 100 / 65,535."""
    gray = ((np.arange(entries) - scale.black) / scale.span).clip(0, 1)
    L = curves.f_to_lightness(curves.lab_curve(curves.srgb_to_linear(gray)))
    return np.rint(L.clip(0, 100) * (65_535 / 100)).astype(np.uint16)


def _at_sites(plane: Codes | Floats, shift: tuple[int, int]) -> Floats:
    """The mean of a plane around each chroma sample: of its rows, and a tent over the columns around its own."""
    x, y = 1 << shift[0], 1 << shift[1]
    below, beside = -plane.shape[0] % y, -plane.shape[1] % x
    if below or x > 1:
        padded: Any = cv2.copyMakeBorder(plane, 0, below, x - 1, x - 1 + beside, cv2.BORDER_REPLICATE)
    else:
        padded = plane
    rows = padded[::y].astype(np.float32)
    for row in range(1, y):
        rows += padded[row::y]
    columns = (rows.shape[1] - 2 * (x - 1)) // x
    tent = (x - np.abs(np.arange(1 - x, x))) / (x * x * y)
    first, *others = (rows[:, tap : tap + columns * x : x] * np.float32(share) for tap, share in enumerate(tent))
    for other in others:
        first += other
    return first


def _hundredths(codes: Codes | Floats, scale: Scale) -> Floats:
    """Luma in [0, 100]."""
    luma = np.multiply(codes, np.float32(100 / scale.span), dtype=np.float32)
    luma -= np.float32(100 * scale.black / scale.span)
    return np.clip(luma, 0, 100, out=luma)


class _Grid:
    """The chroma grid of a frame, ready to be looked at from its chroma samples: a = rest + slope * luma."""

    def __init__(self, luma: Codes, ab: Floats, picture: PictureFormat) -> None:
        self.scale, self.shift, self.size = scale_of(picture), picture.shift, luma.shape
        self.planes = [np.ascontiguousarray(plane, np.float32) for plane in ab]
        self.whole = ab.shape[1:] == luma.shape
        if self.whole:
            return
        reduced: Any = cv2.resize(luma, ab.shape[:0:-1], interpolation=cv2.INTER_AREA)
        guide = _hundredths(reduced.reshape(ab.shape[1:]), self.scale)
        mean = _around(guide)
        variance = _around(guide * guide) - mean * mean + np.float32(_SMOOTH)
        slopes = [(_around(plane * guide) - _around(plane) * mean) / variance for plane in self.planes]
        rests = [plane - slope * guide for plane, slope in zip(self.planes, slopes, strict=True)]
        self.law = cv2.merge([*slopes, *rests])

    def at_sites(self, band: slice, luma: Floats) -> tuple[Floats, Floats]:
        """Wished a and b at the chroma samples of some rows, whose luma is given."""
        x, y = 1 << self.shift[0], 1 << self.shift[1]
        if self.whole:
            a, b = (_at_sites(plane[band.start * y : band.stop * y], self.shift) for plane in self.planes)
            return a, b
        # Where a chroma sample lies on the grid: columns from the left of a block, rows from its middle.
        down, across = (have / full for have, full in zip(self.law.shape, self.size, strict=False))
        where = np.array([[across * x, 0, across / 2 - 0.5], [0, down * y, down * y * (band.start + 0.5) - 0.5]])
        wide = cv2.warpAffine(
            self.law, where, luma.shape[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        slope_a, slope_b, rest_a, rest_b = cv2.split(wide)
        return rest_a + slope_a * luma, rest_b + slope_b * luma


def _around(plane: Floats) -> Floats:
    blurred = cv2.GaussianBlur(plane, (3, 3), _NEAR, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32).reshape(plane.shape)


def _encode(plane: Floats, scale: Scale, bits: int) -> Codes:
    kind = cv2.CV_8U if bits == 8 else cv2.CV_16U
    codes: Any = cv2.addWeighted(plane, scale.chroma_span, plane, 0, scale.neutral, dtype=kind)
    return codes if bits == 8 else np.minimum(codes, 2**bits - 1, out=codes)
