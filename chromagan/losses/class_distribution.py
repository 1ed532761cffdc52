"""The class-distribution term of ChromaGAN."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.losses.registry import LossTerm, Sight, register_term
from chromagan.options import at_least, option


@register_term("class")
@dataclass(frozen=True)
class ClassDistribution(LossTerm):
    """What the class head learns from a frozen classifier."""

    needs, words, place, teaches_colours = frozenset({"teacher"}), "classes", 3, False

    teacher: str = option("tf_efficientnet_lite2", "classifier of the class term, by its timm name")
    teacher_weights: str = option("", "local safetensors of the teacher instead of a download")
    teacher_gray: bool = option(False, "show the teacher the gray photo, as the 2020 paper did")
    teacher_raw_lightness: bool = option(False, "feed the teacher L/100 unnormalised, as the 2020 release did")
    class_weight: float = option(
        0.003, "weight of the class-distribution term; 0 trains without a teacher", at_least(0)
    )

    def __call__(self, sight: Sight) -> Tensor | None:
        """In nats; None where there is no teacher, or no class head."""
        if sight.classify is None or sight.class_logits is None:
            return None
        return class_divergence(sight.class_logits, sight.classify())


def class_divergence(class_logits: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher || head) of a head's logits (N, C) and a teacher's probabilities (N, C): nats, mean over samples."""
    with torch.autocast(class_logits.device.type, enabled=False):
        logits = class_logits.to(torch.promote_types(class_logits.dtype, torch.float32))
        return F.kl_div(F.log_softmax(logits, dim=1), teacher.to(logits.dtype), reduction="batchmean")
