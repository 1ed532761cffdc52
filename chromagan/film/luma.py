"""The Y plane of a decoded frame, as it is; of RGB it is computed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chromagan.film.library import av

# Packed formats: (bytes of one sample of Y, of one step to the next, of what stands before the first).
_PACKED = {
    "yuyv422": (1, 2, 0), "yvyu422": (1, 2, 0), "uyvy422": (1, 2, 1), "ya8": (1, 2, 0), "ya16le": (2, 4, 0),
    "ya16be": (2, 4, 0), "y210le": (2, 4, 0), "y212le": (2, 4, 0),
}  # fmt: skip
# Their samples stand in the high bits.
_HIGH = ("p010", "p012", "p016", "p210", "p212", "p216", "p410", "p412", "p416", "y210", "y212")

# How much of R, G and B is in Y.
WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.678, 0.0593)}


def is_rgb(format: av.VideoFormat) -> bool:
    """Whether Y has to be computed: RGB, palettes, one bit a pixel."""
    return bool(format.is_rgb or format.has_palette or format.is_bit_stream)


def is_known(format: av.VideoFormat) -> bool:
    """Whether `luma_of` reads it."""
    if format.name.startswith(("bayer", "xyz")) or not format.components:
        return False
    if is_rgb(format) or format.name in _PACKED:
        return True
    first, *others = format.components
    return first.is_luma and first.plane == 0 and all(other.plane > 0 for other in others)


def bits_of(format: av.VideoFormat) -> int:
    """Bits of a sample of Y; of RGB with more than 8, Y is computed in 10."""
    bits = max(component.bits for component in format.components)
    return (8 if bits <= 8 else 10) if is_rgb(format) else bits


def luma_of(frame: av.VideoFrame, matrix: str) -> NDArray[Any]:
    """The Y plane of a frame, a copy.

    Args:
        frame: of any format that `is_known`.
        matrix: "bt601", "bt709" or "bt2020": how Y is computed of RGB, in full range.

    Returns:
        (H, W) uint8, or uint16 with the sample in the low bits.
    """
    if is_rgb(frame.format):
        return _computed(frame, matrix)
    name = frame.format.name
    component = frame.format.components[0]
    size, step, skip = _PACKED.get(name, (1 if component.bits <= 8 else 2,) * 2 + (0,))
    rows = _rows(frame, 0)
    width = frame.width
    rows = rows[:, skip : skip + (width - 1) * step + size]
    if size == 1:
        return rows[:, ::step].copy()
    order = ">u2" if frame.format.is_big_endian else "<u2"
    samples = np.ascontiguousarray(rows).view(order)[:, :: step // size].astype(np.uint16)
    return samples >> np.uint16(16 - component.bits) if name.startswith(_HIGH) else samples


def _rows(frame: av.VideoFrame, plane: int) -> NDArray[np.uint8]:
    """(H, bytes of a line) of a plane, from the top down."""
    pane: Any = frame.planes[plane]
    line = pane.line_size
    rows = np.frombuffer(pane, np.uint8).reshape(-1, abs(line))[: pane.height]
    return rows if line > 0 else rows[::-1]


def _computed(frame: av.VideoFrame, matrix: str) -> NDArray[Any]:
    """Y of RGB in full range: of a gray pixel, its value."""
    deep = bits_of(frame.format) > 8
    rgb = frame.to_ndarray(format=("rgb48le" if sys.byteorder == "little" else "rgb48be") if deep else "rgb24")
    y = rgb @ np.array(WEIGHTS[matrix], np.float32)
    return np.rint(y * (1023 / 65535)).astype(np.uint16) if deep else np.rint(y).astype(np.uint8)
