"""Embedded colour profiles: what a photo says of its numbers, turned into sRGB; and the profiles of our outputs.

Gray profiles and RGB matrix profiles are computed here in floating point (littlecms through Pillow takes 8 bits only):
exact to the rounding of 8 or 16 bits. RGB profiles with a look-up table and CMYK profiles go through littlecms: 8 bits
directly; 16-bit RGB by interpolating a 52 x 52 x 52 table of 8-bit answers (about half an 8-bit level, a few levels
where the table bends: at the edge of sRGB's gamut and next to black).
"""

from __future__ import annotations

import io
import logging
import struct
from functools import lru_cache

import cv2
import numpy as np

from chromagan.color import curves

log = logging.getLogger(__name__)

_D50 = (0.9642, 1.0, 0.8249)
# sRGB primaries adapted to D50 (Bradford), as every sRGB profile holds them: columns red, green, blue.
SRGB_D50 = np.array([[0.436088, 0.385077, 0.143035], [0.222511, 0.716886, 0.060603], [0.013926, 0.09708, 0.713894]])
_PRIMARIES, _TONES = (b"rXYZ", b"gXYZ", b"bXYZ"), (b"rTRC", b"gTRC", b"bTRC")
_NODES = 52  # 255 = 51 x 5: nodes fall on 8-bit values
_BAND_PIXELS = 1 << 20


class _BrokenProfile(ValueError):
    """A profile whose tables cannot be read."""


def _encode(linear: np.ndarray) -> np.ndarray:
    """The sRGB tone curve on clipped linear light."""
    return curves.linear_to_srgb(np.clip(linear, 0, 1))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise _BrokenProfile("no ICC signature")
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        rows = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 200))]
    except struct.error as error:
        raise _BrokenProfile("its tag table is cut short") from error
    return {name: profile[at : at + size] for name, at, size in rows}


def _curve(tag: bytes, x: np.ndarray) -> np.ndarray:
    """A tone curve tag (curv or para) at `x` in [0, 1]."""
    try:
        if tag[:4] == b"curv":
            (count,) = struct.unpack_from(">I", tag, 8)
            if count == 0:
                return x
            table = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
            return x ** (table[0] / 256) if count == 1 else np.interp(x, np.linspace(0, 1, count), table / 65535)
        if tag[:4] == b"para":
            (kind,) = struct.unpack_from(">H", tag, 8)
            return _parametric(kind, np.array(struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)) / 65536, x)
    except (struct.error, IndexError, ValueError) as error:
        raise _BrokenProfile("a tone curve is cut short") from error
    raise _BrokenProfile("a tone curve is missing")


