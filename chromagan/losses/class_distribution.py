"""The class-distribution term of ChromaGAN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def class_divergence(class_logits: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the class head from the teacher, KL(teacher || head), mean over samples, in nats.

    Args:
        class_logits: (N, C) of the class head.
        teacher: (N, C) probabilities.
    """
    with torch.autocast(class_logits.device.type, enabled=False):
        logits = class_logits.to(torch.promote_types(class_logits.dtype, torch.float32))
        return F.kl_div(F.log_softmax(logits, dim=1), teacher.to(logits.dtype), reduction="batchmean")
