"""Encoded photo to pixels, at no more than the resolution that training needs."""

from __future__ import annotations

import math
import struct

import cv2
import numpy as np

from chromagan.data.heif import decode_heif
from chromagan.data.source import Photo
from chromagan.images.read_header import heif_format

_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))
# Start-of-frame markers; the three holes are tables (DHT, JPG, DAC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def needed_short_side(size: int, smallest_crop: float) -> int:
    """Short side in pixels at which the smallest random square has just `size` pixels a side: more is never used."""
    return math.ceil(size / smallest_crop)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width in a JPEG's header (before its EXIF orientation), or None for another format."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return height, width
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def decode_photo(photo: Photo, short_side: int = 0) -> np.ndarray | None:
    """Read and decode a photo, upright as its file says: (H, W, 3) uint8 RGB, or None where it cannot be read.

    A JPEG whose short side is much larger than the needed `short_side` (0: all) is decoded at 1/2, 1/4 or 1/8 of its
    size, which the format gives several times faster than the whole.
    """
    try:
        data = photo.read()
        if isinstance(data, np.ndarray):
            return data
        kind = heif_format(data)
        if kind is not None:
            return decode_heif(data, kind)
        size = jpeg_size(data) if short_side else None
        fitting = (flag for factor, flag in _REDUCED if size is not None and min(size) >= factor * short_side)
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), next(fitting, cv2.IMREAD_COLOR))
    except (OSError, cv2.error):
        return None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def reduce_to(rgb: np.ndarray, short_side: int) -> np.ndarray:
    """A photo with its short side at most `short_side`, its aspect kept; a smaller one as it is."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    if short <= short_side:
        return rgb
    size = (round(width * short_side / short), round(height * short_side / short))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
