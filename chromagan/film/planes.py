"""Between a film's planes and Lab: lightness of its Y plane, and U and V planes for wished colours.

Y' is luma, a weighted sum of R', G' and B', and not lightness: two colours of one luma differ in L*. A film keeps its
Y plane, so the shown colour has the luma of the source, the wished a* and b*, and the L* that follows from these. On
photographs that is 1 to 2 units of L* from the gray of the same luma in the mean, and 27 for the blue of BT.709. RGB is
taken as sRGB whatever the matrix, as PyAV and most players show it.

Chroma that R'G'B' of [0, 1] cannot hold at its luma gives way; the hue stays (within a degree, a few about blue). How
much chroma there is, and how the lightness bends on the way there, stands in a table over luma and hue: one look a
sample, no search.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from chromagan.color import curves
from chromagan.errors import ModelError, UsageError
from chromagan.images.lab_passes import uncurve

Codes = NDArray[np.uint8] | NDArray[np.uint16]
Floats = NDArray[np.float32]

WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.6780, 0.0593)}
"""What R', G' and B' add to luma (ITU-R BT.601-7, BT.709-6, BT.2020-2, non-constant luminance)."""

_LUMAS, _HUES, _FINER, _HALVINGS = 129, 256, 4, 20  # nodes of the table, and how closely it looks between them
_SHARES = (0.6, 0.9, 1.0)  # of the most chroma, where a cubic through gray is met: most bends near the end
_EDGE = 48  # points on an edge of what can be shown at one luma
_NEAR = 0.8  # sigma of the guide's regression, in grid points
_SMOOTH = 30.0  # variance of luma, in hundredths squared, below which the guide counts for little: grain
_BAND = 20_480  # chroma samples that are worked on at a time
_TOP = 65_535
_TINY, _DARK = np.float32(1e-6), np.float32(curves.SRGB_DARK)
# XYZ relative to the gray axis to linear RGB: rows sum to 1, so that equal X, Y and Z are exactly gray.
_PRIMARIES = np.linalg.inv(np.array(curves.RGB_TO_XYZ) / np.array(curves.RGB_TO_XYZ).sum(axis=1, keepdims=True))
_X_Z = [(np.float32(row[0]), np.float32(row[2])) for row in _PRIMARIES]


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
        """A key of `WEIGHTS`."""


class Scale(NamedTuple):
    """code = black + span * Y', and neutral + chroma_span * Cb."""

    black: float
    span: float
    neutral: float
    chroma_span: float


def scale_of(picture: PictureFormat) -> Scale:
    """Codes of a picture's bits and range (ITU-T H.273, 8.3)."""
    unit, top = 2.0 ** (picture.bits - 8), 2.0**picture.bits - 1
    return Scale(0, top, 128 * unit, top) if picture.full_range else Scale(16 * unit, 219 * unit, 128 * unit, 224 * unit)


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


