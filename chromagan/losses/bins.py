"""Colour as a class: the cross-entropy of Zhang, Isola and Efros (ECCV 2016), for any network with `bin_logits`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.color.ab_bins import AbBins
from chromagan.errors import UsageError
from chromagan.losses.registry import LossTerm, Sight, register_term
from chromagan.options import at_least, option

_FACTORS = (2, 4, 8, 16, 32)


@register_term("bins")
@dataclass(frozen=True)
class Bins(LossTerm):
    """The cross-entropy of ab bins beside another chroma term."""

    weight_option, needs, place = "bin_weight", frozenset({"bins"}), 1

    bin_weight: float = option(
        0.0, "weight of the cross-entropy of ab bins beside --objective (chromagan)", at_least(0)
    )
    rebalance: bool = option(False, "weigh rare colours up in the cross-entropy of ab bins, by the colours of --data")

    def __call__(self, sight: Sight) -> Tensor:
        """In nats."""
        return bin_error(sight)


def bin_error(sight: Sight) -> Tensor:
    """The cross-entropy of what is in sight; `UsageError` where the network answers no bins."""
    if sight.bin_logits is None or sight.bins is None:
        raise UsageError("--objective ab_bins: the network answers no bins in training; choose another objective")
    return class_rebalanced_cross_entropy(sight.bin_logits, sight.ab, sight.bins, sight.bin_weights)


def class_rebalanced_cross_entropy(
    bin_logits: Tensor, ab: Tensor, bins: AbBins, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy of predicted bins against the softly encoded truth, rare colours weighed up; in nats.

    Each pixel's target is spread over its closest bins (`AbBins.soft_neighbours`: five, with Gaussian weights of sigma
    5 unless the bins say otherwise), and its loss is multiplied by the weight of the closest one. The result is the
    mean over all pixels: weights whose mean under the photographs' colours is 1 (`AbBins.rebalancing_weights`) leave
    its scale as it is.

    Args:
        bin_logits: (N, Q, h, w), before the softmax.
        ab: the truth, (N, 2, H, W) in Lab units, of the logits' size, or larger: h = ceil(H / k) and w = ceil(W / k)
            for a power of two k. It is then averaged over areas of k x k, smaller ones at the right and lower edges.
        bins: the Q bins that the network classifies over (its `bins`).
        weights: (Q,) of the bins; None weighs all alike.

    Raises:
        ValueError: sizes or numbers of bins that do not fit.
    """
    if bin_logits.shape[1] != len(bins) or (weights is not None and len(weights) != len(bins)):
        given = "" if weights is None else f" and {len(weights)} weights"
        raise ValueError(f"{bin_logits.shape[1]} logits a pixel{given} for {len(bins)} bins")
    with torch.autocast(bin_logits.device.type, enabled=False):
        logits = bin_logits.to(torch.promote_types(bin_logits.dtype, torch.float32))
        shares, index = bins.soft_neighbours(_reduced(ab, logits.shape[-2:]))
        # The shares sum to 1, so -sum(share * log softmax) needs the logits of the closest bins alone.
        loss = logits.logsumexp(dim=1) - (shares * logits.gather(1, index)).sum(dim=1)
        if weights is not None:
            loss = loss * weights.to(loss)[index[:, 0]]
        return loss.mean()


def _reduced(ab: Tensor, size: torch.Size) -> Tensor:
    """The truth at the size of the logits."""
    if ab.shape[-2:] == size:
        return ab
    for factor in _FACTORS:
        if all(-(-large // factor) == small for large, small in zip(ab.shape[-2:], size, strict=True)):
            return F.avg_pool2d(ab.float(), factor, ceil_mode=True)
    raise ValueError(f"ab of {tuple(ab.shape[-2:])} pixels does not reduce to the {tuple(size)} of the bins")
