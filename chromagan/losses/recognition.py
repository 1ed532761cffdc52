"""What a classifier sees in the colours: the same as in the true ones, or something else.

A perceptual loss (Johnson, Alahi and Fei-Fei 2016) at its last layer: a brown sea is far from a blue one there, a blue
car near a red one, whereas the squared error of ab minds both alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from chromagan.losses.class_distribution import class_divergence
from chromagan.losses.registry import LossTerm, Sight, register_term
from chromagan.options import at_least, option


@register_term("recognition")
@dataclass(frozen=True)
class Recognition(LossTerm):
    """The divergence of what the teacher says of the painted photo from what it says of the true one."""

    needs, place, teaches_colours = frozenset({"teacher"}), 4, False

    recognition_weight: float = option(
        0.0, "weight of what the teacher sees in the painted photo, against what it sees in the true one", at_least(0)
    )

    def __call__(self, sight: Sight) -> Tensor | None:
        """KL(true || painted) in nats, mean over samples; None where there is no teacher."""
        if sight.classify is None or sight.recognise is None:
            return None
        return class_divergence(sight.recognise(sight.predicted_ab), sight.classify())
