"""What an evaluation is asked for: one field for each flag of `chromagan evaluate`, checked in one place."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from chromagan.errors import UsageError

Place = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What to compare, with what, and where the report goes.

    Attributes:
        pred: folders of colorized pictures by any program, `NAME=DIR` or `DIR`.
        truth: true colour photos of the same names.
        model: shipped networks or files of weights, each perhaps with `NAME=` before it; photos become gray first.
        data: true colour photos for models, as `truth`; alone it stands for the model `chromagan`.
        protocol: images, crop and size, see `docs/protocols.md`.
        list: file with the published list of images that a protocol needs.
        metrics: names; None for all that need nothing but pixels, `["all"]` for all.
        metric_networks: folder with the networks that metrics need.
        classifier: timm model for `accuracy`, `agreement` and `class_kl`; None for MobileNetV2.
        classifier_weights: its file.
        no_download: never download a metric's network.
        limit: measure the first so many photos.
        against: "published" for published figures of the protocol beside the own ones.
        size: working size of models in pixels; None for what suits the weights.
        saturation: factors on the models' chroma, a row each; None for 1.
        simulated_hints: numbers of true colours that models are shown of each photo, a row each.
        hint_size: side of the hints' squares at the working size; None for 4.
        hint_seed: decides, with a photo's name, where they are; None for 0.
        device: "auto", "cpu", "cuda" or "mps".
        out: folder for report, tables and figures; a killed run goes on there.

    Raises:
        UsageError: options that contradict each other or are out of range.
    """

    pred: Sequence[str] = ()
    truth: Place | None = None
    model: Sequence[str] = ()
    data: Place | None = None
    protocol: str = "folder"
    list: Place | None = None
    metrics: Sequence[str] | None = None
    metric_networks: Place | None = None
    classifier: str | None = None
    classifier_weights: Place | None = None
    no_download: bool = False
    limit: int | None = None
    against: str | None = None
    size: int | None = None
    saturation: Sequence[float] | None = None
    simulated_hints: Sequence[int] | None = None
    hint_size: int | None = None
    hint_seed: int | None = None
    device: str = "auto"
    out: Place | None = None

    def __post_init__(self) -> None:
        if self.data and self.truth:
            raise UsageError("--data and --truth both name the true photos; give one of them")
        if self.pred and not self.truth:
            raise UsageError("--pred needs the true photos: add --truth DIR")
        if self.truth and not (self.pred or self.model):
            raise UsageError("--truth needs something to compare: add --pred NAME=DIR, or --model NAME")
        if not (self.data or self.truth):
            raise UsageError("name what to measure: --pred NAME=DIR --truth DIR, or --model NAME --data DIR")
        if not self.models and (self.saturation or self.size):
            raise UsageError("--saturation and --size are for models; add --model, or leave them out")
        self._check_hints()
        wrong = [factor for factor in self.factors if not (factor >= 0 and math.isfinite(factor))]
        if wrong:
            raise UsageError(f"--saturation must be 0 or more, not {wrong[0]}")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit must be at least 1, not {self.limit}")
        if self.against not in (None, "published"):
            raise UsageError(f"--against takes published, not {self.against}")

    def _check_hints(self) -> None:
        if self.simulated_hints is None:
            if self.hint_size is not None or self.hint_seed is not None:
                raise UsageError("--hint-size and --hint-seed are for --simulated-hints; add it, or leave them out")
            return
        if not self.models:
            raise UsageError("--simulated-hints is for models; add --model siggraph17, or leave it out")
        wrong = [count for count in self.simulated_hints if count < 0]
        if wrong:
            raise UsageError(f"--simulated-hints must be 0 or more, not {wrong[0]}")
        if self.hint_size is not None and self.hint_size < 1:
            raise UsageError(f"--hint-size must be at least 1, not {self.hint_size}")

    @property
    def photos(self) -> Place:
        """Where the true photos are."""
        return self.truth or self.data or ""

    @property
    def models(self) -> Sequence[str]:
        """The models, with the one that stands for none."""
        return self.model or (["chromagan"] if self.data else [])

    @property
    def factors(self) -> Sequence[float]:
        """The saturations, at least one."""
        return self.saturation or [1.0]
