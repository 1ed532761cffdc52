"""From figures of images to what a table shows: means with intervals, figures of whole sets, paired tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from chromagan.evaluation.comparison import Measured, figure_of
from chromagan.evaluation.pairs import BASELINES
from chromagan.evaluation.result import MethodResult, PairedTest
from chromagan.metrics.figure import RESAMPLES, Figure, bootstrap_sums, interval, mean_figure
from chromagan.metrics.metric import Array, MeanMetric, Metric, PictureMetric


def summarize(measured: Measured, metrics: Sequence[Metric]) -> list[MethodResult]:
    """The rows of the table, one a method in the order of `measured.values`; figures of collectors apart.

    An image counts for a metric where it is finite for every method but `truth` (which has an infinite PSNR by itself),
    so that all rows are over the same images; how many were left out is told. A photo that is gray already has an
    infinite PSNR in the row `gray` and is thus in no row's mean.
    """
    samples = _Samples(measured)
    return [_result(name, measured, metrics, samples) for name in measured.values]


def paired_tests(methods: Sequence[MethodResult], metrics: Sequence[Metric]) -> list[PairedTest]:
    """Every two methods that are no baselines, by every metric that is a mean over images and has a direction."""
    chosen = [metric.name for metric in metrics if metric.level != "set" and metric.higher_is_better is not None]
    ours = [method for method in methods if not method.baseline]
    tests = []
    for metric in chosen:
        for a, b in combinations(ours, 2):
            pair = [(method.name, np.array(method.per_image[metric])) for method in (a, b)]
            tests.append(paired_test(metric, pair[0], pair[1]))
    return tests


def paired_test(
    metric: str, a: tuple[str, Array], b: tuple[str, Array], resamples: int = RESAMPLES, seed: int = 0
) -> PairedTest:
    """Compare two methods on the same images: Wilcoxon's signed-rank test (Biometrics Bulletin 1(6), 1945).

    Each is a name and one number an image, in the same order; those count that are finite in both. The mean difference
    has an interval over so many resamples. The p value is NaN where no difference is other than zero.
    """
    both = np.isfinite(a[1]) & np.isfinite(b[1])
    differences = a[1][both] - b[1][both]
    if np.any(differences):
        from scipy.stats import wilcoxon

        p_value = float(wilcoxon(differences).pvalue)
    else:
        p_value = math.nan
    return PairedTest(a[0], b[0], metric, mean_figure(differences, resamples, seed), p_value, len(differences))


class _Samples:
    """Bootstrap sums of every figure of every method, all over the same samples of images."""

    def __init__(self, measured: Measured) -> None:
        pixels = measured.sizes.prod(axis=1).astype(np.float64)
        self.weights: dict[str, Array] = {}
        self.columns: dict[tuple[str, str], Array] = {}
        for figure, base in measured.figures.items():
            kept = np.isfinite(np.stack(measured.judged(figure))).all(axis=0)
            weight = pixels if isinstance(base, PictureMetric) and base.by_pixels else 1.0
            self.weights[figure] = np.where(kept, weight, 0.0)
            for method, row in measured.values.items():
                if figure in row:
                    column = np.where(np.isfinite(row[figure]), row[figure], 0.0) * self.weights[figure]
                    lost = method == "truth" and not np.isfinite(row[figure][kept]).all()
                    self.columns[method, figure] = np.full(len(column), math.nan) if lost else column
        self._sums: dict[tuple[str, str], Array] = {}

    def _drawn(self) -> None:
        keys = [key for key, column in self.columns.items() if np.isfinite(column).all()]
        table = np.stack([*(self.columns[key] for key in keys), *self.weights.values()], axis=1)
        sums = bootstrap_sums(table)
        weights = dict(zip(self.weights, sums[:, len(keys) :].T, strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            self._sums = {key: sums[:, i] / weights[key[1]] for i, key in enumerate(keys)}

    def mean(self, method: str, figure: str) -> float:
        weight, column = math.fsum(self.weights[figure]), self.columns.get((method, figure))
        return math.fsum(column) / weight if weight and column is not None else math.nan

    def means(self, method: str, figure: str) -> Array:
        """Of each bootstrap sample; NaN where there is none or fewer than two images."""
        if not self._sums:
            self._drawn()
        few = np.count_nonzero(self.weights[figure]) < 2
        return self._sums.get((method, figure), np.array([math.nan])) * (math.nan if few else 1.0)


def _result(name: str, measured: Measured, metrics: Sequence[Metric], samples: _Samples) -> MethodResult:
    result = MethodResult(name, baseline=name in BASELINES)
    for metric in metrics:
        base = figure_of(metric)
        if base is None or base.name not in measured.values[name]:
            continue
        if base is metric:
            result.per_image[metric.name] = measured.values[name][base.name].tolist()
        formula = metric.formula if isinstance(metric, MeanMetric) else lambda mean, truth: mean
        means = (np.array(samples.mean(method, base.name)) for method in (name, "truth"))
        low, high = interval(formula(*(samples.means(method, base.name) for method in (name, "truth"))))
        kept = int(np.count_nonzero(samples.weights[base.name]))
        cell = Figure(float(formula(*means)), low, high, kept, len(measured.sizes) - kept)
        result.summary[metric.name] = cell
        if base is not metric:
            result.of_sets[metric.name] = cell
    return result
