"""The configuration of a training run: a section for each part of it, presets, and what a saved one looks like."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromagan.data.training_photos import DataOptions
from chromagan.errors import UsageError
from chromagan.evaluation.options import HeldOutOptions
from chromagan.losses.class_distribution import ClassDistribution
from chromagan.losses.objective import ObjectiveOptions
from chromagan.models.chromagan_paper import RECIPE
from chromagan.models.look import Look
from chromagan.models.registry import list_models, model_record
from chromagan.options import Section, at_least, option, within
from chromagan.training.hints import HintOptions
from chromagan.training.schedule import CriticOptions, ScheduleOptions


def _is_decay(value: float) -> bool:
    return 0 <= value < 1


@dataclass(frozen=True)
class NetworkOptions(Section):
    """The part of a run's configuration that builds its generator."""

    model: str = option("chromagan", "generator, by its name in the registry", fixed=True)
    backbone: list[str] = option(
        [],
        "one or two semantic branches of chromagan (vgg16 unless given; tf_efficientnet_lite2, or any timm name), or "
        "the encoder of unet (its own unless given)",
        fixed=True,
    )
    model_option: list[str] = option(
        [], "an option of the network by its own name, NAME=VALUE (a list: a+b); may stand several times", fixed=True
    )
    backbone_weights: list[str] = option(
        [], "local safetensors instead of a download: NAME=FILE for each backbone, or FILE where there is one"
    )
    no_pretrained: bool = option(False, "start from nothing; drops the class term unless --teacher-weights is given")
    no_semantic: bool = option(False, "ablation: zero the deep semantic features (model chromagan)", fixed=True)
    init: str = option("", "weights to fine-tune from: a file, or a name such as chromagan@small")
    trunk_frozen: int = option(
        3,
        "octaves of VGG16 and EfficientNet-Lite2, from the finest, that are never trained; 5 freezes any trunk",
        within(0, 5),
        fixed=True,
    )
    frozen_backbones: list[str] = option(
        [], "backbones that are never trained, whatever --trunk-frozen says", fixed=True
    )

    def check(self) -> None:
        """Refuse to start from nothing and from weights at once."""
        if self.no_pretrained and self.backbone_weights:
            raise UsageError("--no-pretrained and --backbone-weights contradict each other; give one of them")

    @property
    def chosen_backbones(self) -> list[str]:
        """The backbones that the network is built with; none where the network has its own."""
        if self.backbone:
            return self.backbone
        own = model_record(self.model).options.get("backbone")
        return [] if own is None or isinstance(own.default, str) else list(own.default)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; the backbones as they are chosen."""
        return super().as_dict() | {"backbone": self.chosen_backbones}


@dataclass(frozen=True)
class OptimizerOptions(Section):
    """The optimisers of generator and critic, and the average of the generator's weights."""

    lr: float = option(3e-4, "learning rate of the generator", at_least(0))
    critic_lr: float = option(1e-4, "learning rate of the critic", at_least(0))
    optimizer: str = option(
        "adam", "of the generator; the critic keeps Adam", choices=("adam", "adamw", "sgd"), fixed=True
    )
    momentum: float = option(0.9, "momentum of --optimizer sgd", _is_decay)
    weight_decay: float = option(
        0.0, "of the generator's weights: added to the gradient, by adamw to the step", at_least(0)
    )
    beta1: float = option(0.9, "Adam's beta1 of the generator", _is_decay)
    critic_beta1: float = option(0.5, "Adam's beta1 of the critic", _is_decay)
    trunk_lr: float = option(0.1, "learning rate of the trunk, as a share of --lr", at_least(0))
    ema: float = option(
        0.998,
        "decay of the exponential average of the weights, for 16 photos a step; 0 for none",
        _is_decay,
    )


