"""The same colours however a photo is looked at: at its size, and at half of it and mirrored.

A photo that is seen at another size turns other colours, and the mean of several looks errs by less than each (see
`chromagan.models.views`). Two looks that are drawn together have the gradient of a distillation (Hinton, Vinyals and
Dean 2015) in which each is taught the mean of both, so that one look comes to answer what several would have. Wang et
al. (CVPR 2020) draw the attention of a photo's sizes together so.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from chromagan.losses.chroma import ab_mse
from chromagan.losses.registry import LossTerm, Sight, register_term
from chromagan.options import at_least, option

_A_NAT = 0.02  # beside a squared unit of ab: what the bins' own term has by default


@register_term("consistency")
@dataclass(frozen=True)
class Consistency(LossTerm):
    """The squared distance between the ab of two looks, in squared units, and 0.02 of the bins' divergence in nats.

    The bins' is that of Jensen and Shannon. Their annealed means are left alone: drawn together they turn as dull as
    the regression.
    """

    place, teaches_colours = 5, False

    consistency_weight: float = option(
        0.0, "weight of the distance between a photo's colours and those at half its size, mirrored", at_least(0)
    )

    def __call__(self, sight: Sight) -> Tensor | None:
        """Mean over the pixels of the smaller look; None where nothing can be looked at again."""
        if sight.look_again is None:
            return None
        ab, bin_logits = sight.look_again(True, True)
        distance = ab_mse(_shrunk(sight.predicted_ab, ab), ab.flip(3), sight.ab_unit)
        if sight.bin_logits is None or bin_logits is None:
            return distance
        here, there = (logits.float().softmax(1) for logits in (sight.bin_logits, bin_logits))
        return distance + _A_NAT * divergence(_shrunk(here, there), there.flip(3))


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """That of Jensen and Shannon of two distributions (N, Q, h, w), in nats, at most log 2; mean over pixels."""
    mean = (one + other).clamp_min(1e-12) / 2
    apart = [distribution * (distribution.clamp_min(1e-12) / mean).log() for distribution in (one, other)]
    return (apart[0] + apart[1]).sum(1).mean() / 2


def _shrunk(large: Tensor, small: Tensor) -> Tensor:
    """`large` (N, C, h, w) at the size of `small`, by means over areas."""
    return F.interpolate(large, size=small.shape[-2:], mode="area")
