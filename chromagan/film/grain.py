"""Grain, which networks take for texture: what they are shown of a frame is its mean with the frames that follow."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from chromagan.film.camera import Floats, usual
from chromagan.film.motion import Motion
from chromagan.film.paths import brought, no_way, onward

REACH = 6  # frames after one that its mean may take part of
_ALIKE = 1.5  # of the usual difference in L, above which a place has changed
_WINDOW = (9, 9)


def without_grain(L: Sequence[Floats], motions: Sequence[Motion]) -> Floats:
    """A frame's lightness with less grain: its mean along motion with the frames that follow it.

    Args:
        L: (h, w) float32 in [0, 100] of the frame, and of up to `REACH` frames after it in the same scene.
        motions: to each of those from the one before it.

    Returns:
        (h, w) float32 in [0, 100].
    """
    first = L[0]
    summed, weights, path = first.copy(), np.ones_like(first), None
    for later, motion in zip(L[1 : REACH + 1], motions, strict=False):
        path = onward(no_way(*motion.ahead_trust.shape) if path is None else path, motion.ahead, motion.ahead_trust)
        there, trust = brought(later, path)
        unlike = cv2.blur(cv2.absdiff(first, there), _WINDOW)
        allowed = np.float32(usual(unlike) * _ALIKE + 0.5)
        weight = trust * np.clip(2 - unlike / allowed, 0, 1)
        summed += weight * there
        weights += weight
    return summed / weights if path is not None else first
