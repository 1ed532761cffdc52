"""Hints in training: drawn from the true colours of a batch, cut into its parts, refused by networks without."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from chromagan.data.hint_simulation import photo_generators, simulate_global_hints, simulate_hints
from chromagan.errors import UsageError
from chromagan.models.contract import ColorizationNetwork, GlobalHints, Hints
from chromagan.training.config import TrainConfig


def check_hints(generator: ColorizationNetwork, config: TrainConfig) -> None:
    """Refuse hints that the network does not take: `UsageError`."""
    if config.hints and not generator.takes_hints:
        raise UsageError(f"--hints: {config.model} takes none; leave the option out, or train chromagan or siggraph17")
    if config.global_hints and not generator.config.get("global_hints"):
        raise UsageError(f"--global-hints: {config.model} was built without them; leave the option out")


def training_hints(rgb: Tensor, ab: Tensor, ordinals: Tensor, config: TrainConfig) -> Hints | None:
    """The hints of a batch, decided by the run's seed and the photos' places in the stream; None without `--hints`.

    Args:
        rgb: (N, 3, H, W) uint8.
        ab: (N, 2, H, W), the true colours in Lab units.
        ordinals: (N,) places in the stream of training photographs.
        config: with `hints`, how they are drawn, `global_hints` and the seed.
    """
    if not config.hints:
        return None
    generators = photo_generators(ordinals, config.seed)
    local = simulate_hints(ab, generators, config.hint_free, config.hint_places == "anywhere")
    if not config.global_hints:
        return local
    return Hints(local.ab, local.mask, simulate_global_hints(rgb.float() / 255, generators))


def parts_of_hints(hints: Hints | None, count: int) -> Sequence[Hints | None]:
    """Equal parts for gradient accumulation; as many times None for no hints."""
    if hints is None:
        return [None] * count
    chunks = zip(hints.ab.chunk(count), hints.mask.chunk(count), _parts_of_overall(hints.overall, count), strict=True)
    return [Hints(*one) for one in chunks]


def _parts_of_overall(overall: GlobalHints | None, count: int) -> Sequence[GlobalHints | None]:
    if overall is None:
        return [None] * count
    tensors = (overall.histogram, overall.saturation, overall.given)
    return [GlobalHints(*one) for one in zip(*(t.chunk(count) for t in tensors), strict=True)]
