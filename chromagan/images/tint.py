"""Whether a scan has one tint, as sepia prints and their scans have, rather than colours."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 128
_LEAST = 3.0  # mean chroma of a tint, in Lab units; below it a photo is neutral
_SPREAD = 2.2  # root mean square by which ab may leave the tint's curve
_OUTLIERS = 7.0  # and at its 99th percentile
_SHARE = 0.15  # of the mean chroma that the spread may have, where the tint is strong
_STEP = 2.5  # of lightness, for which the tint's curve has one value


def is_tinted(pixels: NDArray[Any]) -> bool:
    """Whether the colours of a photo are a function of its lightness alone.

    Args:
        pixels: (H, W) gray or (H, W, 3) RGB codes, uint8 or uint16.
    """
    if pixels.ndim == 2:
        return False
    # Of a large photo a part of the rows and columns will do; all of them take longer than the network.
    step = max(1, max(pixels.shape[:2]) // (4 * _SIDE))
    pixels = np.ascontiguousarray(pixels[::step, ::step])
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    top = np.float32(np.iinfo(pixels.dtype).max)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32) / top
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    chroma = float(np.hypot(lab[:, 1], lab[:, 2]).mean())
    if chroma < _LEAST:
        return False
    # The mean a and b at every lightness, and how far pixels are from it.
    level = np.minimum(lab[:, 0] / _STEP, 100 / _STEP - 1).astype(int)
    counts = np.maximum(np.bincount(level), 1)
    curve = np.stack([np.bincount(level, plane) / counts for plane in lab[:, 1:].T], axis=1)
    away = np.hypot(*(lab[:, 1:] - curve[level]).T)
    spread, outliers = np.sqrt((away**2).mean()), np.quantile(away, 0.99)
    return bool(spread < max(_SPREAD, _SHARE * chroma) and outliers < max(_OUTLIERS, 4 * _SHARE * chroma))
