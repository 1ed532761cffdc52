"""Whether a scan has one tint, as sepia prints and their scans have, rather than colours."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 256  # pixels of the long side that are looked at, or up to twice as many
_SMALL = 64  # to which what is left of their colours is reduced
_LEAST = 3.0  # mean chroma of a tint, in Lab units; below it a photo is neutral
_SPREAD = 1.5  # root mean square by which ab may leave the tint's curve
_OUTLIERS = 4.2  # and at its 99th percentile
_SHARE, _OUTLIERS_SHARE = 0.1, 0.23  # of the mean chroma that these may have, where the tint is strong
_LEVELS = 128  # of brightness, for each of which the tint's curve has one value


def is_tinted(pixels: NDArray[Any]) -> bool:
    """Whether the colours of a photo are a function of its brightness alone.

    Args:
        pixels: (H, W) gray or (H, W, 3) RGB codes, uint8 or uint16.
    """
    if pixels.ndim == 2:
        return False
    # Of a large photo a part of the rows and columns will do; all of them take longer than the network.
    step = max(1, max(pixels.shape[:2]) // _SIDE)
    part = np.ascontiguousarray(pixels[::step, ::step])
    codes = part.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    ab = np.ascontiguousarray(cv2.cvtColor(codes, cv2.COLOR_RGB2LAB)[..., 1:])
    chroma = float(np.hypot(ab[..., 0], ab[..., 1]).mean())
    if chroma < _LEAST:
        return False
    # The mean a and b at every brightness. It is the mean of the three codes, as lightness hardly changes where red and
    # green are clipped, while a strong tint still runs through all of its colours there.
    level = np.minimum(codes.mean(axis=2) * _LEVELS, _LEVELS - 1).astype(int)
    counts = np.maximum(np.bincount(level.ravel()), 1)
    curve = np.stack([np.bincount(level.ravel(), plane.ravel()) / counts for plane in cv2.split(ab)], axis=1)
    # How far places, rather than pixels with their grain, are from it.
    away = ab - curve[level].astype(np.float32)
    scale = min(1.0, _SMALL / max(away.shape[:2]))
    size = (max(1, round(away.shape[1] * scale)), max(1, round(away.shape[0] * scale)))
    a, b = cv2.split(cv2.resize(away, size, interpolation=cv2.INTER_AREA))
    left = np.hypot(a, b)
    spread, outliers = np.sqrt((left**2).mean()), np.quantile(left, 0.99)
    return bool(spread < max(_SPREAD, _SHARE * chroma) and outliers < max(_OUTLIERS, _OUTLIERS_SHARE * chroma))
