"""The configuration of a training run: one typed dataclass, presets, validation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from chromagan.errors import UsageError
from chromagan.models.chromagan_paper import RECIPE
from chromagan.models.look import Look
from chromagan.models.registry import list_models, model_record


def _option(default: Any, text: str, **extra: Any) -> Any:
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": text, **extra})
    return field(default=default, metadata={"help": text, **extra})


OBJECTIVES = ("ab_mse", "ab_l1", "ab_huber", "ab_bins")
OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("cosine", "steps")
HINT_PLACES = ("middle", "anywhere")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes. Counts are in photographs, so they survive another batch size."""

    data: list[str] = _option(
        [],
        "training photographs: folders, .tar shards (globs, {000..009}, URLs), .txt lists, "
        "torchvision:NAME?root=DIR, hf:NAME?split=train",
        required=True,
    )
    val: str = _option("", "held-out folder: its photos are measured, its first ones make the preview grid")
    model: str = _option("chromagan", "generator, by its name in the registry")
    backbone: list[str] = _option(
        [],
        "one or two semantic branches of chromagan (vgg16 unless given; tf_efficientnet_lite2, or any timm name), or "
        "the encoder of unet (its own unless given)",
    )
    backbone_weights: list[str] = _option(
        [], "local safetensors instead of a download: NAME=FILE for each backbone, or FILE where there is one"
    )
    teacher: str = _option("tf_efficientnet_lite2", "classifier of the class term, by its timm name")
    teacher_weights: str = _option("", "local safetensors of the teacher instead of a download")
    teacher_gray: bool = _option(False, "show the teacher the gray photo, as the 2020 paper did")
    teacher_raw_lightness: bool = _option(False, "feed the teacher L/100 unnormalised, as the 2020 release did")
    no_pretrained: bool = _option(False, "start from nothing; drops the class term unless --teacher-weights is given")
    no_semantic: bool = _option(False, "ablation: zero the deep semantic features (model chromagan)")
    init: str = _option("", "exported weights to fine-tune from")

    size: int = _option(128, "side of the training squares in pixels")
    smallest_crop: float = _option(0.6, "random squares have at least this share of the short side")
    min_chroma: float = _option(4.0, "photos of a smaller mean Lab chroma are left out as near-gray")
    manifest: str = _option("", "file that remembers each photo's chroma; near_gray.csv in the run folder by default")
    cache: str = _option("none", "keep all photos decoded in memory", choices=("none", "ram", "device"))
    shard_cache: str = _option("", "folder for indexes of remote shards, and for shards of servers without byte ranges")
    batch_size: int = _option(16, "photographs a step")
    images: int = _option(400_000, "length of the run in photographs")
    warmup: int = _option(2_000, "photographs over which the learning rate rises from 0")
    decay: float = _option(0.5, "share of the run, at its end, over which the learning rate falls to 0 along a cosine")
    lr: float = _option(3e-4, "learning rate of the generator")
    critic_lr: float = _option(1e-4, "learning rate of the critic")
    schedule: str = _option("cosine", "how the learning rate falls: by --decay, or by --rate-steps", choices=SCHEDULES)
    rate_steps: list[str] = _option(
        ["0.5:0.1", "0.8333:0.01"], "with --schedule steps, SHARE:FACTOR: from that share of the run on, lr x factor"
    )
    optimizer: str = _option("adam", "of the generator; the critic keeps Adam", choices=OPTIMIZERS)
    momentum: float = _option(0.9, "momentum of --optimizer sgd")
    weight_decay: float = _option(0.0, "of the generator's weights: added to the gradient, by adamw to the step")
    beta1: float = _option(0.9, "Adam's beta1 of the generator")
    critic_beta1: float = _option(0.5, "Adam's beta1 of the critic")
    trunk_lr: float = _option(0.1, "learning rate of the trunk, as a share of --lr")
    trunk_frozen: int = _option(
        3, "octaves of VGG16 and EfficientNet-Lite2, from the finest, that are never trained; 5 freezes any trunk"
    )
    frozen_backbones: list[str] = _option([], "backbones that are never trained, whatever --trunk-frozen says")
    trunk_start: int = _option(0, "photographs after which the trunk is trained on")

    objective: str = _option(
        "ab_mse", "chroma term: squared, absolute or Huber error of ab, or cross-entropy of ab bins", choices=OBJECTIVES
    )
    bin_weight: float = _option(0.0, "weight of the cross-entropy of ab bins beside --objective (chromagan)")
    rebalance: bool = _option(False, "weigh rare colours up in the cross-entropy of ab bins, by the colours of --data")
    hints: bool = _option(
        False, "show the network simulated hints, as a person would give them (chromagan, siggraph17)"
    )
    hint_free: float = _option(0.0, "with --hints, share of the photographs that are shown without")
    hint_places: str = _option(
        "middle", "with --hints, where they lie: around the middle (2017) or anywhere, evenly", choices=HINT_PLACES
    )
    global_hints: bool = _option(False, "with --hints, also colour histogram and saturation of the whole photo")
    saturation_weight: float = _option(0.0, "weight of the squared error of HSL saturation")
    chroma_weight: float = _option(1.0, "weight of the chroma term, see --objective")
    adversarial_weight: float = _option(0.005, "weight of the adversarial term; 0 trains without a critic")
    class_weight: float = _option(0.003, "weight of the class-distribution term; 0 trains without a teacher")
    gradient_penalty: float = _option(10.0, "weight of the gradient penalty")
    penalty_on: str = _option("mean", "number whose gradient the penalty bounds", choices=("sum", "mean"))
    ab_unit: float = _option(50.0, "Lab units that count as one in losses and penalty; 255 is the paper's scale")
    adversarial_start: int = _option(0, "photographs before the adversarial term joins")
    critic_warmup: int = _option(0, "photographs before --adversarial-start from which the critic trains alone")
    adversarial_rise: int = _option(0, "photographs over which the adversarial weight rises from 0 once it has joined")
    critic_steps: int = _option(1, "critic steps after each generator step")
    refresh_fakes: bool = _option(False, "critic sees the colours of the just updated generator, as in the release")

    ema: float = _option(0.998, "decay of the exponential average of the weights, for 16 photos a step; 0 for none")
    precision: str = _option(
        "auto", "autocast of generator and teacher; critic and penalty keep float32", choices=PRECISIONS
    )
    tf32: bool = _option(True, "on CUDA, let float32 convolutions and products run in TF32")
    compile: bool = _option(False, "compile the generator; not the critic, whose penalty is differentiated twice")
    accumulate: int = _option(1, "parts that a batch is divided in, one after the other, to need less memory")
    seed: int = _option(0, "seed of weights, data order and penalty")
    workers: int = _option(1, "processes that decode photographs")

    eval_every: int = _option(10_000, "photographs between evaluations on --val; 0 for none")
    eval_size: int = _option(256, "short side of the held-out photos in pixels")
    look_size: int = _option(0, "working size that the weights will want and are validated at; 0 is --eval-size")
    look_saturation: float = _option(1.0, "factor on ab that the weights will want")
    look_typical_chroma: float = _option(0.0, "mean chroma that photos are drawn towards, 0 for none")
    look_annealed_share: float = _option(0.0, "share of the bins' annealed mean in the colours, 0 to 1")
    eval_limit: int = _option(200, "measure so many held-out photos, evenly spaced; 0 for all")
    metrics: list[str] = _option(["psnr", "ssim", "colourfulness"], "figures of an evaluation")
    best_metric: str = _option("psnr", "figure by which the best checkpoint is chosen")
    metric_networks: str = _option("", "folder with the networks of LPIPS, FID and KID, by their published names")
    wandb: str = _option("", "also log to this Weights & Biases project")

    def __post_init__(self) -> None:
        for name in ("backbone", "backbone_weights"):  # one may be given plainly
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, [value] if value else [])
        checks = {
            "--size": self.size >= 32,
            "--batch-size": self.batch_size >= 1,
            "--images": self.images >= 1,
            "--min-chroma": self.min_chroma >= 0,
            "--workers": self.workers >= 0,
            "--cache": self.cache in ("none", "ram", "device"),
            "--smallest-crop": 0 < self.smallest_crop <= 1,
            "--decay": 0 <= self.decay <= 1,
            "--ema": 0 <= self.ema < 1,
            "--critic-steps": self.critic_steps >= 1,
            "--penalty-on": self.penalty_on in ("sum", "mean"),
            "--precision": self.precision in PRECISIONS,
            "--accumulate": self.accumulate >= 1 and self.batch_size % self.accumulate == 0,
            "--adversarial-rise": self.adversarial_rise >= 0,
            "--critic-warmup": 0 <= self.critic_warmup <= self.adversarial_start,
            "--eval-every": self.eval_every >= 0,
            "--eval-size": self.eval_size >= 32,
            "--eval-limit": self.eval_limit >= 0,
            "--trunk-frozen": 0 <= self.trunk_frozen <= 5,
            "--objective": self.objective in OBJECTIVES,
            "--optimizer": self.optimizer in OPTIMIZERS,
            "--schedule": self.schedule in SCHEDULES,
            "--rate-steps": _are_rate_steps(self.rate_steps),
            "--momentum": 0 <= self.momentum < 1,
            "--weight-decay": self.weight_decay >= 0,
            "--saturation-weight": self.saturation_weight >= 0,
            "--bin-weight": self.bin_weight >= 0,
            "--hint-free": 0 <= self.hint_free <= 1,
        }
        wrong = [name for name, fine in checks.items() if not fine]
        if wrong:
            raise UsageError(f"{wrong[0]} is out of range; see chromagan train --help")
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        if self.no_pretrained and self.backbone_weights:
            raise UsageError("--no-pretrained and --backbone-weights contradict each other; give one of them")
        if self.penalty_on == "sum" and self.gradient_penalty == 0:
            raise UsageError("--penalty-on has no meaning with --gradient-penalty 0; leave one of them out")
        if not any((self.chroma_weight, self.adversarial_weight, self.saturation_weight, self.bin_weight)):
            raise UsageError("--chroma-weight and --adversarial-weight are both 0: nothing would be learned")
        if self.bin_weight and self.objective == "ab_bins":
            raise UsageError("--bin-weight joins bins to another --objective; ab_bins has --chroma-weight")
        if self.rebalance and self.objective != "ab_bins" and not self.bin_weight:
            raise UsageError("--rebalance weighs ab bins; give --objective ab_bins or --bin-weight, or leave it out")
        if self.global_hints and not self.hints:
            raise UsageError("--global-hints goes with --hints; give both, or neither")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as saved with the run."""
        return {**asdict(self), "backbone": self.chosen_backbones}

    @property
    def look(self) -> Look:
        """How the weights of this run are used: by validation and previews, and by default once they are exported."""
        return look_of(self.as_dict())

    @property
    def chosen_backbones(self) -> list[str]:
        """The backbones that the network is built with; none where the network has its own."""
        return self.backbone or (["vgg16"] if self.model == "chromagan" else [])

    @property
    def wants_teacher(self) -> bool:
        """Whether the class term is part of the objective."""
        return self.class_weight > 0 and (not self.no_pretrained or bool(self.teacher_weights))


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


def look_of(options: dict[str, Any]) -> Look:
    """The look of a run by its saved configuration; one of version 0.1 has the usual one."""
    if "look_size" not in options:
        return Look()
    asked = {name: options[f"look_{name}"] for name in ("saturation", "typical_chroma", "annealed_share")}
    return Look(options["look_size"] or options["eval_size"], **asked)


def _are_rate_steps(steps: list[str]) -> bool:
    try:
        read = parse_rate_steps(steps)
    except ValueError:
        return False
    return all(0 <= share <= 1 and factor >= 0 for share, factor in read)


def parse_rate_steps(steps: list[str]) -> list[tuple[float, float]]:
    """`SHARE:FACTOR` as numbers, in the order of the shares; `ValueError` for anything else."""
    pairs = [step.split(":") for step in steps]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a step of the learning rate is written SHARE:FACTOR")
    return sorted((float(share), float(factor)) for share, factor in pairs)


def preset_names() -> list[str]:
    """Our presets, then the networks that can be trained: each brings its authors' recipe under its own name."""
    return [*PRESETS, *(name for name in list_models() if name not in PRESETS and _is_trained(name))]


