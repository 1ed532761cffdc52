"""Random crop, scale and flip of a training photograph. The colours of the truth are never touched."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np


class Square(NamedTuple):
    """A square of a photo in its pixels, and whether it is mirrored."""

    top: int
    left: int
    side: int
    flip: bool


def draw_square(height: int, width: int, smallest: float, rng: np.random.Generator) -> Square:
    """A random square of a photo of `height` x `width` pixels, mirrored half of the time.

    Its side is uniform between the share `smallest` of the short side and the whole of it.
    """
    short = min(height, width)
    side = max(1, round(short * rng.uniform(smallest, 1.0)))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    return Square(int(top), int(left), side, bool(rng.random() < 0.5))


def cut_square(rgb: np.ndarray, square: Square, size: int) -> np.ndarray:
    """Cut a square out of a photo (H, W, 3) uint8 and resize it: (size, size, 3), contiguous."""
    top, left, side, flip = square
    cut = rgb[top : top + side, left : left + side]
    if side != size:
        cut = cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)
    return np.ascontiguousarray(cut[:, ::-1] if flip else cut)


def square_in_smaller_copy(square: Square, full: tuple[int, int], small: tuple[int, int]) -> Square:
    """A square of a photo of height and width `full` as one of a copy of `small` ones, to the nearest pixel."""
    side = min(max(1, round(square.side * min(small) / min(full))), *small)
    top = min(round(square.top * small[0] / full[0]), small[0] - side)
    left = min(round(square.left * small[1] / full[1]), small[1] - side)
    return Square(top, left, side, square.flip)
