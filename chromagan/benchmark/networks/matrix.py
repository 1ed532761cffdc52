"""What a benchmark of the zoo trains: entries, the budget and settings that all share, a run's configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chromagan.errors import UsageError
from chromagan.losses.class_distribution import ClassDistribution
from chromagan.losses.objective import ObjectiveOptions
from chromagan.models.options import parse_value
from chromagan.models.registry import model_record
from chromagan.models.trunk import trunks_of
from chromagan.training.build import build_generator
from chromagan.training.config import TrainConfig, preset_options, reconciled
from chromagan.training.hints import HintOptions


def parse_options(words: list[str]) -> dict[str, Any]:
    """Training options written `OPTION=VALUE`, by the names of the configuration's fields, `-` or `_` in them.

    `UsageError` where there is no such option, or the value is of another type.
    """
    known = TrainConfig.options()
    options: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise UsageError(f"{word!r}: write OPTION=VALUE with an option of chromagan train, such as size=112")
        try:
            options[name] = parse_value(known[name].kind, text)
        except ValueError as error:
            raise UsageError(f"{word!r}: the value is not of the option's type; see chromagan train --help") from error
    return options


def file_name(label: str) -> str:
    """A label as the name of a file or folder."""
    return "".join(c if c.isalnum() or c in "._-=" else "-" for c in label)


@dataclass(frozen=True)
class Entry:
    """One row of the table: a registered network with options of its own, on top of what all entries share.

    Its label is as it was written, `NAME` or `NAME:OPTION=VALUE,...`.
    """

    label: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def parse(label: str) -> Entry:
        """Read a label; `ModelError` or `UsageError` where it names nothing."""
        model, _, options = label.partition(":")
        model_record(model)
        return Entry(label, model, parse_options([word for word in options.split(",") if word]))

    @property
    def weightless(self) -> bool:
        """Whether there is nothing to train."""
        return model_record(self.model).weightless

    @property
    def folder(self) -> str:
        """The label as a file name."""
        return file_name(self.label)


@dataclass(frozen=True)
class Matrix:
    """What all rows share."""

    data: list[str]  # training photographs, as `--data` of training takes them
    val: str  # held-out folder; none of its photos should be trained on
    images: int = 0  # photographs that each model is trained on; 0 with `minutes`
    minutes: float = 0.0  # how long each is trained instead: its own pace, measured first, turns them into photographs
    common: dict[str, Any] = field(default_factory=dict)  # training options of all entries, by name
    # Train by the recipes of the networks' authors; else their objective alone is taken from there, and optimiser,
    # schedule, crops and batches are the default preset's for all.
    recipes: bool = False
    # Trunks without a file in `weights` start from nothing, and there is no class term without a teacher's file; else
    # they are downloaded.
    no_pretrained: bool = False
    weights: dict[str, str] = field(default_factory=dict)  # local files of pretrained backbones, by backbone
    eval_size: int = 256  # short side of the held-out photos in pixels
    eval_limit: int = 0  # measure so many of them; 0 for all
    vgg16: str = ""  # file for `vgg16_oxford_distance`; empty leaves that figure out
    colourfulness: float = 20.0  # at which networks are compared besides, see `psnr_at_colourfulness`

    def __post_init__(self) -> None:
        if (self.images > 0) == (self.minutes > 0) or min(self.images, self.minutes) < 0:
            raise UsageError("give the budget of each model by --images or by --minutes, one of them")
        if self.colourfulness <= 0:
            raise UsageError("--equal-colourfulness is above 0")

    def config(self, entry: Entry, seed: int, images: int) -> tuple[TrainConfig, str]:
        """The configuration of one run on so many photographs, and what its network starts from.

        That is "pretrained", "not pretrained" (the network has a backbone and it starts from nothing) or "no backbone".
        `UsageError` for options that contradict each other or that this network does not have.
        """
        # What a recipe says of the objective; all else in it is about optimiser, order of the updates and data.
        objective = ObjectiveOptions.options() | HintOptions.options()
        recipe = {k: v for k, v in preset_options(entry.model).items() if self.recipes or k in objective}
        options: dict[str, Any] = {**recipe, **self.common, **entry.options}
        fixed: dict[str, Any] = {"data": self.data, "model": entry.model, "seed": seed, "images": images}
        options = reconciled(options, {*self.common, *entry.options})
        bare = TrainConfig.from_flat(
            {**options, **fixed, "eval_every": 0, "no_pretrained": True, "backbone_weights": []}
        )
        names = [str(trunk.name) for trunk in trunks_of(build_generator(bare))]
        files = [f"{name}={self.weights[name]}" for name in names if name in self.weights]
        local = options.get("backbone_weights") or files
        if self.no_pretrained and not (names and local):
            return bare, "not pretrained" if names else "no backbone"
        # Without a teacher's file there is no class term, where nothing may be downloaded.
        taught = bare.objective.term(ClassDistribution).teacher_weights or not self.no_pretrained
        changes = {"no_pretrained": False, "backbone_weights": local if names else []}
        config = bare.changed(**changes, **({} if taught else {"class_weight": 0.0}))
        return config, "pretrained" if names else "no backbone"
