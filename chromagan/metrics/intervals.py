"""95 % intervals of figures of sets, such as FID, from disjoint subsets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SUBSETS = 10
SMALLEST_SUBSET = 10  # pictures
SMALLEST_SET = 30  # below it three subsets of that size do not exist


def disjoint_subsets(count: int, limit: int | None = None) -> list[NDArray[np.int64]]:
    """Positions 0 to count - 1 dealt in turn to at most 10 subsets of at least 10 members; none below 30.

    Args:
        count: of members, which stand in a random order already.
        limit: members of a subset at most; the others are left out.
    """
    if count < SMALLEST_SET:
        return []
    subsets = min(SUBSETS, count // SMALLEST_SUBSET)
    return [np.arange(first, count, subsets)[:limit] for first in range(subsets)]


def interval_from_subsets(
    value: float, found: Sequence[float], sizes: Sequence[int], total: int
) -> tuple[float, float]:
    """An interval for a figure of a whole set, from the figures of disjoint subsets.

    The subsets' standard deviation is scaled by the root of (size of a subset / size of the set), as for a mean, and
    Student's t of as many degrees of freedom as subsets less one makes it 95 %. It is put around the figure of the
    whole set, because figures of subsets have another bias (FID's grows as sets shrink). So it says how much the
    figure would change with other images of that number, and nothing about the bias itself.

    Args:
        value: figure of the whole set.
        found: figures of the subsets.
        sizes: of the subsets.
        total: size of the whole set.

    Returns:
        Both ends; NaN where there are fewer than three subsets.
    """
    if len(found) < 3 or not np.isfinite(found).all():
        return math.nan, math.nan
    from scipy.stats import t

    error = float(np.std(found, ddof=1)) * math.sqrt(float(np.mean(sizes)) / total)
    reach = float(t.ppf(0.975, len(found) - 1)) * error
    return value - reach, value + reach
