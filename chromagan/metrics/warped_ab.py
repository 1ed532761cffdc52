"""Warped error: how much the colour changes from frame to frame along the motion.

Lai et al., "Learning blind video temporal consistency", ECCV 2018, of a and b alone, with the flow of the truth.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.film import FilmFrame, FilmMetric, Mean
from chromagan.metrics.registry import register


class WarpedAb:
    """The mean of sqrt(da^2 + db^2) between a pixel and its place in the frame before, where the flow is trusted."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
        self._mean = Mean()

    def see(self, frame: FilmFrame) -> None:
        """The next frame."""
        ab = frame.ab
        if self._before is not None and frame.since is not None:
            flow, followed = frame.since.flow, frame.since.followed
            rows, columns = np.indices(flow.shape[:2], np.float32)
            where = columns + flow[..., 0], rows + flow[..., 1]
            carried = cv2.remap(self._before, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            change = np.linalg.norm((ab - carried)[followed], axis=-1)
            self._mean.add(float(change.sum(dtype=np.float64)), change.size)
        self._before = ab

    def figure(self) -> float:
        """In Lab units; NaN where the motion is never known."""
        return self._mean.value


register(FilmMetric(
    name="warped_ab", label="Warped error of a, b", unit="Lab units", better="lower", digits=3, place=220,
    about="mean change of a and b from frame to frame along the truth's motion", open=WarpedAb,
))  # fmt: skip
