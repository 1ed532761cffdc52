"""What one call asks of a colorizer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from numbers import Integral, Real
from typing import Any

from chromagan.conditioning.guidance import Guidance
from chromagan.errors import UsageError
from chromagan.models.look import Look

MOST_SATURATION = 10.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one call asks for; checked here and nowhere else.

    Attributes:
        guidance: colours that a person gives, for weights that take them.
        saturation: factor on the chroma, over that of the look, 0 to 10.
        size: working size in pixels; that of the look unless given.
        seed: of whatever is drawn at random; it stands in the mark.

    Raises:
        UsageError: a value out of range, or of another type.
    """

    guidance: Guidance = Guidance()
    saturation: float = 1.0
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.guidance, Guidance):
            raise UsageError(f"the guidance of a request must be a Guidance, not {self.guidance!r}")
        # Plain numbers, of one type each: equal requests have one digest.
        object.__setattr__(self, "saturation", float(_number("saturation", self.saturation, Real)))
        object.__setattr__(self, "seed", int(_number("seed", self.seed, Integral)))
        if self.size is not None:
            object.__setattr__(self, "size", int(_number("size", self.size, Integral)))
        if not 0 <= self.saturation <= MOST_SATURATION:
            raise UsageError(f"saturation must lie between 0 and {MOST_SATURATION:g}, not {self.saturation}")
        if self.size is not None:
            Look(size=self.size)
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"the seed must be a whole number from 0 to 2^63 - 1, not {self.seed}")

    def over(self, look: Look) -> Look:
        """The look of some weights with what is asked for laid over it."""
        return replace(look, size=self.size or look.size, saturation=look.saturation * self.saturation)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that tell requests apart; the same for the same request on every machine."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def _number(name: str, value: Any, kind: type[Any]) -> Any:
    """A number, of numpy's too; `bool` is none."""
    if not isinstance(value, kind) or isinstance(value, bool):
        whole = "whole " if kind is Integral else ""
        raise UsageError(f"the {name} of a request must be a {whole}number, not {value!r}")
    return value