@dataclass(frozen=True)
class ComputeOptions(Section):
    """The arithmetic of a run."""

    precision: str = option(
        "auto",
        "autocast of generator and teacher; critic and penalty keep float32",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    tf32: bool = option(True, "on CUDA, let float32 convolutions and products run in TF32")
    compile: bool = option(False, "compile the generator; not the critic, whose penalty is differentiated twice")


@dataclass(frozen=True)
class TrainConfig(Section):
    """Everything that decides what a run computes; each part of the trainer takes the section that it needs."""

    photos: DataOptions = field(default_factory=DataOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    objective: ObjectiveOptions = field(default_factory=ObjectiveOptions)
    critic: CriticOptions = field(default_factory=CriticOptions)
    hints: HintOptions = field(default_factory=HintOptions)
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    exam: HeldOutOptions = field(default_factory=HeldOutOptions)
    seed: int = option(0, "seed of weights, data order and penalty", at_least(0))
    wandb: str = option("", "also log to this Weights & Biases project", free=True)

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a saved configuration, nested or flat, by option name and in today's form.

        Version 0.1 named one backbone, and its file, as plain text; its teacher was VGG16 unless named, and saw gray.
        """
        config = super().read(saved)
        if any(isinstance(value, Mapping) for value in saved.values()) or "teacher_gray" in config:
            return config
        lists = {name: [config[name]] if config.get(name) else [] for name in ("backbone", "backbone_weights")}
        taught = {"teacher": config.get("teacher") or "vgg16", "teacher_gray": True}
        if not config.get("class_weight", ClassDistribution().class_weight):
            taught = {}
            config = {name: value for name, value in config.items() if name != "teacher"}
        return {**config, **lists, **taught}

    @property
    def wants_teacher(self) -> bool:
        """Whether the class term is part of the objective, and the network has a class head that would learn by it."""
        term, has_head = self.objective.term(ClassDistribution), "classes" in model_record(self.network.model).options
        provided = not self.network.no_pretrained or bool(term.teacher_weights)
        return bool(self.objective.asking_for("teacher")) and has_head and provided


# The release's settings, and the paper's: the same with the teacher's own preprocessing.
_RELEASED: dict[str, Any] = {**RECIPE, "model": "chromagan_paper"}
_PAPER = {k: v for k, v in RECIPE.items() if k != "teacher_raw_lightness"} | {
    "bin_weight": 0.0, "rebalance": False, "hints": False,
}  # fmt: skip

_OURS = model_record("chromagan").recipe
_MOBILE: dict[str, Any] = {"backbone": ["mobilenetv2_100"], "teacher": "mobilenetv2_100"}

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": _PAPER,
    "released": _RELEASED,
    "cpu": {"size": 112, "batch_size": 16, "images": 100_000, "workers": 1},
    "lite": {"backbone": ["tf_efficientnet_lite2"], "size": 112, "trunk_frozen": 2},
    "vgg16": {"backbone": ["vgg16"], "trunk_frozen": 0, "size": 160},
    "mobile": {**_MOBILE, "trunk_frozen": 0},
    "fast": {**_MOBILE, "trunk_frozen": 5, "size": 96, "images": 50_000},
}


def preset_names() -> list[str]:
    """Our presets, then the networks that can be trained: each brings its authors' recipe under its own name."""
    own = (name for name in list_models() if not model_record(name).weightless)
    return [*PRESETS, *(name for name in own if name not in PRESETS)]


def preset_options(preset: str) -> dict[str, Any]:
    """What a preset sets, that of a network `model` too; `UsageError` where there is none of the name."""
    if preset in PRESETS:
        return PRESETS[preset]
    if preset not in preset_names():
        raise UsageError(f"--preset {preset}: there are {', '.join(preset_names())}")
    return {**model_record(preset).recipe, "model": preset}


def from_preset(preset: str, base: Mapping[str, Any] | None = None, **given: Any) -> TrainConfig:
    """A preset with the given options on top, all by their flat names.

    Args:
        preset: its name.
        base: values in place of the preset's, such as those of a saved configuration; they are not typed either.
        **given: what somebody typed; it wins.

    Raises:
        UsageError: an unknown preset or option, or values that contradict each other.
    """
    options = {**preset_options(preset), **(base or {}), **given}
    if options.get("model", "chromagan") == "chromagan":  # a preset that names no network is for any
        options = {**_OURS, **options}
    return TrainConfig.from_flat(reconciled(options, given))


def read_config(file: Path) -> dict[str, Any]:
    """The values of a saved `config.json` by their flat names, in today's form; `UsageError` for any other file."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not a readable configuration ({error}); name the config.json of a run") from error
    if not isinstance(saved, dict):
        raise UsageError(f"{file}: not a configuration; name the config.json of a run")
    values = TrainConfig.read(saved)
    unknown = sorted(set(values) - set(TrainConfig.options()))
    if unknown:
        raise UsageError(f"{file}: unknown option {unknown[0]}; name the config.json of a run")
    return values


def look_of(options: Mapping[str, Any]) -> Look:
    """The look of a run by its saved values; one of version 0.1 has the usual one."""
    if "look_size" not in options:
        return Look()
    names = HeldOutOptions.options()
    return HeldOutOptions.from_flat({name: value for name, value in options.items() if name in names}).look


def reconciled(options: dict[str, Any], given: Collection[str]) -> dict[str, Any]:
    """Options without those of a recipe that the given ones leave no meaning; the `given` names stay as they are."""
    bins = options.get("objective") == "ab_bins"
    if bins and "bin_weight" not in given:
        options = {**options, "bin_weight": 0.0}
    if not bins and not options.get("bin_weight") and "rebalance" not in given:
        options = {**options, "rebalance": False}
    return options
