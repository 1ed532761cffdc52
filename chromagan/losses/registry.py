"""The registry of loss terms: what a term is, what it may look at, and the decorator that enters it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from torch import Tensor

from chromagan.color.ab_bins import AbBins
from chromagan.errors import UsageError
from chromagan.options import Section
from chromagan.strangers import load_room, load_strangers


@dataclass(frozen=True)
class Sight:
    """What a term may look at: a batch, or a part of one. Sizes are those of the predicted ab, but for `photo`.

    Attributes:
        predicted_ab: (N, 2, h, w), what the network answers in training mode, in Lab units.
        ab: (N, 2, h, w), the truth.
        L: (N, 1, h, w) in [0, 100].
        bin_logits: (N, Q, h', w') over the network's bins, where it predicts them.
        class_logits: (N, C) over the teacher's classes, where there is a class head.
        photo: (N, 3, H, W) sRGB in [0, 1], at full size.
        ab_unit: Lab units that count as one.
        bins: over which the network classifies; for terms that need "bins".
        bin_weights: (Q,) of them, rare colours weighed up; None weighs all alike.
        classify: gives the teacher's class probabilities (N, C) of the truth; for terms that need "teacher", None
            without one.
        recognise: gives the teacher's logits (N, C) of the photos in these ab; None for one that sees no colour.
        look_again: gives ab and bin logits of the photos seen halved, mirrored or both; they are not brought back.
        critic: scores (L, ab) patches; for terms that need "critic".
    """

    predicted_ab: Tensor
    ab: Tensor
    L: Tensor
    bin_logits: Tensor | None = None
    class_logits: Tensor | None = None
    photo: Tensor | None = None
    ab_unit: float = 1.0
    bins: AbBins | None = None
    bin_weights: Tensor | None = None
    classify: Callable[[], Tensor] | None = None
    recognise: Callable[[Tensor], Tensor] | None = None
    look_again: Callable[[bool, bool], tuple[Tensor, Tensor | None]] | None = None
    critic: Callable[[Tensor, Tensor], Tensor] | None = None


@dataclass(frozen=True)
class LossTerm(Section):
    """One term of the generator's objective: its options, one of which is its weight, and what it computes.

    A subclass is a frozen dataclass under `register_term`. Its options become flags of `chromagan train`, stand in the
    saved configuration and go through `benchmark zoo`; its value is logged under its name.

    Attributes:
        name: in the log; set by `register_term`.
        weight_option: the field that holds the weight; `NAME_weight` unless the class says otherwise.
        needs: what it cannot do without, of "bins", "teacher" and "critic"; the run provides it, or refuses.
        words: what the term is in a table of runs; its name unless the class says otherwise.
        place: terms are summed by place, then by name, so that a figure does not depend on who was imported first.
        always: it is computed, for the log, with weight 0 too.
        teaches_colours: the colours can be learned from it alone.
    """

    # Without annotations, which would make them options.
    name = weight_option = words = ""
    needs = frozenset[str]()
    place, always, teaches_colours = 100, False, True

    def __call__(self, sight: Sight) -> Tensor | None:
        """The term, a scalar to be minimised, its weight left out; None where it has nothing to say."""
        raise NotImplementedError

    @property
    def weight(self) -> float:
        """What the term is multiplied by in the sum."""
        return float(getattr(self, self.weight_option))

    @property
    def asked_by(self) -> str:
        """The flag that makes the term part of a run, for messages."""
        return "--" + self.weight_option.replace("_", "-")


Term = TypeVar("Term", bound=LossTerm)

GROUP = "chromagan.losses"
"""The entry points under which other packages name the modules that register their terms."""

_TERMS: dict[str, type[LossTerm]] = {}


def register_term(name: str) -> Callable[[type[Term]], type[Term]]:
    """Decorator that enters a term under a name; neither it nor the names of its options may be taken.

    Example:
        >>> @register_term("gray")
        ... @dataclass(frozen=True)
        ... class Gray(LossTerm):
        ...     gray_weight: float = option(0.0, "weight of the mean squared chroma", at_least(0))
        ...
        ...     def __call__(self, sight):
        ...         return sight.predicted_ab.square().mean()

    Raises:
        UsageError: the name is taken, or the class has no option for the weight.
    """

    def enter(term: type[Term]) -> type[Term]:
        term.name, term.words = name, term.words or name
        term.weight_option = term.weight_option or f"{name}_weight"
        if name in _TERMS:
            raise UsageError(f"the loss term {name!r} is taken; choose another name for {term.__qualname__}")
        if term.weight_option not in term.options():
            raise UsageError(f"the loss term {name!r} has no option {term.weight_option}; declare its weight")
        _TERMS[name] = term
        return term

    return enter


@cache
def _import_terms() -> None:
    """Import the files of this room and those of other packages under `chromagan.losses`; they register themselves."""
    load_room(GROUP)
    load_strangers(GROUP)


def loss_terms() -> dict[str, type[LossTerm]]:
    """The registered terms by name, in the order in which they are summed."""
    _import_terms()
    return dict(sorted(_TERMS.items(), key=lambda one: (one[1].place, one[0])))
