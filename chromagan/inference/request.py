"""What one call asks of a colorizer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from numbers import Integral, Real
from typing import Any

from chromagan.conditioning.guidance import Guidance
from chromagan.errors import UsageError
from chromagan.inference.masks import REGIONS, identified
from chromagan.models.look import Look

MOST_SATURATION = 10.0
MOST_VARIATIONS = 100
# Fields that the digest leaves out as by default, of guidance too.
_LATER = {"warmth": 0.0, "variations": 0, "views": None, "vary": None, "layer": None}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one call asks for; checked here and nowhere else.

    Attributes:
        guidance: colours that a person gives, for weights that take them.
        saturation: factor on the chroma, over that of the look, 0 to 10.
        warmth: -1 to 1: from colder, over as it is painted, to warmer.
        size: working size in pixels; that of the look unless given.
        views: of the photo that the network sees, see `Look`; those of the look unless given.
        variations: pictures to draw, each of its own; 0 for the one plain painting.
        seed: of what is drawn at random, that of the first variation; the next one's is one higher. Each picture's
            stands in its mark, and draws it again alone.

    Raises:
        UsageError: a value out of range, or of another type.
        ReadError: a region's picture, or a reference, that cannot be read.
    """

    guidance: Guidance = Guidance()
    saturation: float = 1.0
    warmth: float = 0.0
    size: int | None = None
    views: int | None = None
    variations: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.guidance, Guidance):
            raise UsageError(f"the guidance of a request must be a Guidance, not {self.guidance!r}")
        object.__setattr__(self, "guidance", identified(self.guidance))
        # Plain numbers, of one type each: equal requests have one digest.
        object.__setattr__(self, "saturation", float(_number("saturation", self.saturation, Real)))
        object.__setattr__(self, "warmth", float(_number("warmth", self.warmth, Real)))
        object.__setattr__(self, "variations", int(_number("variations", self.variations, Integral)))
        object.__setattr__(self, "seed", int(_number("seed", self.seed, Integral)))
        for name in ("size", "views"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, int(_number(name, getattr(self, name), Integral)))
        if not 0 <= self.saturation <= MOST_SATURATION:
            raise UsageError(f"saturation must lie between 0 and {MOST_SATURATION:g}, not {self.saturation}")
        if not -1 <= self.warmth <= 1:
            raise UsageError(f"warmth must lie between -1 and 1, not {self.warmth}")
        if not 0 <= self.variations <= MOST_VARIATIONS:
            raise UsageError(f"variations must lie between 0 and {MOST_VARIATIONS}, not {self.variations}")
        self.over(Look())
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"the seed must be a whole number from 0 to 2^63 - 1, not {self.seed}")

    def over(self, look: Look) -> Look:
        """The look of some weights with what is asked for laid over it."""
        given = {name: getattr(self, name) for name in ("size", "views") if getattr(self, name) is not None}
        return replace(look, saturation=look.saturation * self.saturation, **given)

    @property
    def each(self) -> list[Request]:
        """A request for every picture alone: itself, or one variation with its own seed."""
        if not self.variations:
            return [self]
        return [replace(self, variations=1, seed=(self.seed + number) % 2**63) for number in range(self.variations)]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that tell requests apart; the same for the same request on every machine."""
        return hashlib.sha256(json.dumps(self._given(), sort_keys=True).encode()).hexdigest()[:12]

    def _given(self) -> dict[str, Any]:
        """As plain values, without what came later and is not used: outputs of before keep their digest."""
        values = _used(asdict(self))
        values["guidance"] = given = _used(values["guidance"])
        for name in REGIONS:  # a picture is its content, wherever it lies
            (given.get(name) or {}).pop("file", None)
        for reference in given["references"]:
            del reference["file"]
        if "layer" in given:
            given["layer"] = given["layer"]["sha256"]
        # What tells and changes nothing is no part of it.
        given.pop("photo")
        given.pop("settings")
        given["strokes"] = [{name: one[name] for name in one if name != "applied"} for one in given["strokes"]]
        return values


def _used(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _LATER or value != _LATER[name]}


def _number(name: str, value: Any, kind: type[Any]) -> Any:
    """A number, of numpy's too; `bool` is none."""
    if not isinstance(value, kind) or isinstance(value, bool):
        whole = "whole " if kind is Integral else ""
        raise UsageError(f"the {name} of a request must be a {whole}number, not {value!r}")
    return value
