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
from chromagan.models.views import View
from chromagan.options import at_least, option

OTHER = View(halved=True, mirrored=True)


@register_term("consistency")
@dataclass(frozen=True)
class Consistency(LossTerm):
    """The squared distance between the colours of two looks, in squared units of ab; of the annealed means too."""

    place, teaches_colours = 5, False

    consistency_weight: float = option(
        0.0,
        "weight of the squared distance between a photo's colours and those at half its size, mirrored",
        at_least(0),
    )

    def __call__(self, sight: Sight) -> Tensor | None:
        """Mean over the pixels of the smaller look; None where nothing can be looked at again."""
        if sight.look_again is None:
            return None
        again = sight.look_again(OTHER)
        pairs = [(sight.predicted_ab, again.ab)]
        if sight.bins is not None and sight.bin_logits is not None and again.bin_logits is not None:
            pairs.append((sight.bins.annealed_mean(sight.bin_logits), sight.bins.annealed_mean(again.bin_logits)))
        return sum(
            (ab_mse(shrunk(large, small), small.flip(3), sight.ab_unit) for large, small in pairs),
            start=sight.predicted_ab.new_zeros(()),
        )


def shrunk(large: Tensor, small: Tensor) -> Tensor:
    """`large` (N, 2, h, w) at the size of `small`, by means over areas."""
    return F.interpolate(large, size=small.shape[-2:], mode="area")
