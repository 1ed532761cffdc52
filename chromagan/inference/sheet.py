"""The sheet that shows a photo before | after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.images.read import Photo

LONGEST_SIDE = 2048


def compare_sheet(before: Photo, after: Photo) -> Photo:
    """Put a photo and its colorization side by side.

    Args:
        before: the photo, gray or colour.
        after: its colorization, of the same size and depth.

    Returns:
        RGB without alpha, of the same depth; each half is reduced to at most 2048 pixels on its long side.
    """
    halves = [_reduced(photo.pixels) for photo in (before, after)]
    return replace(after, pixels=np.ascontiguousarray(np.concatenate(halves, axis=1)), alpha=None)


def _reduced(pixels: NDArray[Any]) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
