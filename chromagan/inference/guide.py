"""The stage of guidance: what a person wishes of the colours that the network has painted."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from chromagan.conditioning.condition import LocalHints
from chromagan.inference.request import Request

_WARMEST = (4.0, 12.0)  # Lab units of a* and b* at warmth 1


class Ground:
    """What guidance meets in one photo; what is worked out on it is kept for the next wish.

    Args:
        L: (1, 1, h, w) in [0, 100] at the size of the guide; ab is brought up to that size or a smaller one.
        pixels: of the photo, see `chromagan.inference.stages.prepare`.

    Attributes:
        features: (1, F, h', w') of the semantic branch, where the network hands some over, once it has been run.
    """

    features: Tensor | None = None

    def __init__(self, L: Tensor, pixels: NDArray[Any]) -> None:
        self.L, self.pixels = L, pixels


def guide(ab: Tensor, ground: Ground, request: Request, wishes: LocalHints | None = None) -> Tensor:
    """What a person wishes, laid over painted colours: of the whole photo first, of places last.

    Args:
        ab: (1, 2, h, w) float32 in Lab units on the CPU, with its saturation.
        ground: of the photo.
        request: what is asked for.
        wishes: what the network was shown at places, at its working size; strokes of the request take their place.

    Returns:
        (1, 2, h, w); `ab` itself where nothing is wished.
    """
    if request.warmth:
        ab = ab + request.warmth * ab.new_tensor(_WARMEST).view(1, 2, 1, 1)
    return ab
