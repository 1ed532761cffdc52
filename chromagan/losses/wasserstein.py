"""The Wasserstein game with gradient penalty (Gulrajani et al. 2017), as ChromaGAN plays it. Signs are fixed here only.

The critic scores what is real high. So the critic minimises `-mean(real) + mean(fake)` plus the penalty, and the
generator minimises `-mean(fake)`.

The penalty bounds the gradient of one number a sample, and it matters which. The 2020 release differentiates the SUM of
the patch scores, while its Wasserstein terms use their MEAN: with P patches the mean is then only 1/P-Lipschitz
(P = 784 at 224 px) and the adversarial gradient that reaches the generator is about P times weaker than with the
penalty on the mean. Both are offered (`penalty_on`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from chromagan.errors import UsageError
from chromagan.losses.registry import LossTerm, Sight, register_term
from chromagan.options import at_least, option

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15

Critic = Callable[[Tensor, Tensor], Tensor]
PenaltyOn = Literal["sum", "mean"]


@register_term("adversarial")
@dataclass(frozen=True)
class Adversarial(LossTerm):
    """The generator's part of the game, and the penalty of the critic's."""

    needs, words, place = frozenset({"critic"}), "adversary", 4

    adversarial_weight: float = option(0.005, "weight of the adversarial term; 0 trains without a critic", at_least(0))
    gradient_penalty: float = option(10.0, "weight of the gradient penalty", at_least(0))
    penalty_on: PenaltyOn = option("mean", "number whose gradient the penalty bounds", choices=("sum", "mean"))

    def check(self) -> None:
        """Refuse a switch of a penalty that is off."""
        if self.penalty_on == "sum" and self.gradient_penalty == 0:
            raise UsageError("--penalty-on has no meaning with --gradient-penalty 0; leave one of them out")

    def __call__(self, sight: Sight) -> Tensor:
        """Minus the critic's mean score; None before there is a critic."""
        assert sight.critic is not None
        return generator_loss(sight.critic(sight.L, sight.predicted_ab))


def generator_loss(fake_scores: Tensor) -> Tensor:
    """What the generator minimises: minus the mean score of its own colours; scores of any shape."""
    return -fake_scores.mean()


def critic_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """What the critic minimises, penalty apart: minus the estimated Wasserstein distance."""
    return fake_scores.mean() - real_scores.mean()


def gradient_penalty(
    critic: Critic, L: Tensor, real_ab: Tensor, fake_ab: Tensor, mix: Tensor, ab_unit: float, penalty_on: PenaltyOn
) -> Tensor:
    """Mean over samples of (1 - norm of the score's gradient at an interpolate)^2.

    Computed in float32 outside autocast, on the bare critic (not one wrapped for distributed training). L is not
    interpolated.

    Args:
        critic: `(L, ab) -> (N, 1, h, w)` scores.
        L: (N, 1, H, W) in [0, 100].
        real_ab: (N, 2, H, W) in Lab units.
        fake_ab: (N, 2, H, W) in Lab units.
        mix: (N,) in [0, 1], uniform: one mixing weight a sample, the share of `real_ab`.
        ab_unit: Lab units that count as one in the norm; 255 is the paper's scale of ab.
        penalty_on: bound the gradient of the sum of a sample's patch scores (the release) or of their mean.

    Returns:
        A scalar that can be differentiated with respect to the critic's parameters.
    """
    with torch.autocast(L.device.type, enabled=False):
        precise = torch.promote_types(real_ab.dtype, torch.float32)
        weight = mix.view(-1, 1, 1, 1).to(precise)
        point = torch.lerp(fake_ab.detach().to(precise), real_ab.detach().to(precise), weight).requires_grad_(True)
        scores = critic(L.to(precise), point).flatten(1)
        score = scores.sum(1) if penalty_on == "sum" else scores.mean(1)
        (gradient,) = torch.autograd.grad(score.sum(), point, create_graph=True)
        # The epsilon keeps the square root's gradient finite where the critic is flat.
        norm = (gradient.flatten(1).square().sum(1) * ab_unit**2 + 1e-12).sqrt()
        return (1 - norm).square().mean()


def mixing_weights(ordinals: Tensor, seed: int, step: int = 0) -> Tensor:
    """One uniform mixing weight a sample for `gradient_penalty`, decided by (seed, step, ordinal) and nothing else.

    So a batch that is split over processes, or a run that goes on from a checkpoint, has the weights of the undivided
    one. They are the outputs of SplitMix64 (Steele, Lea and Flood 2014), its start scrambled from seed and step.

    Args:
        ordinals: (N,) integers, each sample's place in the stream of training photographs.
        seed: of the run, any integer.
        step: which of the critic's steps on these samples, from 0.

    Returns:
        (N,) float32 in [0, 1), multiples of 2^-24, on the device of `ordinals`.
    """
    start = np.zeros(1, np.uint64)
    for number in (seed, step):
        start = _scramble(start + np.uint64(((number + 1) * _GOLDEN) & _WORD))
    places = ordinals.detach().cpu().numpy().astype(np.uint64)
    bits = _scramble(start + (places + np.uint64(1)) * np.uint64(_GOLDEN)) >> np.uint64(40)
    return torch.from_numpy(bits.astype(np.float32) * np.float32(2**-24)).to(ordinals.device)


def _scramble(words: np.ndarray) -> np.ndarray:
    """SplitMix64's bijection of 64-bit words; arithmetic is modulo 2^64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
