"""How long a run is, in what portions, and what changes over it: all as functions of the photographs seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chromagan.errors import UsageError
from chromagan.options import Section, at_least, option, within


def parse_rate_steps(steps: list[str]) -> list[tuple[float, float]]:
    """`SHARE:FACTOR` as numbers, in the order of the shares; `ValueError` for anything else."""
    pairs = [step.split(":") for step in steps]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a step of the learning rate is written SHARE:FACTOR")
    return sorted((float(share), float(factor)) for share, factor in pairs)


def _are_rate_steps(steps: list[str]) -> bool:
    try:
        return all(0 <= share <= 1 and factor >= 0 for share, factor in parse_rate_steps(steps))
    except ValueError:
        return False


@dataclass(frozen=True)
class ScheduleOptions(Section):
    """Length, batches and learning rate of a run. Counts are in photographs, so they survive another batch size."""

    batch_size: int = option(16, "photographs a step", at_least(1))
    accumulate: int = option(
        1, "parts that a batch is divided in, one after the other, to need less memory", at_least(1)
    )
    images: int = option(400_000, "length of the run in photographs", at_least(1))
    warmup: int = option(2_000, "photographs over which the learning rate rises from 0", at_least(0))
    decay: float = option(
        0.5, "share of the run, at its end, over which the learning rate falls to 0 along a cosine", within(0, 1)
    )
    schedule: str = option(
        "cosine", "how the learning rate falls: by --decay, or by --rate-steps", choices=("cosine", "steps")
    )
    rate_steps: list[str] = option(
        ["0.5:0.1", "0.8333:0.01"],
        "with --schedule steps, SHARE:FACTOR: from that share of the run on, lr x factor",
        _are_rate_steps,
    )
    trunk_start: int = option(0, "photographs after which the trunk is trained on", at_least(0))

    def check(self) -> None:
        """Refuse a batch that cannot be divided."""
        if self.batch_size % self.accumulate:
            raise UsageError("--accumulate is out of range; see chromagan train --help")

    def learning_rate_share(self, images: float) -> float:
        """Share of the full learning rate after `images` photographs: linear rise, plateau, cosine fall, or steps."""
        rise = min(1.0, (images + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "steps":
            passed = [factor for share, factor in parse_rate_steps(self.rate_steps) if images >= share * self.images]
            return rise * (passed[-1] if passed else 1.0)
        start = self.images * (1 - self.decay)
        if images <= start or self.decay == 0:
            return rise
        return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, (images - start) / (self.images - start))))


@dataclass(frozen=True)
class CriticOptions(Section):
    """When the adversary joins, and how often the critic is updated."""

    adversarial_start: int = option(0, "photographs before the adversarial term joins", at_least(0))
    critic_warmup: int = option(
        0, "photographs before --adversarial-start from which the critic trains alone", at_least(0)
    )
    adversarial_rise: int = option(
        0, "photographs over which the adversarial weight rises from 0 once it has joined", at_least(0)
    )
    critic_steps: int = option(1, "critic steps after each generator step", at_least(1))
    refresh_fakes: bool = option(False, "critic sees the colours of the just updated generator, as in the release")

    def check(self) -> None:
        """Refuse a start before the run's."""
        if self.critic_warmup > self.adversarial_start:
            raise UsageError("--critic-warmup is out of range; see chromagan train --help")

    def adversarial_share(self, images: int) -> float:
        """Share of the adversarial weight: 0 before `--adversarial-start`, then a rise over `--adversarial-rise`."""
        since = images - self.adversarial_start
        if since < 0:
            return 0.0
        return min(1.0, (since + 1) / self.adversarial_rise) if self.adversarial_rise else 1.0

    def trains(self, images: int) -> bool:
        """Whether the critic is updated: from `--critic-warmup` photographs before the adversary joins."""
        return images >= self.adversarial_start - self.critic_warmup
