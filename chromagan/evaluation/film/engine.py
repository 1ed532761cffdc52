"""Films measured beside the truth: each frame is decoded once, and no more than a few are held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from chromagan.evaluation.baselines import as_rgb, gray_of_8bit
from chromagan.evaluation.comparison import BaseMetric
from chromagan.evaluation.film.clips import Clip, frames_together
from chromagan.evaluation.film.watcher import Watcher
from chromagan.metrics.eight_bit import lab_of_8bit
from chromagan.metrics.film import FilmFrame, FilmMetric, Mean, reduced
from chromagan.metrics.metric import Pair, PictureMetric, Shown

BASELINES = ("gray", "truth")


class _Row:
    """One method, or one of the rows that cost nothing, over one film."""

    def __init__(self, metrics: Sequence[BaseMetric]) -> None:
        self._of_pictures = [metric for metric in metrics if isinstance(metric, PictureMetric)]
        self._gauges = {metric.name: metric.open() for metric in metrics if isinstance(metric, FilmMetric)}

    def see(self, frame: FilmFrame) -> dict[str, float]:
        """Take a frame; gives its figures as a picture."""
        for gauge in self._gauges.values():
            gauge.see(frame)
        return {metric.name: metric.compute(frame.pair) for metric in self._of_pictures}

    def figures(self) -> dict[str, float]:
        return {name: gauge.figure() for name, gauge in self._gauges.items()}


def measure_film(
    name: str, truth: Clip, methods: Mapping[str, Clip], metrics: Sequence[BaseMetric], workers: int = 2
) -> tuple[dict[str, dict[str, float]], tuple[int, int], int]:
    """Measure one film of every method, and the rows `gray` and `truth`.

    Of metrics of pictures the figure is the mean over frames. A frame counts where it is finite in every row but
    `truth`, so that all rows are over the same frames; NaN where none is left.

    Args:
        name: for the bar.
        truth: the true film.
        methods: what each method made of it.
        metrics: of pictures and films.
        workers: threads; rows are shared among them.

    Returns:
        By row and metric the figures, height and width, and how many frames there are.

    Raises:
        DataError, ReadError: see `frames_together`.
    """
    rows = {method: _Row(metrics) for method in (*methods, *BASELINES)}
    means: dict[str, dict[str, Mean]] = {row: {} for row in rows}
    watcher, size, count = Watcher(), (0, 0), 0
    with ThreadPoolExecutor(workers) as pool:
        for true, others in tqdm(frames_together(truth, methods), name, unit="frame", disable=None, leave=False):
            size, count = (true.shape[0], true.shape[1]), count + 1
            shown, gray = Shown(true), Shown(as_rgb(gray_of_8bit(true)))
            since = watcher.see(reduced(shown.once(lab_of_8bit))[0])
            pictures = {**{method: Shown(picture) for method, picture in others.items()}, "gray": gray, "truth": shown}
            frames = [FilmFrame(Pair(picture, shown, gray), since) for picture in pictures.values()]
            found = dict(zip(rows, pool.map(_Row.see, rows.values(), frames), strict=True))
            for figure in found["truth"]:
                if all(math.isfinite(found[row][figure]) for row in rows if row != "truth"):
                    for row in rows:
                        means[row].setdefault(figure, Mean()).add(found[row][figure])
    figures = {
        row: {metric.name: means[row].get(metric.name, Mean()).value for metric in metrics} | rows[row].figures()
        for row in rows
    }
    return figures, size, count
