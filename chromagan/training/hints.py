"""Hints in training: drawn from the true colours of a batch, cut into its parts, refused by networks without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from chromagan.data.hint_simulation import photo_generators, simulate_global_hints, simulate_hints
from chromagan.errors import UsageError
from chromagan.models.contract import ColorizationNetwork, GlobalHints, Hints
from chromagan.options import Section, option, within


@dataclass(frozen=True)
class HintOptions(Section):
    """What of the true colours a run shows its network."""

    hints: bool = option(
        False, "show the network simulated hints, as a person would give them (chromagan, siggraph17)"
    )
    hint_free: float = option(0.0, "with --hints, share of the photographs that are shown without", within(0, 1))
    hint_places: str = option(
        "middle",
        "with --hints, where they lie: around the middle (2017) or anywhere, evenly",
        choices=("middle", "anywhere"),
    )
    global_hints: bool = option(False, "with --hints, also colour histogram and saturation of the whole photo")

    def check(self) -> None:
        """Refuse hints of the whole photo alone."""
        if self.global_hints and not self.hints:
            raise UsageError("--global-hints goes with --hints; give both, or neither")


def check_hints(generator: ColorizationNetwork, options: HintOptions, model: str) -> None:
    """Refuse hints that the network, called `model`, does not take: `UsageError`."""
    if options.hints and not generator.takes_hints:
        raise UsageError(f"--hints: {model} takes none; leave the option out, or train chromagan or siggraph17")
    if options.global_hints and not generator.config.get("global_hints"):
        raise UsageError(f"--global-hints: {model} was built without them; leave the option out")


def training_hints(
    rgb: Tensor, ab: Tensor, ordinals: Tensor, options: HintOptions, seed: int
) -> Hints | None:
    """The hints of a batch, decided by the run's seed and the photos' places in the stream; None without `--hints`.

    Args:
        rgb: (N, 3, H, W) uint8.
        ab: (N, 2, H, W), the true colours in Lab units.
        ordinals: (N,) places in the stream of training photographs.
        options: whether there are any, and how they are drawn.
        seed: of the run.
    """
    if not options.hints:
        return None
    generators = photo_generators(ordinals, seed)
    local = simulate_hints(ab, generators, options.hint_free, options.hint_places == "anywhere")
    if not options.global_hints:
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
