"""The term of the generator's objective that compares its colours with the truth, by `--objective`."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from chromagan.color.ab_bins import AbBins
from chromagan.errors import UsageError
from chromagan.losses.bins import class_rebalanced_cross_entropy
from chromagan.losses.chroma import ab_huber, ab_l1, ab_mse
from chromagan.models.contract import Prediction
from chromagan.training.config import TrainConfig

_OF_AB: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "ab_mse": ab_mse, "ab_l1": ab_l1, "ab_huber": ab_huber,
}  # fmt: skip


class ChromaTerm:
    """Compares a prediction with the true ab: the colours themselves, or their distribution over ab bins.

    Args:
        config: with `objective` and `ab_unit`.
        generator: the network; for `ab_bins` it has `bins` and answers `bin_logits`.
        bin_weights: (Q,) of the bins; None weighs all alike.

    Raises:
        UsageError: `ab_bins` for a network that predicts none.
    """

    def __init__(self, config: TrainConfig, generator: nn.Module, bin_weights: Tensor | None = None) -> None:
        self.ab_unit = config.ab_unit
        self.of_ab = _OF_AB.get(config.objective)
        self.bins: AbBins | None = None
        if self.of_ab is None or config.bin_weight:
            self.bins = bins_of(generator, config)
        self.bin_weights = bin_weights

    def __call__(self, prediction: Prediction, ab: Tensor) -> Tensor:
        """The term, a scalar.

        Args:
            prediction: of the network in training mode.
            ab: (N, 2, h, w), the truth at the size of the predicted ab, in Lab units.
        """
        if self.of_ab is not None:
            return self.of_ab(prediction.ab, ab, self.ab_unit)
        return self.of_bins(prediction, ab)

    def of_bins(self, prediction: Prediction, ab: Tensor) -> Tensor:
        """The cross-entropy of the predicted bins, in nats; arguments as for the term itself."""
        assert self.bins is not None
        if prediction.bin_logits is None:
            raise UsageError("--objective ab_bins: the network answers no bins in training; choose another objective")
        return class_rebalanced_cross_entropy(prediction.bin_logits, ab, self.bins, self.bin_weights)


def bins_of(generator: nn.Module, config: TrainConfig) -> AbBins:
    """The bins that a network classifies over; `UsageError` where it has none."""
    bins = getattr(generator, "bins", None)
    if not isinstance(bins, AbBins):
        option = "--objective ab_bins" if config.objective == "ab_bins" else "--bin-weight"
        raise UsageError(f"{option}: {config.model} predicts no ab bins; train chromagan or eccv16, or leave it out")
    return bins