def _parametric(kind: int, p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The five parametric curves of ICC.1:2010, table 65."""
    a, b = (p[1], p[2]) if kind else (1.0, 0.0)
    power = np.maximum(a * x + b, 0) ** p[0]
    if kind < 3:
        return power + (p[3] if kind == 2 else 0)
    offset, tail = (p[5], p[6]) if kind == 4 else (0.0, 0.0)
    return np.where(x >= p[4], power + offset, p[3] * x + tail)


def _is_matrix(tags: dict[bytes, bytes]) -> bool:
    return b"A2B0" not in tags and {*_PRIMARIES, *_TONES} <= set(tags)


def _curves(tags: dict[bytes, bytes], x: np.ndarray) -> np.ndarray:
    return np.stack([_curve(tags[name], x) for name in _TONES])


def _matrix(tags: dict[bytes, bytes]) -> np.ndarray:
    """Linear profile RGB to linear sRGB."""
    try:
        columns = [np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in _PRIMARIES]
    except struct.error as error:
        raise _BrokenProfile("its primaries are cut short") from error
    return np.linalg.inv(SRGB_D50) @ np.stack(columns, axis=1)


@lru_cache(maxsize=8)
def _gray_table(profile: bytes, depth: int) -> np.ndarray:
    """sRGB-encoded value, uint8 or uint16, of each gray value under a gray or an RGB profile."""
    top = 2**depth - 1
    ramp = np.linspace(0, 1, top + 1)
    tags = _tags(profile)
    if profile[16:20] == b"GRAY":
        light = _curve(tags.get(b"kTRC", b""), ramp)
        if profile[20:24] == b"Lab ":
            light = curves.lab_uncurve(curves.lightness_to_f(100 * light))
        encoded = _encode(light)
    elif _is_matrix(tags):
        encoded = _encode(SRGB_D50[1] @ (_matrix(tags) @ _curves(tags, ramp)))
    else:
        answers = _littlecms(np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2), profile, "RGB")
        encoded = np.interp(ramp * 255, np.arange(256), answers[:, 0].mean(axis=-1) / 255)
    return np.rint(encoded * top).astype(np.uint8 if depth == 8 else np.uint16)


def _littlecms(pixels: np.ndarray, profile: bytes, mode: str) -> np.ndarray:
    """8-bit RGB or CMYK pixels through littlecms, a band of rows at a time."""
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(io.BytesIO(output_profile(gray=False)))
        # A finer table than littlecms takes by itself; matrix profiles are computed without one.
        flags = ImageCms.Flags.HIGHRESPRECALC
        transform = ImageCms.buildTransform(source, target, mode, "RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError) as error:
        raise _BrokenProfile(str(error)) from error
    out = np.empty((*pixels.shape[:2], 3), np.uint8)
    rows = max(1, _BAND_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        band = Image.fromarray(np.ascontiguousarray(pixels[top : top + rows]), mode)
        out[top : top + rows] = np.asarray(ImageCms.applyTransform(band, transform))
    return out


def _answers(profile: bytes, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """A grid of 8-bit colours, (nodes, nodes², 3) uint8 with r, g, b in this order, and what littlecms makes of it."""
    axis = np.linspace(0, 255, nodes).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(nodes, -1, 3)
    return grid, _littlecms(grid, profile, "RGB")


@lru_cache(maxsize=4)
def _cube(profile: bytes) -> np.ndarray:
    """(52, 52, 52, 3) float32 in [0, 1], index r, g, b."""
    return _answers(profile, _NODES)[1].reshape(_NODES, _NODES, _NODES, 3).astype(np.float32) / 255


def _through_cube(band: np.ndarray, cube: np.ndarray) -> np.ndarray:
    """Trilinear interpolation of uint16 RGB in a table; returns float32 in [0, 1]."""
    place = band.astype(np.float32) * ((_NODES - 1) / 65535)
    low = np.minimum(place.astype(np.intp), _NODES - 2)
    part = place - low
    out = np.zeros(band.shape, np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=-1, keepdims=True)
        r, g, b = (low[..., i] + corner[i] for i in range(3))
        out += weight * cube[r, g, b]
    return out


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes) -> bool:
    """Whether a profile leaves 8-bit colours where they are, within one level."""
    grid, answers = _answers(profile, 17)
    return int(np.abs(answers.astype(int) - grid).max()) <= 1


def _rgb16(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    tags, out = _tags(profile), np.empty_like(pixels)
    if _is_matrix(tags):
        tables = _curves(tags, np.linspace(0, 1, 65536)).astype(np.float32)
        matrix = _matrix(tags).astype(np.float32)
    rows = max(1, _BAND_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        band = pixels[top : top + rows]
        if _is_matrix(tags):
            encoded = _encode(np.stack([tables[i][band[..., i]] for i in range(3)], axis=-1) @ matrix.T)
        else:
            encoded = _through_cube(band, _cube(profile))
        out[top : top + rows] = np.rint(encoded * 65535)
    return out


def _cmyk_to_srgb(pixels: np.ndarray, profile: bytes | None) -> np.ndarray:
    """CMYK (0 = no ink) of 8 or 16 bits to RGB of the same depth, computed in 8 bits."""
    small = pixels if pixels.dtype == np.uint8 else cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if profile is not None:
        rgb = _littlecms(small, profile, "CMYK")
    else:
        ink = 255 - small.astype(np.uint16)
        rgb = ((ink[..., :3] * ink[..., 3:] + 127) // 255).astype(np.uint8)
    return rgb if pixels.dtype == np.uint8 else rgb.astype(np.uint16) * 257


def to_srgb(pixels: np.ndarray, profile: bytes | None, name: str = "photo") -> np.ndarray:
    """Turn pixels into sRGB as their embedded profile says.

    Args:
        pixels: (H, W) gray, (H, W, 3) RGB or (H, W, 4) CMYK (0 = no ink), uint8 or uint16.
        profile: ICC profile, or None: gray and RGB are sRGB already, CMYK is converted by the plain product of inks.
        name: the photo's name, for the log.

    Returns:
        (H, W) or (H, W, 3), dtype of the input, sRGB-encoded. A broken profile, or one for another kind of picture
        (gray for RGB), is left out with a warning in the log, as browsers do.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if profile is not None:
        try:
            space = profile[16:20]
            if channels == 1 and space in (b"GRAY", b"RGB "):
                return _gray(pixels, profile)
            if channels == 3 and space == b"RGB ":
                if _is_srgb(profile):
                    return pixels
                return _littlecms(pixels, profile, "RGB") if pixels.dtype == np.uint8 else _rgb16(pixels, profile)
            if channels == 4 and space == b"CMYK":
                return _cmyk_to_srgb(pixels, profile)
            raise _BrokenProfile(f"it is for {space.decode('latin-1').strip() or 'nothing'} data")
        except _BrokenProfile as error:
            log.warning("%s: the colour profile is left out: %s", name, error)
    return _cmyk_to_srgb(pixels, None) if channels == 4 else pixels


def _gray(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    depth = 8 if pixels.dtype == np.uint8 else 16
    table = _gray_table(profile, depth)
    if int(np.abs(_gray_table(profile, 8).astype(int) - np.arange(256)).max()) <= 1:
        return pixels  # sRGB's own curve
    return cv2.LUT(pixels, table) if depth == 8 else table[pixels]


def curve_tag(*values: float) -> bytes:
    """A parametric curve: one value is a gamma, five are those of ICC.1:2010's kind 3."""
    numbers = (round(value * 65536) for value in values)
    return struct.pack(f">4sIHH{len(values)}i", b"para", 0, 0 if len(values) == 1 else 3, 0, *numbers)


SRGB_CURVE = curve_tag(
    curves.SRGB_GAMMA, 1 / curves.SRGB_SCALE, curves.SRGB_OFFSET / curves.SRGB_SCALE, 1 / curves.SRGB_SLOPE,
    curves.SRGB_KNEE,
)  # fmt: skip


@lru_cache(maxsize=2)
def output_profile(gray: bool) -> bytes:
    """The profile of our outputs: sRGB, or gray with sRGB's tone curve; ICC 4.2, under 500 bytes, always the same."""
    return build_profile(b"sRGB gray", None, SRGB_CURVE) if gray else build_profile(b"sRGB", SRGB_D50, SRGB_CURVE)


def build_profile(words: bytes, columns: np.ndarray | None, curve: bytes) -> bytes:
    """A profile of one tone curve, for RGB whose primaries are `columns` (XYZ under D50), or for gray without them."""
    gray, wide = columns is None, words.decode().encode("utf-16-be")

    def xyz(*values: float) -> bytes:
        return struct.pack(">4sI3i", b"XYZ ", 0, *(round(v * 65536) for v in values))

    def text(value: bytes) -> bytes:
        return struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(value), 28) + value

    tags = [(b"desc", text(wide)), (b"cprt", text("CC0".encode("utf-16-be"))), (b"wtpt", xyz(*_D50))]
    if columns is None:
        tags.append((b"kTRC", curve))
    else:
        tags += [(name, xyz(*columns[:, i])) for i, name in enumerate(_PRIMARIES)]
        tags += [(name, curve) for name in _TONES]
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, value in tags:
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s6H4s", start + len(body), b"\x00" * 4, 0x04200000, b"mntr",
                         b"GRAY" if gray else b"RGB ", b"XYZ ", 2024, 1, 1, 0, 0, 0, b"acsp")  # fmt: skip
    header = header.ljust(68, b"\x00") + struct.pack(">3i", *(round(v * 65536) for v in _D50))
    return header.ljust(128, b"\x00") + struct.pack(">I", len(tags)) + table + body