def chroma(luma: Codes, ab: Floats, picture: PictureFormat) -> tuple[Codes, Codes]:
    """U and V planes that show wished colours over a Y plane.

    Chroma is sited as in MPEG-2 and later: on the left column of its block, in the middle of its rows. The grid is
    enlarged under the luma: what of the colour goes with luma around a grid point goes with it between grid points
    (guided filter: He, Sun, Tang, PAMI 2013; coefficients on the grid alone: He, Sun, arXiv:1505.00996).

    Args:
        luma: (H, W) uint8, or uint16 for more than 8 bits; read only.
        ab: (2, h, w) a* and b* on a grid that covers the picture, not larger than it.
        picture: bits, subsampling, range and matrix.

    Returns:
        U and V, (ceil(H / 2^y), ceil(W / 2^x)) of the type of `luma`. No chroma gives the neutral code exactly.

    Raises:
        UsageError: a shape that is not one of these.
        ModelError: chroma that is not finite.
    """
    _check(luma, ab)
    (height, width), (x, y) = luma.shape, picture.shift
    shape = -(-height // (1 << y)), -(-width // (1 << x))
    u, v = np.empty(shape, luma.dtype), np.empty(shape, luma.dtype)
    grid = _Grid(luma, ab, picture)
    rows = max(1, _BAND // shape[1])
    for top in range(0, shape[0], rows):  # bands stay in a core's cache
        band = slice(top, min(top + rows, shape[0]))
        sites = _hundredths(_at_sites(luma[band.start << y : band.stop << y], picture.shift), grid.scale)
        cb, cr = _to_cb_cr(sites, *grid.at_sites(band, sites), picture.matrix)
        u[band], v[band] = (_encode(plane, grid.scale, picture.bits) for plane in (cb, cr))
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
        edges = (0, below, x - 1, x - 1 + beside)
        plane = np.asarray(cv2.copyMakeBorder(plane, *edges, cv2.BORDER_REPLICATE))
    rows = plane[::y].astype(np.float32)
    for row in range(1, y):
        rows += plane[row::y]
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
        reduced = cv2.resize(luma, ab.shape[:0:-1], interpolation=cv2.INTER_AREA)
        guide = _hundredths(np.asarray(reduced).reshape(ab.shape[1:]), self.scale)
        mean = _around(guide)
        variance = _around(guide * guide) - mean * mean + np.float32(_SMOOTH)
        slopes = [(_around(plane * guide) - _around(plane) * mean) / variance for plane in self.planes]
        rests = [plane - slope * guide for plane, slope in zip(self.planes, slopes, strict=True)]
        self.law = cv2.merge([*slopes, *rests])

    def at_sites(self, band: slice, luma: Floats) -> tuple[Floats, Floats]:
        """a and b at the chroma samples of some rows, whose luma is given."""
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
    return np.asarray(cv2.GaussianBlur(plane, (3, 3), _NEAR, borderType=cv2.BORDER_REPLICATE)).reshape(plane.shape)


def _to_cb_cr(luma: Floats, a: Floats, b: Floats, matrix: str) -> tuple[Floats, Floats]:
    """Cb and Cr in [-0.5, 0.5] of wished a and b at a luma in hundredths. Overwrites all three."""
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


def _encode(plane: Floats, scale: Scale, bits: int) -> Codes:
    kind = cv2.CV_8U if bits == 8 else cv2.CV_16U
    codes = np.asarray(cv2.addWeighted(plane, scale.chroma_span, plane, 0, scale.neutral, dtype=kind))
    return np.minimum(codes, 2**bits - 1, out=codes) if bits > 8 else codes

@cache
def _table(matrix: str) -> Floats:
    """Over luma (rows) and hue (columns, the first once more at the end): most chroma and a cubic for Cb; one for Cr.

    Returns:
        (lumas, hues + 1, 4) and (lumas, hues + 1, 3) float32.
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
    a, b = most * np.cos(hue), most * np.sin(hue)
    steps = np.array([_curve_at_luma(luma, share * a, share * b, weights) for share in _SHARES])
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
            if -1e-9 <= rgb[solved].min() and rgb[solved].max() <= 1 + 1e-9:
                points.append(rgb)
    return np.concatenate(points, axis=1).clip(0, 1)


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lab (3, P) of R'G'B' (3, P), gray without chroma."""
    x, y, z = curves.lab_curve(np.linalg.inv(_PRIMARIES) @ curves.srgb_to_linear(rgb))
    return np.stack([curves.f_to_lightness(y), 500 * (x - y), 200 * (y - z)])


def _curve_at_luma(
    luma: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64], weights: NDArray[np.float64]
) -> Floats:
    """Lab's f of the colours with a luma, a and b, all (lumas, hues): by halving, for luma grows with it."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    low, step = np.full_like(a, curves.LAB_OFFSET), np.float32(1)
    for _ in range(_HALVINGS):
        step /= 2
        rgb = _rgb(low + step, a, b)
        low += step * (sum(plane * np.float32(w) for plane, w in zip(rgb, weights, strict=True)) <= luma)
    return low
