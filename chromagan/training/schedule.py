"""What changes over a run, as functions of the photographs seen."""

from __future__ import annotations

import math

from chromagan.training.config import TrainConfig, parse_rate_steps


def learning_rate_share(config: TrainConfig, images: int) -> float:
    """Share of the full learning rate after `images` photographs: linear rise, plateau, cosine fall to 0, or steps."""
    rise = min(1.0, (images + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "steps":
        passed = [factor for share, factor in parse_rate_steps(config.rate_steps) if images >= share * config.images]
        return rise * (passed[-1] if passed else 1.0)
    start = config.images * (1 - config.decay)
    if images <= start or config.decay == 0:
        return rise
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, (images - start) / (config.images - start))))


def adversarial_weight(config: TrainConfig, images: int) -> float:
    """Weight of the adversarial term: 0 before `--adversarial-start`, then a linear rise over `--adversarial-rise`."""
    since = images - config.adversarial_start
    if since < 0:
        return 0.0
    rise = min(1.0, (since + 1) / config.adversarial_rise) if config.adversarial_rise else 1.0
    return config.adversarial_weight * rise


def critic_trains(config: TrainConfig, images: int) -> bool:
    """Whether the critic is updated: from `--critic-warmup` photographs before the adversary joins."""
    return config.adversarial_weight > 0 and images >= config.adversarial_start - config.critic_warmup
