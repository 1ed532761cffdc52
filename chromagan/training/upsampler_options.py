"""The options of `chromagan train-upsampler`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from chromagan.errors import UsageError
from chromagan.options import Section, at_least, option, within

_SHARE = within(0, 1)


@dataclass(frozen=True)
class UpsamplerTraining(Section):
    """One training run of the learned x2 chroma step; what the help does not say stands here.

    Attributes:
        max_minutes: the learning rate falls to 0 by then.
        crop: a multiple of 8.
        smooth_share: blurred and noisy, as a network's prediction is.
        soft_share: softer than L, as cameras, film and JPEG store it.
        enlarged_share: by up to two, L and ab alike.
        lossy_share: where interpolation from 1/8 loses most colour; the rest lie anywhere.
    """

    command: ClassVar[str] = "chromagan train-upsampler"

    width: int = option(32, "channels of the network", at_least(1))
    depth: int = option(3, "hidden convolutions of the network", at_least(0))
    images: int = option(120_000, "crops to train on in all", at_least(1))
    max_minutes: float = option(0.0, "end after this time, 0 for no limit", at_least(0))
    batch_size: int = option(4, "crops a step", at_least(1))
    crop: int = option(96, "side of a crop in pixels", at_least(16))
    learning_rate: float = option(4e-3, "at the start of the cosine", lambda rate: rate > 0)
    edge_weight: float = option(6.0, "how much more errors at edges count")
    smooth_share: float = option(0.1, "share of the batches that start from a blurred, noisy ab", _SHARE)
    soft_share: float = option(0.5, "share of the crops whose true ab is softened", _SHARE)
    enlarged_share: float = option(0.5, "share of the crops that are enlarged, as soft as a scan of film", _SHARE)
    lossy_share: float = option(0.7, "share of the crops drawn where interpolation loses most colour", _SHARE)
    seed: int = option(0, "of weights and crops")

    def check(self) -> None:
        """Refuse a crop that cannot be reduced to 1/8."""
        if self.crop % 8:
            raise UsageError(f"--crop must be a multiple of 8 and at least 16, not {self.crop}")


@dataclass(frozen=True)
class UpsamplerRunOptions(Section):
    """All that decides what such a run computes: kept in its folder, so that two runs are not mixed."""

    training: UpsamplerTraining = field(default_factory=UpsamplerTraining)
    data: str = option("", "folder of the photographs")
    init: str = option("", "weights to go on from")
