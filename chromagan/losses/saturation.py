"""A loss that sees dull colours: the squared error of ab asks for means, which are less saturated than what they mean.

The saturation is that of HSL, as a person would set it in a picture editor: a share of what is possible at the colour's
lightness, so that pale and dark colours count as much as vivid ones. Hue is left to the other terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chromagan.color.hsl import lab_to_hsl_saturation
from chromagan.losses.registry import LossTerm, Sight, register_term
from chromagan.options import at_least, option


@register_term("saturation")
@dataclass(frozen=True)
class Saturation(LossTerm):
    """The squared error of HSL saturation."""

    place = 2

    saturation_weight: float = option(0.0, "weight of the squared error of HSL saturation", at_least(0))

    def __call__(self, sight: Sight) -> Tensor:
        """In [0, 1]."""
        return saturation_error(sight.L, sight.predicted_ab, sight.ab)


def saturation_error(L: Tensor, predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the HSL saturation of two ab (N, 2, h, w), in Lab units, at one L (N, 1, h, w) in [0, 100].

    In [0, 1] and differentiable in `predicted`; 0 where the saturations agree, whatever the hues.
    """
    precise = torch.promote_types(predicted.dtype, torch.float32)
    ours, theirs = (
        lab_to_hsl_saturation(torch.cat((L.to(precise), ab.to(precise)), dim=1)) for ab in (predicted, target)
    )
    return (ours - theirs).square().mean()
