"""Hints in training: drawn from the true colours of a batch, refused for networks without."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from chromagan.conditioning.condition import NOTHING, Condition
from chromagan.conditioning.simulate import photo_generators, simulate_global_hints, simulate_hints
from chromagan.errors import UsageError
from chromagan.models.contract import ColorizationNetwork
from chromagan.options import Section, option, within


@dataclass(frozen=True)
class HintOptions(Section):
    """What of the true colours a run shows its network."""

    hints: bool = option(False, "show the network simulated hints, as a person would give them (chromagan, siggraph17)")
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
    if options.hints and "local" not in generator.accepts:
        raise UsageError(f"--hints: {model} takes none; leave the option out, or train chromagan or siggraph17")
    if options.global_hints and "overall" not in generator.accepts:
        raise UsageError(f"--global-hints: {model} was built without them; leave the option out")


def training_hints(rgb: Tensor, ab: Tensor, ordinals: Tensor, options: HintOptions, seed: int) -> Condition:
    """The hints of a batch, decided by the run's seed and the photos' places in the stream; nothing without `--hints`.

    Args:
        rgb: (N, 3, H, W) uint8.
        ab: (N, 2, H, W), the true colours in Lab units.
        ordinals: (N,) places in the stream of training photographs.
        options: whether there are any, and how they are drawn.
        seed: of the run.
    """
    if not options.hints:
        return NOTHING
    generators = photo_generators(ordinals, seed)
    local = simulate_hints(ab, generators, options.hint_free, options.hint_places == "anywhere")
    if not options.global_hints:
        return Condition(local)
    return Condition(local, simulate_global_hints(rgb.float() / 255, generators))
