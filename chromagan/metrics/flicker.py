"""Flicker: how much the colour changes from frame to frame where nothing has moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.film import FilmFrame, FilmMetric, Mean
from chromagan.metrics.registry import register


class Flicker:
    """The mean of sqrt(da^2 + db^2) between neighbouring frames over the pixels that stand still in the truth."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
        self._mean = Mean()

    def see(self, frame: FilmFrame) -> None:
        """The next frame."""
        ab = frame.ab
        if self._before is not None and frame.since is not None:
            still = frame.since.still
            change = np.linalg.norm((ab - self._before)[still], axis=-1)
            self._mean.add(float(change.sum(dtype=np.float64)), change.size)
        self._before = ab

    def figure(self) -> float:
        """In Lab units; NaN where nothing ever stands still."""
        return self._mean.value


register(FilmMetric(
    name="flicker", label="Flicker", unit="Lab units", better="lower", digits=3, place=210,
    about="mean change of a and b from frame to frame where nothing has moved", open=Flicker,
))  # fmt: skip
