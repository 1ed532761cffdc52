"""The figures between two ticks, and whether a run may go on with them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from chromagan.compute.distributed import average
from chromagan.errors import TrainingError

# (1 - norm of the critic's gradient)^2: a healthy penalty stays far below 1.
LARGEST_PENALTY = 100.0


class Meter:
    """Sums the terms between two ticks, on the device; reads them out once a tick."""

    def __init__(self) -> None:
        self.images, self.steps, self.since = 0, 0, time.monotonic()
        self.sums: dict[str, Tensor] = {}

    def add(self, terms: dict[str, Tensor], images: int) -> None:
        """Take in the terms of one step of `images` photographs."""
        self.images, self.steps = self.images + images, self.steps + 1
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def take(self) -> dict[str, float]:
        """The means over the steps and ranks since the last tick, with `images_per_second`; starts anew.

        Every rank calls this at the same step and gets the same answer, so that all go on or none.
        """
        names = sorted(self.sums)
        means = average(torch.stack([self.sums[name].double() for name in names]) / self.steps).tolist()
        seconds = time.monotonic() - self.since
        values = dict(zip(names, means, strict=True)) | {"images_per_second": self.images / seconds}
        self.__init__()  # type: ignore[misc]
        return values


def check_terms(values: dict[str, float], seen: str, kept: str, remedies: Mapping[str, str]) -> None:
    """Refuse to go on with a run that has broken.

    Args:
        values: the terms of the last tick.
        seen: what the run has seen, for the message.
        kept: where the last good checkpoint is, for the message.
        remedies: what helps, by the name of the term; "" for any other.

    Raises:
        TrainingError: a term is not finite, or the critic's gradient is out of bounds; the message says which and what
            helps.
    """
    stands = f"after {seen}; {kept}"
    for name, value in sorted(values.items(), key=lambda one: one[0] != "chroma"):  # the others follow from it
        if not math.isfinite(value):
            raise TrainingError(f"the {name} term is {value} {stands}; {remedies.get(name) or remedies['']}")
    if values.get("penalty", 0.0) > LARGEST_PENALTY:
        norm = 1 + math.sqrt(values["penalty"])
        raise TrainingError(
            f"the critic's gradient norm is about {norm:.0f} instead of 1 {stands}; {remedies['penalty']}"
        )
