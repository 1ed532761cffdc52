"""Means by group of skin, their intervals, and the gap between groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.figure import RESAMPLES, Figure, bootstrap_sums, interval

Floats = NDArray[np.float64]

_CHUNK = 1 << 21  # numbers that a step of the dealing holds at once


@dataclass(frozen=True)
class Gap:
    """The distance between the groups whose means lie furthest apart.

    Attributes:
        highest, lowest: names of the groups; of an error, the worst served and the best served.
        difference: mean of `highest` minus mean of `lowest`, with its 95 % interval (these two groups held fixed).
        p_value: how often groups of the same sizes, filled with the same faces by chance, lie this far apart or
            further. The largest of several differences is never 0, so read this before the difference.
    """

    highest: str
    lowest: str
    difference: Figure
    p_value: float


@dataclass(frozen=True)
class GroupedFigures:
    """One measure of one colorizer: over all faces, by group (NaN and count 0 without faces), and the gap.

    There is a gap between the groups that have enough faces; none where fewer than two have.
    """

    overall: Figure
    groups: dict[str, Figure]
    gap: Gap | None


def grouped_figures(
    values: Mapping[str, Sequence[tuple[str, float]]], fewest: int, seed: int = 0, resamples: int = RESAMPLES
) -> GroupedFigures:
    """Means by group with 95 % bootstrap intervals, and the gap.

    Photos are resampled, not faces: two faces of one photo share its light, and are no independent witnesses. One photo
    alone has no interval (NaN). The same faces in any order give the same answer.

    Args:
        values: by group, (photo, figure) of each face; a figure that is not finite is left out and counted.
        fewest: faces that a group needs to have a part in the gap.
        seed: of the resampling.
        resamples: how many.
    """
    groups, draws, finite = {}, {}, {}
    for index, (name, faces) in enumerate(values.items()):
        groups[name], draws[name], finite[name] = _figure(faces, (seed, index), resamples)
    everyone = [face for faces in values.values() for face in faces]
    overall, _, _ = _figure(everyone, (seed, len(values)), resamples)
    enough = {name: finite[name] for name in values if len(finite[name]) >= fewest}
    if len(enough) < 2:
        return GroupedFigures(overall, groups, None)
    highest = max(enough, key=lambda name: groups[name].value)
    lowest = min(enough, key=lambda name: groups[name].value)
    if highest == lowest:  # all means are equal
        lowest = next(name for name in enough if name != highest)
    low, high = interval(draws[highest] - draws[lowest])
    top, bottom = groups[highest], groups[lowest]
    difference = Figure(top.value - bottom.value, low, high, top.count + bottom.count)
    rng = np.random.default_rng([seed, len(values) + 1])
    p_value = shuffled_gap_p_value(list(enough.values()), rng, resamples)
    return GroupedFigures(overall, groups, Gap(highest, lowest, difference, p_value))


def _figure(faces: Sequence[tuple[str, float]], seed: Sequence[int], resamples: int) -> tuple[Figure, Floats, Floats]:
    """The mean with its interval, the resampled means, and the finite figures in an order that depends on nothing."""
    kept = sorted((photo, value) for photo, value in faces if math.isfinite(value))
    left_out = len(faces) - len(kept)
    values = np.array([value for _, value in kept], dtype=np.float64)
    if not kept:
        return Figure(math.nan, left_out=left_out), np.full(resamples, math.nan), values
    mean = math.fsum(values) / len(values)
    means = resampled_means([photo for photo, _ in kept], values, seed, resamples)
    low, high = interval(means)
    return Figure(mean, low, high, len(values), left_out), means, values


def resampled_means(photos: Sequence[str], values: Floats, seed: int | Sequence[int], resamples: int) -> Floats:
    """Means over faces, (n,) figures with their photos' names, of photos drawn with replacement.

    Returns:
        (resamples,) means; NaN where there is only one photo, from which nothing about others follows.
    """
    names, photo_of = np.unique(np.asarray(photos), return_inverse=True)
    if len(names) < 2:
        return np.full(resamples, math.nan)
    faces = np.bincount(photo_of, minlength=len(names)).astype(np.float64)
    columns = np.stack([np.bincount(photo_of, values, len(names)), faces], axis=1)
    sums, counts = bootstrap_sums(columns, resamples, seed).T
    return np.asarray(sums / counts)


def shuffled_gap_p_value(groups: Sequence[Floats], rng: np.random.Generator, shuffles: int) -> float:
    """P value of the gap between the highest and the lowest mean, by dealing the figures to the groups at random.

    Returns:
        (1 + deals with a gap at least as large) / (1 + deals), so never 0. No group may be empty.
    """
    values = np.concatenate(list(groups))
    ends = np.cumsum([len(group) for group in groups])
    starts = np.concatenate(([0], ends[:-1]))
    sizes = ends - starts

    def spread(rows: Floats) -> Floats:
        means = np.add.reduceat(rows, starts, axis=1) / sizes
        return means.max(1) - means.min(1)

    observed = spread(values[None])[0]
    reached, step = 0, max(1, _CHUNK // len(values))
    for start in range(0, shuffles, step):
        rows = np.tile(values, (min(step, shuffles - start), 1))
        # Not below by more than rounding: equal figures must count as reached.
        reached += int((spread(rng.permuted(rows, axis=1)) >= observed - 1e-9 * max(1.0, abs(observed))).sum())
    return (1 + reached) / (1 + shuffles)
