"""The optimisers of a run, by the options of its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

from chromagan.training.config import TrainConfig


def generator_optimizer(groups: Any, config: TrainConfig, device: torch.device) -> Optimizer:
    """The optimiser that `--optimizer` names.

    Args:
        groups: parameters, or groups of them with their learning rates.
        config: with the rate, beta1, momentum and weight decay.
        device: where the parameters are.
    """
    kinds: dict[str, Callable[[], Optimizer]] = {
        "adam": lambda: _adam(Adam, groups, config.lr, config.beta1, device, config.weight_decay),
        "adamw": lambda: _adam(AdamW, groups, config.lr, config.beta1, device, config.weight_decay),
        "sgd": lambda: SGD(groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay),
    }
    return kinds[config.optimizer]()


def critic_optimizer(parameters: Any, config: TrainConfig, device: torch.device) -> Optimizer:
    """The critic's Adam, whatever trains the generator."""
    return _adam(Adam, parameters, config.critic_lr, config.critic_beta1, device, 0.0)


def _adam(
    kind: type[Adam] | type[AdamW], parameters: Any, rate: float, beta1: float, device: torch.device, decay: float
) -> Optimizer:
    """In one fused kernel where PyTorch has it."""
    fused = device.type in ("cuda", "cpu")
    return kind(parameters, lr=rate, betas=(beta1, 0.999), weight_decay=decay, fused=fused)
