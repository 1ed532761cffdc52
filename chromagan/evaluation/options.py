"""What evaluations are asked for: one field for each flag of `chromagan evaluate`, and the exam of a training run."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromagan.errors import UsageError
from chromagan.models.look import VIEWS, Look
from chromagan.options import Section, at_least, option

Place = str | os.PathLike[str]
Places = Place | Sequence[Place]


def _flags(group: str) -> Callable[..., Any]:
    """What makes fields that are flags of a group, from the line in `--help`, the default and `argparse`'s words."""
    return lambda help, default=None, **words: field(default=default, metadata={"group": group, "help": help, **words})


_what, _how, _models, _common = map(_flags, ("what to compare", "how to measure", "models", ""))


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What to compare, with what, and where the report goes; a field is the flag of its name.

    Raises:
        UsageError: options that contradict each other or are out of range.
    """

    pred: Sequence[str] = _what(
        "folders of colorized pictures, or films (NAME= is optional)", (), nargs="+", metavar="NAME=DIR"
    )
    truth: Places | None = _what(
        "true colour photos of the same names, in any format; or films", nargs="+", type=Path, metavar="DIR"
    )
    model: Sequence[str] = _what(
        "shipped networks or .safetensors files (NAME=FILE renames); photos become gray first",
        (), nargs="+", metavar="NAME|FILE",
    )  # fmt: skip
    data: Places | None = _what(
        "true colour photos for models (as --truth; model: chromagan)", nargs="+", type=Path, metavar="DIR"
    )
    protocol: str = _how("images, crop, size (default: folder, as they are; film: over time)", "folder", metavar="NAME")
    list: Place | None = _how("the published list of images that a protocol needs", type=Path, metavar="FILE")
    metrics: Sequence[str] | None = _how(
        "default: all that need no network; `all` adds the others", nargs="+", metavar="NAME"
    )
    metric_networks: Place | None = _how("folder with the networks that metrics need", type=Path, metavar="DIR")
    classifier: str | None = _how(
        "timm model for accuracy, agreement and class_kl (default: MobileNetV2)", metavar="NAME"
    )
    classifier_weights: Place | None = _how(
        "its weights (default: of --metric-networks, or timm)", type=Path, metavar="FILE"
    )
    no_download: bool = _how("never download a metric's network", False, action="store_true")
    limit: int | None = _how("measure the first N photos only", type=int, metavar="N")
    against: str | None = _how("print published figures of the protocol beside the own ones", choices=("published",))
    size: int | None = _models("working size (default: what suits the weights)", type=int, metavar="PIXELS")
    views: int | None = _models(
        "of a photo that the network sees: 1, 2 at half the size too, 4 mirrored too (default: what suits the weights)",
        type=int, choices=VIEWS,
    )  # fmt: skip
    saturation: Sequence[float] | None = _models(
        "factors on the chroma; with several, the network still runs once a photo",
        type=float, nargs="+", metavar="FACTOR",
    )  # fmt: skip
    simulated_hints: Sequence[int] | None = _models(
        "give a model N true colours of each photo (0: none); one row each",
        type=int, nargs="+", metavar="N",
    )  # fmt: skip
    hint_size: int | None = _models(
        "side of the hints' squares at the working size (default: 4)", type=int, metavar="PIXELS"
    )
    hint_seed: int | None = _models(
        "decides, with a photo's name, where they are (default: 0)", type=int, metavar="SEED"
    )
    no_spread: bool = _models("do not carry those hints along edges: what the network makes of them alone", False,
                              action="store_true")  # fmt: skip
    device: str = _common(None, "auto", choices=("auto", "cpu", "cuda", "mps"))
    out: Place | None = _common(
        "write report.html, tables, metrics.json and per_image.csv there; a killed run goes on",
        type=Path, metavar="FOLDER",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.data and self.truth:
            raise UsageError("--data and --truth both name the true photos; give one of them")
        if self.pred and not self.truth:
            raise UsageError("--pred needs the true photos: add --truth DIR")
        if self.truth and not (self.pred or self.model):
            raise UsageError("--truth needs something to compare: add --pred NAME=DIR, or --model NAME")
        if not (self.data or self.truth):
            raise UsageError("name what to measure: --pred NAME=DIR --truth DIR, or --model NAME --data DIR")
        self._check_out()
        if not self.models and (self.saturation or self.size or self.views):
            raise UsageError("--saturation, --size and --views are for models; add --model, or leave them out")
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
            if self.no_spread:
                raise UsageError("--no-spread is for --simulated-hints; add it, or leave it out")
            return
        if not self.models:
            raise UsageError("--simulated-hints is for models; add --model siggraph17, or leave it out")
        wrong = [count for count in self.simulated_hints if count < 0]
        if wrong:
            raise UsageError(f"--simulated-hints must be 0 or more, not {wrong[0]}")
        if self.hint_size is not None and self.hint_size < 1:
            raise UsageError(f"--hint-size must be at least 1, not {self.hint_size}")

    def _check_out(self) -> None:
        for place in self.photos if self.out else ():
            if Path(self.out or "").resolve().is_relative_to(place.resolve()):
                said = f"--out {self.out}: lies inside {place}, where its pictures would be taken for photos"
                raise UsageError(f"{said}; choose another --out")

    @property
    def photos(self) -> Sequence[Path]:
        """Where the true photos are."""
        places = self.truth or self.data or ()
        return [Path(one) for one in ([places] if isinstance(places, str | os.PathLike) else places)]

    @property
    def models(self) -> Sequence[str]:
        """The models, with the one that stands for none."""
        return self.model or (["chromagan"] if self.data else [])

    @property
    def factors(self) -> Sequence[float]:
        """The saturations, at least one."""
        return self.saturation or [1.0]


@dataclass(frozen=True)
class HeldOutOptions(Section):
    """The exam of a run; it changes nothing of what is computed but which state is the best."""

    val: str = option("", "held-out folder: its photos are measured, its first ones make the preview grid", free=True)
    eval_every: int = option(10_000, "photographs between evaluations on --val; 0 for none", at_least(0), free=True)
    eval_size: int = option(256, "short side of the held-out photos in pixels", at_least(32), free=True)
    eval_limit: int = option(200, "measure so many held-out photos, evenly spaced; 0 for all", at_least(0), free=True)
    metrics: list[str] = option(["psnr", "ssim", "colourfulness"], "figures of an evaluation", free=True)
    best_metric: str = option(
        "",
        "figure by which the best checkpoint is chosen; unless given psnr, or the first of --metrics with a direction",
        free=True,
    )
    look_size: int = option(
        0, "working size that the weights will want and are validated at; 0 is --eval-size", free=True
    )
    look_saturation: float = option(1.0, "factor on ab that the weights will want", free=True)
    look_typical_chroma: float = option(0.0, "mean chroma that photos are drawn towards, 0 for none", free=True)
    look_annealed_share: float = option(0.0, "share of the bins' annealed mean in the colours, 0 to 1", free=True)
    look_calm: float = option(0.0, "share of chroma taken away where the bins do not agree, 0 to 1", free=True)
    look_views: int = option(1, "of a photo that the network sees, 1, 2 or 4", free=True)
    metric_networks: str = option(
        "", "folder with the networks of LPIPS, FID and KID, by their published names", free=True
    )

    def check(self) -> None:
        """Refuse a look out of range."""
        _ = self.look

    @property
    def examines(self) -> bool:
        """Whether the run has an exam at all."""
        return bool(self.val and self.eval_every and self.metrics)

    @property
    def look(self) -> Look:
        """How the run's weights are used: by validation and previews, and by default once they are exported."""
        size = self.look_size or self.eval_size
        return Look(size, self.look_saturation, self.look_typical_chroma, self.look_annealed_share, self.look_calm,
                    self.look_views)  # fmt: skip
