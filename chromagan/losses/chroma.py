"""The term that compares the colours with the truth: the error of the predicted ab, or of their bins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.losses.bins import bin_error
from chromagan.losses.registry import LossTerm, Sight, register_term
from chromagan.options import at_least, option


def ab_mse(predicted: Tensor, target: Tensor, ab_unit: float) -> Tensor:
    """Mean squared error of ab (N, 2, h, w), in units of `ab_unit` Lab units (255: the scale of the 2020 paper)."""
    return _outside_autocast(predicted, target, lambda a, b: ((a - b) / ab_unit).square().mean())


def ab_l1(predicted: Tensor, target: Tensor, ab_unit: float) -> Tensor:
    """Mean absolute error of ab in units of `ab_unit` Lab units; arguments as for `ab_mse`."""
    return _outside_autocast(predicted, target, lambda a, b: ((a - b) / ab_unit).abs().mean())


def ab_huber(predicted: Tensor, target: Tensor, ab_unit: float) -> Tensor:
    """Mean Huber loss of ab, squared up to one `ab_unit` and linear beyond (Zhang et al. 2017); as for `ab_mse`."""
    return _outside_autocast(predicted, target, lambda a, b: F.huber_loss(a / ab_unit, b / ab_unit))


def _outside_autocast(predicted: Tensor, target: Tensor, error: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    with torch.autocast(predicted.device.type, enabled=False):
        precise = torch.promote_types(predicted.dtype, torch.float32)
        return error(predicted.to(precise), target.to(precise))


_OF_AB = {"ab_mse": ab_mse, "ab_l1": ab_l1, "ab_huber": ab_huber}


@register_term("chroma")
@dataclass(frozen=True)
class Chroma(LossTerm):
    """The chroma term, by `--objective`."""

    place, always = 0, True

    objective: str = option(
        "ab_mse",
        "chroma term: squared, absolute or Huber error of ab, or cross-entropy of ab bins",
        choices=(*_OF_AB, "ab_bins"),
    )
    chroma_weight: float = option(1.0, "weight of the chroma term, see --objective", at_least(0))

    def __call__(self, sight: Sight) -> Tensor:
        """In units of `ab_unit`, for bins in nats."""
        if self.objective == "ab_bins":
            return bin_error(sight)
        return _OF_AB[self.objective](sight.predicted_ab, sight.ab, sight.ab_unit)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """For `ab_bins` the network's."""
        return frozenset({"bins"} if self.objective == "ab_bins" else ())

    @property
    def asked_by(self) -> str:
        """By its kind."""
        return f"--objective {self.objective}"

    @property
    def words(self) -> str:  # type: ignore[override]
        """Its kind."""
        return self.objective
