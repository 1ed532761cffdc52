"""What one call asks of a colorizer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

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
        UsageError: a value out of range.
    """

    guidance: Guidance = Guidance()
    saturation: float = 1.0
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (("saturation", int | float), ("size", int | float | None), ("seed", int)):
            if not isinstance(getattr(self, name), kind):
                raise UsageError(f"the {name} of a request must be a number, not {getattr(self, name)!r}")
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
