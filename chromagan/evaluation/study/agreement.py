"""Statistics of answers: Wilson's interval of a proportion, and Krippendorff's alpha between people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def wilson_interval(successes: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson, 1927), without continuity correction; 95 % unless told.

    Args:
        successes: 0 to `count`.
        count: trials; without any, nothing is known and the interval is [0, 1].
        z: quantile of the normal distribution.
    """
    if not 0 <= successes <= count:
        raise ValueError(f"{successes} successes in {count} trials")
    if not count:
        return 0.0, 1.0
    share, slack = successes / count, z * z / count
    middle = share + slack / 2
    spread = z * math.sqrt(share * (1 - share) / count + slack / (4 * count))
    # At the ends the interval closes exactly; rounding must not leave it a hair open.
    low = 0.0 if successes == 0 else (middle - spread) / (1 + slack)
    high = 1.0 if successes == count else (middle + spread) / (1 + slack)
    return low, high


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float:
    """Agreement of any number of people over units that not all of them judged, for nominal values.

    alpha = 1 - observed / expected disagreement (Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011): 1
    is full agreement, 0 what chance gives, below 0 more disagreement than chance.

    Args:
        units: the values that each unit was given; units with fewer than two say nothing and are left out.

    Returns:
        Alpha; NaN where no unit was judged twice, or all values are the same.
    """
    judged = [Counter(values) for values in units if len(values) > 1]
    totals: Counter[Hashable] = sum(judged, Counter())
    n = totals.total()
    observed = sum(_disagreeing_pairs(values) / (values.total() - 1) for values in judged)
    expected = _disagreeing_pairs(totals) / (n - 1) if n > 1 else 0.0
    return 1 - observed / expected if expected else math.nan


def _disagreeing_pairs(values: Counter[Hashable]) -> int:
    """Ordered pairs of different values."""
    return values.total() ** 2 - sum(count * count for count in values.values())


def percent_agreement(units: Iterable[Sequence[Hashable]]) -> float:
    """Share of the pairs of people who gave the same value, over all units together; NaN without a pair."""
    same = pairs = 0
    for values in units:
        pairs += len(values) * (len(values) - 1)
        same += sum(count * (count - 1) for count in Counter(values).values())
    return same / pairs if pairs else math.nan
