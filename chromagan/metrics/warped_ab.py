"""Warped error: how much the colour changes from frame to frame along the motion.

Lai et al., "Learning blind video temporal consistency", ECCV 2018, of a and b alone, with the flow of the truth.
"""

from __future__ import annotations

import cv2
import numpy as np

from chromagan.metrics.film import ChangeOfColour, FilmMetric, Plane, Since
from chromagan.metrics.registry import register


class WarpedAb(ChangeOfColour):
    """Between a pixel and its place in the frame before, where the truth's flow is trusted."""

    def change(self, before: Plane, ab: Plane, since: Since) -> Plane:
        """Along the motion."""
        rows, columns = np.indices(since.flow.shape[:2], np.float32)
        where = columns + since.flow[..., 0], rows + since.flow[..., 1]
        carried = cv2.remap(before, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray((ab - carried)[since.followed])


register(FilmMetric(
    name="warped_ab", label="Warped error of a, b", unit="Lab units", better="lower", digits=3, place=220,
    about="mean change of a and b from frame to frame along the truth's motion", open=WarpedAb,
))  # fmt: skip
