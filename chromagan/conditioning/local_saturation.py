"""More or less of the colour that is there, under strokes of a brush."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.conditioning.encode import cover
from chromagan.conditioning.guidance import Stroke

Plane = NDArray[np.float32]

_FEATHER = 0.03  # of the short side
_NOISE = 4.0  # variance of L, in squared Lab units, that is no edge


def saturate_locally(ab: Tensor, strokes: Sequence[Stroke], L: Tensor) -> Tensor:
    """Multiply the chroma under saturation strokes by their factors; the rims are soft, and keep to edges of L.

    Args:
        ab: (1, 2, h, w) in Lab units.
        strokes: of any kind; those of kind "saturation" act, the one on top where several overlap.
        L: (1, 1, h, w) in [0, 100].

    Returns:
        (1, 2, h, w); `ab` itself where no stroke acts.
    """
    acting = sorted((one for one in strokes if one.kind == "saturation"), key=lambda one: one.order)
    if not acting:
        return ab
    rows, columns = ab.shape[2:]
    factors = np.array([1.0, *(one.strength for one in acting)], np.float32)
    factor = factors[cover(acting, (rows, columns))]
    side = 2 * max(1, round(_FEATHER * min(rows, columns))) + 1
    return ab * torch.from_numpy(guided_filter(factor, L[0, 0].numpy(), side, _NOISE)).clamp_min(0)


def guided_filter(plane: Plane, guide: Plane, side: int, noise: float) -> Plane:
    """Smooth a plane, but not over edges of a guide (He, Sun and Tang, Guided image filtering, ECCV 2010).

    Args:
        plane: (h, w).
        guide: (h, w).
        side: of the window, in pixels, odd.
        noise: variance of the guide that is no edge.
    """

    def mean(values: Plane) -> Plane:
        return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)

    mean_plane, mean_guide = mean(plane), mean(guide)
    slope = (mean(plane * guide) - mean_plane * mean_guide) / (mean(guide * guide) - mean_guide**2 + noise)
    return mean(slope) * guide + mean(mean_plane - slope * mean_guide)
