"""What a measurement of fairness is asked for: one field for each flag of `chromagan fairness`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from chromagan.errors import UsageError

Place = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class FairnessOptions:
    """Whose colours of skin, on which photos; `UsageError` for options that contradict each other or are out of range.

    Attributes:
        pred, truth: folders of colorized pictures by any program, `NAME=DIR` or `DIR`, and of the true photos.
        model, data: a shipped network or a file of weights and colour photos of faces, in place of both.
        masks: folder of skin masks in place of the face detector.
        group_by: "ita", the typology angle of the true skin, or "lightness", its L*, which a gray photo tells.
        min_faces: groups with fewer are flagged and have no part in a gap.
        size: working size of the model in pixels; None for what suits the weights.
        device: "auto", "cpu", "cuda" or "mps".
        seed: of the intervals' resampling.
        out, overwrite: folder for tables and drawing, and whether to replace those that stand there.
    """

    pred: Sequence[str] | None = None
    truth: Place | None = None
    model: str | None = None
    data: Place | None = None
    masks: Place | None = None
    group_by: str = "ita"
    min_faces: int = 10
    size: int | None = None
    device: str = "auto"
    seed: int = 0
    out: Place | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        folders, network = bool(self.pred or self.truth), bool(self.model or self.data)
        if folders == network or bool(self.pred) != bool(self.truth) or bool(self.model) != bool(self.data):
            raise UsageError("give either --pred NAME=DIR ... and --truth DIR, or --model NAME|FILE and --data DIR")
        if self.min_faces < 2:
            raise UsageError(f"--min-faces must be at least 2, not {self.min_faces}")
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, not {self.seed}")
