"""Colours for what no path reaches: hidden at both key frames around, or moving in no way that could be followed.

The key frames' own pictures are searched nearby for what looks the same; what nothing looks like takes its colour from
around, as lightness goes with colour there (He et al., ECCV 2010).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from chromagan.film.camera import Floats

_UNKNOWN, _HOLE = 0.3, (7, 7)  # lack of trust, over `_HOLE`, that is worth filling in
_PATCH = (3, 3)  # that must look the same, of every second pixel
_REACH, _STEP = 14, 7  # pixels: how far is searched, and how finely
_SAME, _FAR = np.float32(4.0), 0.05  # difference in L up to which it is the same; what a pixel of distance counts for
_AROUND, _SMOOTH = (25, 25), np.float32(20.0)  # window and squared L of what is taken from around
_HINT = np.float32(0.3)  # what is found counts for that much of what is known, around


def filled(ab: Floats, known: Floats, L: Floats, keys: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Colours of a frame with what is not known filled in.

    Args:
        ab: (h, w, 2).
        known: (h, w) trust in it, in [0, 1].
        L: (h, w) of the frame.
        keys: of key frames nearby (h, w) L and (h, w, 2) ab.

    Returns:
        (h, w, 2).
    """
    places = cv2.findNonZero((cv2.blur(1 - known, _HOLE) > _UNKNOWN).astype(np.uint8))
    if places is None:
        return ab
    # Work on the part of the frame that has holes, and as much around it as is looked at.
    rows, columns = known.shape
    x, y, width, height = cv2.boundingRect(places)
    part = (
        slice(max(y - _AROUND[1] // 2, 0), min(y + height + _AROUND[1] // 2, rows)),
        slice(max(x - _AROUND[0] // 2, 0), min(x + width + _AROUND[0] // 2, columns)),
    )
    inner, L, hole = ab[part], L[part], 1 - known[part]
    found, sure = _found(L, part, keys)
    weight = np.square(1 - hole) + _HINT * hole * sure + np.float32(1e-3)
    around = _around(inner + (found - inner) * (hole * sure)[..., None], weight, L)
    new = around + (found - around) * sure[..., None]
    done = ab.copy()
    done[part] += (new - inner) * np.square(hole)[..., None]
    return done


def _found(L: Floats, part: tuple[slice, slice], pictures: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """The colours of what looks most the same in the pictures, and how sure that is; asked at every second pixel."""
    asked = np.ascontiguousarray(L[::2, ::2])
    best, which = np.full(asked.shape, np.inf, np.float32), np.zeros(asked.shape, np.intp)
    steps = range(-_REACH, _REACH + 1, _STEP)
    moves = [(number, down, right) for number in range(len(pictures)) for down in steps for right in steps]
    wide = [np.pad(L, _REACH, mode="edge") for L, _ in pictures]
    for index, (number, down, right) in enumerate(moves):
        there = np.ascontiguousarray(wide[number][_moved(part[0], down)][:, _moved(part[1], right)])
        unlike = cv2.blur(cv2.absdiff(asked, there), _PATCH) + np.float32(_FAR * np.hypot(down, right))
        better = unlike < best
        np.copyto(best, unlike, where=better)
        np.copyto(which, index, where=better)
    # The colours that stand there.
    number, down, right = np.array(moves)[which].transpose(2, 0, 1)
    y, x = np.mgrid[part[0], part[1]][:, ::2, ::2]
    rows, columns = pictures[0][0].shape
    found = np.stack([ab for _, ab in pictures])[
        number, np.clip(y + down, 0, rows - 1), np.clip(x + right, 0, columns - 1)
    ]
    size = L.shape[::-1]
    return cv2.resize(found, size), cv2.resize(np.clip(2 - best / _SAME, 0, 1), size)


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + _REACH + by, part.stop + _REACH + by, 2)


def _around(ab: Floats, weight: Floats, L: Floats) -> Floats:
    """Colour as a line over lightness, in a window around each place."""

    def mean(plane: Floats) -> Floats:
        return cv2.blur(plane, _AROUND)

    total = mean(weight)
    middle, middle_ab = mean(weight * L) / total, mean(weight[..., None] * ab) / total[..., None]
    spread = mean(weight * L * L) / total - middle * middle
    both = mean((weight * L)[..., None] * ab) / total[..., None] - middle[..., None] * middle_ab
    return middle_ab + both * ((L - middle) / (np.maximum(spread, 0) + _SMOOTH))[..., None]
