"""Chroma scaled until a picture is as colourful as its truth, so that what is compared is hue and where colour lies."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.lab import rgb_to_lab
from chromagan.images.join import join_chroma
from chromagan.metrics.colourfulness import colourfulness

LARGEST_FACTOR = 4.0  # beyond it rounding noise of nearly gray pictures would become colour
TOLERANCE = 0.05  # of colourfulness, which is about 40 for a photograph
_STEPS = 12


def match_colourfulness(picture: NDArray[np.uint8], target: float) -> NDArray[np.uint8]:
    """Scale the chroma of a picture (H, W, 3) uint8 sRGB by one factor to a colourfulness (Hasler and Suesstrunk's).

    Lightness stays, and what sRGB cannot show at its lightness gives up chroma, as everywhere in this package; so the
    target, on the 0-255 scale and at least 0, may be out of reach, and the largest factor is 4. A gray picture stays
    gray. It is `picture` itself that comes back where it is as colourful as that already, or gray.
    """
    own = colourfulness(picture)
    if own == 0 or abs(own - target) <= TOLERANCE:
        return picture
    rgb = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
    ab = rgb_to_lab(rgb)[:, 1:]

    def scaled(factor: float) -> NDArray[np.uint8]:
        return np.asarray(join_chroma(picture, ab * factor, threads=1), np.uint8)

    if target <= TOLERANCE:
        return scaled(0)
    best = scaled(LARGEST_FACTOR)
    excess = colourfulness(best) - target
    if excess <= 0:
        return best
    # False position on a bracket; an end that stays twice loses half of its weight (the "Illinois" rule).
    low, high, below, above = 0.0, LARGEST_FACTOR, -target, excess
    factor = min(target / own, LARGEST_FACTOR)
    kept = 0
    for _ in range(_STEPS):
        if not low < factor < high:
            factor = (low + high) / 2
        best = scaled(factor)
        excess = colourfulness(best) - target
        if abs(excess) <= TOLERANCE:
            break
        if excess < 0:
            low, below = factor, excess
            above, kept = (above / 2, -1) if kept == -1 else (above, -1)
        else:
            high, above = factor, excess
            below, kept = (below / 2, 1) if kept == 1 else (below, 1)
        factor = (low * above - high * below) / (above - below)
    return best
