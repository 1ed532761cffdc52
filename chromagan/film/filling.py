"""Colours for what no path reaches: hidden at both key frames around, or moving in no way that could be followed.

The key frames' own pictures are searched nearby for what looks the same; what nothing looks like takes its colour from
around, as lightness goes with colour there (He et al., ECCV 2010).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from chromagan.film.camera import Floats
from chromagan.film.paths import sized

_UNKNOWN = 0.3  # lack of trust, over `_PATCH`, that is worth filling in
_PATCH = (5, 5)  # that must look the same
_REACH, _STEP = 14, 7  # pixels of the size of paths: how far is searched, and how finely
_SAME, _FAR = np.float32(4.0), 0.05  # difference in L up to which it is the same; what a pixel of distance counts for
_AROUND, _SMOOTH = (25, 25), np.float32(20.0)  # window and squared L of what is taken from around
_HINT = np.float32(0.3)  # what is found counts for that much of what is known, around


def filled(ab: Floats, known: Floats, L: Floats, keys: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Colours of a frame with what is not known filled in.

    Args:
        ab: (h', w', 2).
        known: (h, w) trust in it, in [0, 1].
        L: (H, W) of the frame.
        keys: of key frames nearby (h, w) L and (h', w', 2) ab.

    Returns:
        (h', w', 2).
    """
    places = cv2.findNonZero((cv2.blur(1 - known, _PATCH) > _UNKNOWN).astype(np.uint8))
    if places is None:
        return ab
    # Work on the part of the frame that has holes, and as much around it as is looked at.
    rows, columns = known.shape
    x, y, width, height = cv2.boundingRect(places)
    part = (
        slice(max(y - _AROUND[1] // 2, 0), min(y + height + _AROUND[1] // 2, rows)),
        slice(max(x - _AROUND[0] // 2, 0), min(x + width + _AROUND[0] // 2, columns)),
    )
    small, L = (cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)[part] for plane in (ab, L))
    pictures = [(key_L, cv2.resize(key_ab, (columns, rows), interpolation=cv2.INTER_AREA)) for key_L, key_ab in keys]
    found, sure = _found(L, part, pictures)
    hole = 1 - known[part]
    weight = np.square(1 - hole) + _HINT * hole * sure + np.float32(1e-3)
    around = _around(small + (found - small) * (hole * sure)[..., None], weight, L)
    share = np.square(hole)[..., None]
    new = np.zeros((rows, columns, 3), np.float32)
    new[part] = np.dstack([share * (around + (found - around) * sure[..., None]), share])
    new = sized(new, ab)
    return ab * (1 - new[..., 2:]) + new[..., :2]


def _found(L: Floats, part: tuple[slice, slice], pictures: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """The colours of what looks most the same in the pictures, and how sure that is."""
    best, found = np.full(L.shape, np.inf, np.float32), np.zeros((*L.shape, 2), np.float32)
    edges = (_REACH,) * 4
    shifts = range(-_REACH, _REACH + 1, _STEP)
    for picture in pictures:
        wide_L, wide_ab = (cv2.copyMakeBorder(plane, *edges, cv2.BORDER_REPLICATE) for plane in picture)
        for down in shifts:
            for right in shifts:
                there = (_moved(part[0], down), _moved(part[1], right))
                unlike = cv2.blur(cv2.absdiff(L, wide_L[there]), _PATCH) + np.float32(_FAR * np.hypot(down, right))
                better = unlike < best
                best, found = np.where(better, unlike, best), np.where(better[..., None], wide_ab[there], found)
    return found, np.clip(2 - best / _SAME, 0, 1)


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + _REACH + by, part.stop + _REACH + by)


def _around(ab: Floats, weight: Floats, L: Floats) -> Floats:
    """Colour as a line over lightness, in a window around each place."""

    def mean(plane: Floats) -> Floats:
        return cv2.blur(plane, _AROUND)

    total = mean(weight)
    middle, middle_ab = mean(weight * L) / total, mean(weight[..., None] * ab) / total[..., None]
    spread = mean(weight * L * L) / total - middle * middle
    both = mean((weight * L)[..., None] * ab) / total[..., None] - middle[..., None] * middle_ab
    return middle_ab + both * ((L - middle) / (np.maximum(spread, 0) + _SMOOTH))[..., None]
