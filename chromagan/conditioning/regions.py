"""A region's polygons as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.conditioning.guidance import Point

_SHIFT = 4  # binary digits of a pixel's parts


def fill_polygons(polygons: Sequence[Sequence[Point]], size: tuple[int, int]) -> NDArray[np.uint8]:
    """What lies inside of polygons.

    Args:
        polygons: (x, y) of their corners, in shares of the photo.
        size: rows and columns.

    Returns:
        (rows, columns): 255 inside, 0 outside, in between where an edge crosses a pixel.
    """
    rows, columns = size
    mask = np.zeros(size, np.uint8)
    for polygon in polygons:
        corners = (np.array(polygon) * (columns, rows) - 0.5) * 2**_SHIFT  # pixels have their middles at whole numbers
        one = np.zeros(size, np.uint8)
        cv2.fillPoly(one, [np.rint(corners).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
        np.maximum(mask, one, out=mask)
    return mask
