"""The optimisers of a run, by the options of its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

from chromagan.options import Section, at_least, option


@dataclass(frozen=True)
class OptimizerOptions(Section):
    """The optimisers of generator and critic, and the average of the generator's weights."""

    lr: float = option(3e-4, "learning rate of the generator")
    critic_lr: float = option(1e-4, "learning rate of the critic")
    optimizer: str = option("adam", "of the generator; the critic keeps Adam", choices=("adam", "adamw", "sgd"))
    momentum: float = option(0.9, "momentum of --optimizer sgd", lambda share: 0 <= share < 1)
    weight_decay: float = option(
        0.0, "of the generator's weights: added to the gradient, by adamw to the step", at_least(0)
    )
    beta1: float = option(0.9, "Adam's beta1 of the generator")
    critic_beta1: float = option(0.5, "Adam's beta1 of the critic")
    trunk_lr: float = option(0.1, "learning rate of the trunk, as a share of --lr")
    ema: float = option(
        0.998,
        "decay of the exponential average of the weights, for 16 photos a step; 0 for none",
        lambda decay: 0 <= decay < 1,
    )


def generator_optimizer(groups: Any, options: OptimizerOptions, device: torch.device) -> Optimizer:
    """The optimiser that `--optimizer` names.

    Args:
        groups: parameters, or groups of them with their learning rates.
        options: with the rate, beta1, momentum and weight decay.
        device: where the parameters are.
    """
    kinds: dict[str, Callable[[], Optimizer]] = {
        "adam": lambda: _adam(Adam, groups, options.lr, options.beta1, device, options.weight_decay),
        "adamw": lambda: _adam(AdamW, groups, options.lr, options.beta1, device, options.weight_decay),
        "sgd": lambda: SGD(groups, lr=options.lr, momentum=options.momentum, weight_decay=options.weight_decay),
    }
    return kinds[options.optimizer]()


def critic_optimizer(parameters: Any, options: OptimizerOptions, device: torch.device) -> Optimizer:
    """The critic's Adam, whatever trains the generator."""
    return _adam(Adam, parameters, options.critic_lr, options.critic_beta1, device, 0.0)


def _adam(
    kind: type[Adam] | type[AdamW], parameters: Any, rate: float, beta1: float, device: torch.device, decay: float
) -> Optimizer:
    """In one fused kernel where PyTorch has it."""
    fused = device.type in ("cuda", "cpu")
    return kind(parameters, lr=rate, betas=(beta1, 0.999), weight_decay=decay, fused=fused)
