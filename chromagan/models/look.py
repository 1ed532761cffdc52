"""How weights want to be used, and the way from what a network answers to the ab that is painted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from chromagan.errors import UsageError

if TYPE_CHECKING:  # what is asked for is checked before anybody waits for PyTorch
    from torch import Tensor

    from chromagan.color.ab_bins import AbBins
    from chromagan.models.contract import Prediction

BALANCE = (0.85, 1.4)
SIZES = (16, 4096)
VIEWS = (1, 2, 4)


@dataclass(frozen=True)
class Look:
    """How weights want to be used: it stands on their card, and everything that paints goes by it.

    Attributes:
        size: working size: the short side, in pixels, of what the network sees.
        saturation: factor on ab, at least 0.
        typical_chroma: mean chroma in Lab units that photos are drawn towards, see `balance`; 0 draws none.
        annealed_share: share of the bins' annealed mean in the colours, 0 to 1, see `mixture`.
        calm: share of the chroma that is taken away where the bins do not agree at all, 0 to 1, see `mixture`.
        views: of a photo that the network sees, whose answers are averaged: 1 at the working size, 2 at half of it too,
            4 both mirrored, too; see `chromagan.models.views`.

    Raises:
        UsageError: a value out of range.
    """

    size: int = 256
    saturation: float = 1.0
    typical_chroma: float = 0.0
    annealed_share: float = 0.0
    calm: float = 0.0
    views: int = 1

    def __post_init__(self) -> None:
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise UsageError(f"the working size must lie between {SIZES[0]} and {SIZES[1]} pixels, not {self.size}")
        for name, value in (("saturation", self.saturation), ("the typical chroma", self.typical_chroma)):
            if not (value >= 0 and math.isfinite(value)):
                raise UsageError(f"{name} must be 0 or more, not {value}")
        for name, value in (("the share of the annealed mean", self.annealed_share), ("calm", self.calm)):
            if not 0 <= value <= 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {value}")
        if self.views not in VIEWS:
            raise UsageError(f"the views must be {', '.join(map(str, VIEWS))}, not {self.views}")

    def as_dict(self) -> dict[str, float]:
        """Plain numbers by name; the views where there are more than one, which older versions do not know."""
        values = asdict(self)
        return values if self.views > 1 else {name: value for name, value in values.items() if name != "views"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Look:
        """Read `as_dict` back, or part of it; `ValueError` says what is no look."""
        known = {field.name for field in fields(cls)}
        if not values.keys() <= known:
            raise ValueError(f"its look has {', '.join(sorted(values.keys() - known))}; a newer chromagan may know it")
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values()):
            raise ValueError("its look holds something other than numbers")
        try:
            numbers = {name: float(value) for name, value in values.items()}
            size, views = int(numbers.pop("size", cls.size)), int(numbers.pop("views", cls.views))
            return cls(size=size, views=views, **numbers)
        except (UsageError, ValueError, OverflowError) as error:  # NaN and infinity are no whole number
            raise ValueError(f"its look is out of range: {error}") from error


def settle(prediction: Prediction, look: Look, bins: AbBins | None = None) -> Tensor:
    """The colours of a prediction as these weights want them: mixture, calm and typical chroma; saturation comes later.

    Args:
        prediction: of a network in evaluation mode.
        look: that of the weights.
        bins: those that the network predicts, if it does.

    Returns:
        (N, 2, h, w) float32 in Lab units, of the size of the predicted ab.
    """
    return balance(mixture(prediction, bins, look), look.typical_chroma)


def mixture(prediction: Prediction, bins: AbBins | None, look: Look) -> Tensor:
    """The regressed ab and the annealed mean of the bins, mixed; calmed where the bins disagree.

    The annealed mean is bold, and blotchy where it does not know. How far the bins agree at a pixel is the length of
    their mean over their mean length: 1 where all probable colours share a hue, 0 where they cancel out. The annealed
    mean takes part by its share times the fourth power of that, and what disagrees gets duller by the look's calm:
    else flat walls get clouds of several hues. On photographs both win 0.05 dB at equal colourfulness.
    """
    ab = prediction.ab.float()
    if not (look.annealed_share or look.calm) or prediction.bin_logits is None or bins is None:
        return ab
    annealed, chroma = bins.annealed_mean_and_chroma(prediction.bin_logits)
    agreement = annealed.square().sum(1, keepdim=True).sqrt() / chroma.clamp_min(1e-6)
    bold = ab + look.annealed_share * agreement.square().square() * (annealed - ab)
    return bold * (1 - look.calm * (1 - agreement))


def balance(ab: Tensor, typical: float) -> Tensor:
    """Draw each photo's mean chroma halfway (in its logarithm) towards a typical one, within limits.

    A network trained on squared error answers duller the less it knows. One factor for all photos makes vivid ones
    garish before dull ones look alive, and costs more error: at equal colourfulness this wins 0.1 dB.

    Args:
        ab: (N, 2, h, w) in Lab units.
        typical: mean chroma in Lab units; 0 returns `ab` itself.

    Returns:
        `ab` times one factor a photo, sqrt(typical / its mean chroma) limited to `BALANCE`.
    """
    if not typical:
        return ab
    chroma = ab.square().sum(1, keepdim=True).sqrt().mean((2, 3), keepdim=True)
    return ab * (typical / chroma.clamp_min(1e-6)).sqrt().clamp(*BALANCE)
