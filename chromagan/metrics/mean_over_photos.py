"""The mean over photos of a figure that each photo has; exact, so that batches, order and ranks cannot change it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor


class MeanOverPhotos:
    """Keeps each photo's figure (8 bytes a photo) and averages the finite ones.

    An infinite figure (the PSNR of a photo that was reproduced exactly) is left out of the mean and counted.
    """

    def __init__(self) -> None:
        self.values: list[float] = []

    def update(self, values: float | Iterable[float] | Tensor) -> None:
        """Add the figures of one photo or of several."""
        if isinstance(values, Tensor):
            values = values.detach().double().reshape(-1).tolist()
        self.values += [float(values)] if isinstance(values, (float, int)) else [float(value) for value in values]

    def state(self) -> dict[str, Tensor]:
        """What `merge` takes: `values` (n,) float64."""
        return {"values": torch.tensor(self.values, dtype=torch.float64)}

    def merge(self, states: Iterable[dict[str, Tensor]]) -> None:
        """Add what other accumulators hold."""
        for state in states:
            self.update(state["values"])

    @property
    def left_out(self) -> int:
        """How many figures are infinite."""
        return sum(math.isinf(value) for value in self.values)

    def compute(self) -> float:
        """The mean of the figures that are not infinite, correctly rounded; NaN when there is none."""
        kept = [value for value in self.values if not math.isinf(value)]
        return math.fsum(kept) / len(kept) if kept else math.nan
