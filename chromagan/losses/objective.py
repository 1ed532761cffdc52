"""The generator's objective: a weighted sum of the registered terms, and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor

from chromagan.errors import UsageError
from chromagan.losses.bins import Bins
from chromagan.losses.chroma import Chroma
from chromagan.losses.class_distribution import ClassDistribution
from chromagan.losses.recognition import Recognition
from chromagan.losses.registry import LossTerm, loss_terms
from chromagan.options import Section, option

Term = TypeVar("Term", bound=LossTerm)


@dataclass(frozen=True)
class ObjectiveOptions(Section):
    """Every registered term with its options, by name, in the order in which they are summed."""

    ab_unit: float = option(
        50.0, "Lab units that count as one in losses and penalty; 255 is the paper's scale", lambda unit: unit > 0
    )
    terms: Mapping[str, LossTerm] = field(default_factory=lambda: {n: kind() for n, kind in loss_terms().items()})

    def check(self) -> None:
        """Refuse terms that contradict each other, and an objective that teaches nothing."""
        if not any(term.weight for term in self.terms.values() if term.teaches_colours):
            raise UsageError("--chroma-weight and --adversarial-weight are both 0: nothing would be learned")
        bins, by_bins = self.term(Bins), self.term(Chroma).objective == "ab_bins"
        if bins.bin_weight and by_bins:
            raise UsageError("--bin-weight joins bins to another --objective; ab_bins has --chroma-weight")
        if bins.rebalance and not by_bins and not bins.bin_weight:
            raise UsageError("--rebalance weighs ab bins; give --objective ab_bins or --bin-weight, or leave it out")
        teacher = self.term(ClassDistribution)
        if self.term(Recognition).weight and (teacher.teacher_gray or teacher.teacher_raw_lightness):
            raise UsageError("--recognition-weight asks what the teacher sees in colours: show it the coloured photo")

    def term(self, kind: type[Term]) -> Term:
        """The options of one term."""
        found = self.terms[kind.name]
        assert isinstance(found, kind)
        return found

    @property
    def active(self) -> list[LossTerm]:
        """The terms that a step computes, in the order in which they are summed."""
        return [term for term in self.terms.values() if term.weight or term.always]

    def asking_for(self, need: str) -> str:
        """The flag of the first active term that needs "bins", "teacher" or "critic"; empty where none does."""
        return next((term.asked_by for term in self.active if need in term.needs), "")

    @classmethod
    def sections(cls) -> dict[str, type[Section]]:
        """The registered terms."""
        return dict(loss_terms())

    @classmethod
    def _build(cls, own: dict[str, Any], parts: dict[str, Any]) -> ObjectiveOptions:
        return cls(**own, terms=parts)

    def parts(self) -> dict[str, Section]:
        """The terms, as they are."""
        return dict(self.terms)


class Objective:
    """Collects `weight * term` (`weighted`) and the terms' plain values for the log (`terms`).

    Example:
        >>> objective = Objective()
        >>> objective.add("chroma", torch.tensor(2.0), weight=0.5)
        >>> float(objective.total()), {k: float(v) for k, v in objective.terms.items()}
        (1.0, {'chroma': 2.0})
    """

    def __init__(self) -> None:
        self.terms: dict[str, Tensor] = {}
        self.weighted: list[Tensor] = []

    def add(self, name: str, term: Tensor, weight: float) -> None:
        """Add a scalar term; a weight of 0 keeps it in the log only."""
        self.terms[name] = term.detach()
        if weight:
            self.weighted.append(weight * term)

    def total(self) -> Tensor:
        """The weighted sum; differentiable."""
        if not self.weighted:
            raise ValueError("every term of the objective has weight 0: there is nothing to minimise")
        return sum(self.weighted[1:], start=self.weighted[0])
