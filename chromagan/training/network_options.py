"""Which generator a run trains, what it starts from, and what of it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chromagan.errors import UsageError
from chromagan.models.registry import model_record
from chromagan.options import Section, option, within


@dataclass(frozen=True)
class NetworkOptions(Section):
    """The part of a run's configuration that builds its generator."""

    model: str = option("chromagan", "generator, by its name in the registry")
    backbone: list[str] = option(
        [],
        "one or two semantic branches of chromagan (vgg16 unless given; tf_efficientnet_lite2, or any timm name), or "
        "the encoder of unet (its own unless given)",
    )
    model_option: list[str] = option(
        [], "an option of the network by its own name, NAME=VALUE (a list: a+b); may stand several times", repeated=True
    )
    backbone_weights: list[str] = option(
        [], "local safetensors instead of a download: NAME=FILE for each backbone, or FILE where there is one"
    )
    no_pretrained: bool = option(False, "start from nothing; drops the class term unless --teacher-weights is given")
    no_semantic: bool = option(False, "ablation: zero the deep semantic features (model chromagan)")
    init: str = option("", "weights to fine-tune from: a file, or a name such as chromagan@small")
    trunk_frozen: int = option(
        3,
        "octaves of VGG16 and EfficientNet-Lite2, from the finest, that are never trained; 5 freezes any trunk",
        within(0, 5),
    )
    frozen_backbones: list[str] = option([], "backbones that are never trained, whatever --trunk-frozen says")

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