def preset_options(preset: str) -> dict[str, Any]:
    """What a preset sets; that of a network sets `model` too.

    Raises:
        UsageError: there is no such preset.
    """
    if preset in PRESETS:
        return PRESETS[preset]
    if preset not in preset_names():
        raise UsageError(f"--preset {preset}: there are {', '.join(preset_names())}")
    return {**model_record(preset).recipe, "model": preset}


def _is_trained(name: str) -> bool:
    return not model_record(name).weightless


def from_preset(preset: str, **given: Any) -> TrainConfig:
    """A preset with the given options on top.

    Raises:
        UsageError: an unknown preset or option, or values that contradict each other.
    """
    known = {f.name for f in fields(TrainConfig)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise UsageError(f"unknown option {unknown[0]}")
    options = {**preset_options(preset), **given}
    if options.get("model", "chromagan") == "chromagan":  # a preset that names no network is for any
        options = {**_OURS, **options}
    return TrainConfig(**reconciled(options, given))


def reconciled(options: dict[str, Any], given: Collection[str]) -> dict[str, Any]:
    """Options without those of a recipe that the given ones leave no meaning.

    Args:
        options: by the names of the configuration's fields.
        given: names of those that somebody typed; they stay.
    """
    bins = options.get("objective") == "ab_bins"
    if bins and "bin_weight" not in given:
        options = {**options, "bin_weight": 0.0}
    if not bins and not options.get("bin_weight") and "rebalance" not in given:
        options = {**options, "rebalance": False}
    return options
