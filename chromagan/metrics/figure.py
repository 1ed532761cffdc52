"""A figure, and how sure it is: means over images with bootstrap intervals, figures of sets from disjoint subsets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES = 2000
_CHUNK = 1 << 18  # numbers of a table of counts
SUBSETS = 10
SMALLEST_SUBSET = 10  # pictures
SMALLEST_SET = 30  # below it three subsets of that size do not exist


@dataclass(frozen=True)
class Figure:
    """One cell of a table."""

    value: float  # the figure; NaN where there is none
    low: float = float("nan")  # its 95 % interval; NaN where it has none
    high: float = float("nan")
    count: int = 0  # images that it is over
    # Images that have no finite figure (an exact reproduction has an infinite PSNR) and are not in it.
    left_out: int = 0


def bootstrap_sums(columns: Array, resamples: int = RESAMPLES, seed: int | Sequence[int] = 0) -> Array:
    """Sums over images of every column, in samples drawn with replacement (Efron, Annals of Statistics 7(1), 1979).

    All columns, (images, columns) float64 and finite, see the same samples, so differences between them keep what they
    share. Memory does not depend on the number of samples, and the answer, (resamples, columns) float64, depends on
    nothing but the arguments (no multithreaded sum is in it).
    """
    count = len(columns)
    random = np.random.default_rng(seed)
    sums = np.empty((resamples, columns.shape[1]))
    chunk = max(1, _CHUNK // max(1, count))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = random.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        sums[start : start + rows] = np.einsum("rn,nk->rk", times, columns)
    return sums


def interval(statistics: Array) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic over bootstrap samples; NaN where nothing is finite."""
    kept = statistics[np.isfinite(statistics)]
    if kept.size == 0:
        return math.nan, math.nan
    low, high = np.percentile(kept, (2.5, 97.5))
    return float(low), float(high)


def mean_figure(values: Sequence[float] | Array, resamples: int = RESAMPLES, seed: int = 0) -> Figure:
    """The mean over images, one number each, with its 95 % percentile bootstrap interval.

    Numbers that are not finite are left out and counted. NaN over nothing, and without an interval over fewer than two.
    """
    array = np.asarray(values, np.float64)
    kept = array[np.isfinite(array)]
    left_out = len(array) - len(kept)
    if len(kept) == 0:
        return Figure(math.nan, count=0, left_out=left_out)
    value = math.fsum(kept) / len(kept)
    if len(kept) < 2:
        return Figure(value, count=1, left_out=left_out)
    low, high = interval(bootstrap_sums(kept[:, None], resamples, seed)[:, 0] / len(kept))
    return Figure(value, low, high, len(kept), left_out)


def disjoint_subsets(count: int, limit: int | None = None) -> list[NDArray[np.int64]]:
    """Positions 0 to count - 1 dealt in turn to at most 10 subsets of at least 10 members; none below 30.

    The members stand in a random order already. A subset has `limit` members at most; the others are left out.
    """
    if count < SMALLEST_SET:
        return []
    subsets = min(SUBSETS, count // SMALLEST_SUBSET)
    return [np.arange(first, count, subsets)[:limit] for first in range(subsets)]


def interval_from_subsets(
    value: float, found: Sequence[float], sizes: Sequence[int], total: int
) -> tuple[float, float]:
    """An interval for the figure of a whole set of `total` members, from the figures of disjoint subsets of such sizes.

    The subsets' standard deviation is scaled by the root of (size of a subset / size of the set), as for a mean, and
    Student's t of as many degrees of freedom as subsets less one makes it 95 %. It is put around the figure of the
    whole set, because figures of subsets have another bias (FID's grows as sets shrink). So it says how much the figure
    would change with other images of that number, and nothing about the bias itself. NaN where there are fewer than
    three subsets.
    """
    if len(found) < 3 or not np.isfinite(found).all():
        return math.nan, math.nan
    from scipy.stats import t

    error = float(np.std(found, ddof=1)) * math.sqrt(float(np.mean(sizes)) / total)
    reach = float(t.ppf(0.975, len(found) - 1)) * error
    return value - reach, value + reach
