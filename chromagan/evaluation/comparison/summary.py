"""From figures of images to what a table shows: means with intervals, figures of whole sets, paired tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from chromagan.evaluation.comparison.image_metrics import BASES
from chromagan.evaluation.comparison.plan import Measured
from chromagan.evaluation.metric_names import IMAGE_METRICS
from chromagan.evaluation.pairs import BASELINES
from chromagan.evaluation.result import Figure, MethodResult, PairedTest
from chromagan.evaluation.statistics import bootstrap_sums, interval, paired_test
from chromagan.metrics.psnr import decibels

Array = NDArray[np.float64]


def summarize(measured: Measured, metrics: Sequence[str]) -> list[MethodResult]:
    """The rows of the table, figures of set metrics apart.

    An image counts for a metric where it is finite for every method but `truth` (which has an infinite PSNR by itself),
    so that all rows are over the same images; how many were left out is told. A photo that is gray already has an
    infinite PSNR in the row `gray` and is thus in no row's mean.

    Args:
        measured: figures of images, by method.
        metrics: which to show.

    Returns:
        One result a method, in the order of `measured.values`.
    """
    samples = _Samples(measured)
    return [_result(name, measured, metrics, samples) for name in measured.values]


def paired_tests(methods: Sequence[MethodResult], metrics: Sequence[str]) -> list[PairedTest]:
    """Every two methods that are no baselines, by every metric that is a mean over images and has a direction."""
    chosen = [metric for metric in metrics if IMAGE_METRICS.get(metric) is not None and metric not in BASES]
    ours = [method for method in methods if not method.baseline]
    tests = []
    for metric in chosen:
        for a, b in combinations(ours, 2):
            pair = [(method.name, np.array(method.per_image[metric])) for method in (a, b)]
            tests.append(paired_test(metric, pair[0], pair[1]))
    return tests


class _Samples:
    """Bootstrap sums of every figure of every method, all over the same samples of images."""

    def __init__(self, measured: Measured) -> None:
        self.figures = measured.figures
        judged = np.stack([values for name, values in measured.values.items() if name != "truth"])
        self.kept = np.asarray(np.isfinite(judged).all(axis=0))  # (images, figures)
        pixels = measured.sizes.prod(axis=1).astype(np.float64)
        self.weights = {figure: np.where(self.kept[:, i], 1.0, 0.0) for i, figure in enumerate(self.figures)}
        if "mse" in self.weights:  # pooled over pixels, so that a large picture counts for more
            self.weights["mse"] = self.weights["mse"] * pixels
        self.columns: dict[tuple[str, str], Array] = {}
        for method, values in measured.values.items():
            for i, figure in enumerate(self.figures):
                column = np.where(np.isfinite(values[:, i]), values[:, i], 0.0)
                self.columns[method, figure] = column * self.weights[figure]
                if method == "truth" and not np.isfinite(values[self.kept[:, i], i]).all():
                    self.columns[method, figure] = np.full(len(values), math.nan)
        self._sums: dict[tuple[str, str], Array] = {}

    def _drawn(self) -> None:
        keys = [key for key, column in self.columns.items() if np.isfinite(column).all()]
        table = np.stack([*(self.columns[key] for key in keys), *self.weights.values()], axis=1)
        sums = bootstrap_sums(table)
        weights = dict(zip(self.weights, sums[:, len(keys) :].T, strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            self._sums = {key: sums[:, i] / weights[key[1]] for i, key in enumerate(keys)}

    def mean(self, method: str, figure: str) -> float:
        weight = math.fsum(self.weights[figure])
        return math.fsum(self.columns[method, figure]) / weight if weight else math.nan

    def means(self, method: str, figure: str) -> Array:
        """Of each bootstrap sample; NaN where there is none or fewer than two images."""
        if not self._sums:
            self._drawn()
        few = np.count_nonzero(self.weights[figure]) < 2
        return self._sums.get((method, figure), np.array([math.nan])) * (math.nan if few else 1.0)


def _result(name: str, measured: Measured, metrics: Sequence[str], samples: _Samples) -> MethodResult:
    result = MethodResult(name, baseline=name in BASELINES)
    for metric in metrics:
        if metric in measured.figures:
            result.per_image[metric] = measured.values[name][:, measured.figures.index(metric)].tolist()
        figure = BASES.get(metric, (metric,))[0]
        if figure not in measured.figures:
            continue
        of = _FORMULAS.get(metric, lambda mean, truth: mean)
        value = _scalar(of, samples.mean(name, figure), samples.mean("truth", figure))
        low, high = interval(of(samples.means(name, figure), samples.means("truth", figure)))
        kept = int(np.count_nonzero(samples.weights[figure]))
        cell = Figure(value, low, high, kept, len(measured.sizes) - kept)
        result.summary[metric] = cell
        if metric in BASES:
            result.of_sets[metric] = cell
    return result


def _pooled(mean: Array, truth: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(255**2 / mean))


_FORMULAS: dict[str, Callable[[Array, Array], Array]] = {
    "psnr_pooled": _pooled,
    "ab_rmse": lambda mean, truth: np.sqrt(mean),
    "delta_colourfulness": lambda mean, truth: np.abs(mean - truth),
    "delta_colourfulness_absolute": lambda mean, truth: np.abs(mean - truth),
}


def _scalar(formula: Callable[[Array, Array], Array], mean: float, truth: float) -> float:
    if formula is _pooled:
        return decibels(mean, 1) if math.isfinite(mean) else math.nan
    return float(formula(np.array(mean), np.array(truth)))
