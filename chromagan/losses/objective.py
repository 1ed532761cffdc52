"""A sum of named, weighted terms that remembers each one's value."""

from __future__ import annotations

from torch import Tensor


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
