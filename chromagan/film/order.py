"""All that one call asks of a film, as plain data that processes share and that tells films apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chromagan.film.folder import identity
from chromagan.film.guides import Guides, TimedReference, guides_of, timed_files
from chromagan.film.part import Coding
from chromagan.film.plan import Plan
from chromagan.film.reel import Reel
from chromagan.images.metadata import ProvenanceMark
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.masks import digest_of
from chromagan.inference.request import Request

_FORM = 1  # raised where the same order gives other frames than before


@dataclass(frozen=True)
class Order:
    """One call's wishes.

    Attributes:
        reel: the film, or the stretch of it, as it is written.
        coding: how.
        model: name or file of the weights.
        device: as for `Colorizer.from_pretrained`.
        request: what is asked for of every frame.
        references: colour photos, of scenes or of all.
        hints: a folder of guided frames.
        steady: whether colour is carried along, or every frame painted by itself.
    """

    reel: Reel
    coding: Coding
    model: str
    device: str
    request: Request
    references: tuple[TimedReference, ...]
    hints: Path | None
    steady: bool

    def colorizer(self) -> Colorizer:
        """What paints."""
        # A frame alone, whatever stands beside it: a run that goes on paints it to the same bits.
        return Colorizer.from_pretrained(self.model, self.device, batch_size=1)

    def guides(self, plan: Plan) -> Guides:
        """What guides scenes and frames; errors as for `guides_of`."""
        return guides_of(plan, self.reel, self.references, self.hints)

    def values(self, mark: ProvenanceMark) -> dict[str, Any]:
        """What decides the frames of the film; parts made for other values are of no use."""
        return {"form": _FORM, "mark": mark.entries}

    def mark(self, colorizer: Colorizer) -> ProvenanceMark:
        """The mark of the film: its request is the digest of all that is asked for, and of which film."""
        hints = timed_files(self.hints) if self.hints else []
        asked = {
            "request": self.request.digest,
            "references": [(one.seconds, digest_of(one.file)) for one in self.references],
            "hints": [(seconds, digest_of(str(file))) for file, seconds in hints],
            "steady": self.steady,
            "film": identity(self.reel.path),
            "span": self.reel.span,
            "coding": asdict(self.coding),
        }
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
        return replace(colorizer.mark_of(self.request), request=digest)
