"""Films measured beside the truth: each frame is decoded once, and no more than a few are held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from chromagan.evaluation.baselines import as_rgb, gray_of_8bit
from chromagan.evaluation.comparison import BaseMetric
from chromagan.evaluation.film.clips import Clip, frames_together
from chromagan.film.motion import motion, warp
from chromagan.metrics.eight_bit import lab_of_8bit
from chromagan.metrics.film import FilmFrame, FilmMetric, Mean, Since, reduced
from chromagan.metrics.metric import Pair, PictureMetric, Shown

BASELINES = ("gray", "truth")
_TRUSTED = 127  # of 255
_CHANGED = 1.0  # L, of the smoothed difference: what changes more does not stand still; twice that is another thing
_SMOOTH, _NEAR = 2.0, 5  # sigma against grain; pixels around a change that do not stand still either


class Watcher:
    """Finds what moves and what stands still in a film, from its true lightness."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None

    def see(self, L: NDArray[np.float32]) -> Since | None:
        """What has moved since the frame before, of (h, w) L in [0, 100]; None at the first frame."""
        before, self._before = self._before, L
        if before is None:
            return None
        moved = motion(before, L)
        flow, trusted = moved.back.astype(np.float32), moved.back_trust > _TRUSTED
        difference = L - before
        smooth = cv2.GaussianBlur(difference, (0, 0), _SMOOTH)
        allowed = _CHANGED + float(np.median(np.abs(difference - smooth)))  # the more, the more grain there is
        changed = (np.abs(smooth) > allowed).astype(np.uint8)
        calm = cv2.dilate(changed, np.ones((_NEAR, _NEAR), np.uint8)) == 0
        alike = np.abs(cv2.GaussianBlur(L - warp(before, flow), (0, 0), _SMOOTH)) <= allowed + _CHANGED
        return Since(flow, trusted & alike, trusted & calm & (flow == 0).all(-1))


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
