"""The variations of a photo that a request asks for."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from chromagan.color.ab_bins import AbBins
from chromagan.conditioning.variations import Doubt
from chromagan.errors import ModelError
from chromagan.inference.request import Request
from chromagan.models.contract import Prediction

Adviser = Callable[[Tensor], Doubt]
"""(1, 1, h, w) L -> what variations are drawn from, for a network that predicts no bins."""


def doubt_of(answer: Prediction, bins: AbBins | None, L: Tensor, adviser: Adviser | None) -> Doubt:
    """What a network leaves open of a photo's colours.

    Args:
        answer: of the network, for one photo.
        bins: that it predicts, if it does.
        L: (1, 1, h, w) in [0, 100], what it has seen.
        adviser: stands in where it predicts none.

    Raises:
        ModelError: it predicts none, and nobody stands in.
    """
    if bins is not None and answer.bin_logits is not None:
        return Doubt(answer.bin_logits, bins.centres, L, answer.features)
    if adviser is None:
        raise ModelError("variations: this network predicts no ab bins to draw from; use --model chromagan@small")
    return adviser(L)


def drawn(doubt: Doubt, request: Request, ab: Tensor) -> list[Tensor]:
    """How each picture that is asked for differs from the plain painting, of the size and on the device of `ab`."""
    changes = [doubt.draw(one.seed).to(ab.device) for one in request.each]
    return [F.interpolate(one, size=ab.shape[-2:], mode="bilinear", align_corners=False) for one in changes]
