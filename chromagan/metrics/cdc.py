"""Colour distribution consistency: how much the colours of a film change as a whole from frame to frame.

Liu et al., "Temporally consistent video colorization with deep feature propagation and self-regularization learning",
2021 (TCVC). A film that is gray, or real, has a figure of its own: less is not always better, hence the differences.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from chromagan.metrics.eight_bit import lab_of_8bit
from chromagan.metrics.film import FilmFrame, FilmMetric, Mean
from chromagan.metrics.metric import Picture, Shown
from chromagan.metrics.registry import register

APART = (1, 2, 4)
"""Frames between those that are compared; each distance counts a third."""
Shares = NDArray[np.float64]
Histograms = Callable[[Picture], Shares]


def rgb_histograms(picture: Picture) -> Shares:
    """(3, 256): which share of the pixels of a picture has each code, by channel."""
    found = [cv2.calcHist([plane], [0], None, [256], [0, 256]).ravel() for plane in cv2.split(picture)]
    return np.asarray(found, np.float64) / picture[..., 0].size


def ab_histograms(picture: Picture) -> Shares:
    """(2, 256): which share of the pixels has each a and each b, in bins of one Lab unit around whole numbers."""
    planes = lab_of_8bit(picture)[1:]
    found = [cv2.calcHist([plane], [0], None, [256], [-128.5, 127.5]).ravel() for plane in planes]
    return np.asarray(found, np.float64) / picture[..., 0].size


def js_divergence(p: Shares, q: Shares) -> Shares:
    """Jensen and Shannon's divergence of distributions (..., bins), with the natural logarithm: 0 to log 2."""
    middle = (p + q) / 2
    return np.asarray((xlogy(p, p) + xlogy(q, q)).sum(-1) / 2 - xlogy(middle, middle).sum(-1)).clip(0)


class Consistency:
    """The mean divergence of histograms of frames 1, 2 and 4 apart, over pairs and channels."""

    def __init__(self, histograms: Histograms) -> None:
        self._histograms = histograms
        self._last: deque[Shares] = deque(maxlen=max(APART))
        self._means = {apart: Mean() for apart in APART}

    def take(self, shown: Shown) -> None:
        """The next frame."""
        this = shown.once(self._histograms)
        for apart, mean in self._means.items():
            if len(self._last) >= apart:
                mean.add(float(js_divergence(self._last[-apart], this).mean()))
        self._last.append(this)

    @property
    def value(self) -> float:
        """NaN for a film of fewer than five frames."""
        return sum(mean.value for mean in self._means.values()) / len(APART)


class _Own:
    def __init__(self, histograms: Histograms) -> None:
        self._own = Consistency(histograms)

    def see(self, frame: FilmFrame) -> None:
        self._own.take(frame.pair.picture)

    def figure(self) -> float:
        return self._own.value


class _Difference:
    def __init__(self, histograms: Histograms) -> None:
        self._own, self._true = Consistency(histograms), Consistency(histograms)

    def see(self, frame: FilmFrame) -> None:
        self._own.take(frame.pair.picture)
        self._true.take(frame.pair.truth)

    def figure(self) -> float:
        return abs(self._own.value - self._true.value)


register(FilmMetric(
    name="cdc", label="CDC", better="truth", digits=6, place=200, needs_truth=False,
    about="colour distribution consistency: change of the histograms of R, G and B over 1, 2 and 4 frames",
    open=partial(_Own, rgb_histograms),
))  # fmt: skip
register(FilmMetric(
    name="delta_cdc", label="Δ CDC", better="lower", digits=6, place=201,
    about="mean of the films' differences of `cdc` from the truth's", open=partial(_Difference, rgb_histograms),
))  # fmt: skip
register(FilmMetric(
    name="cdc_ab", label="CDC of chroma", better="truth", digits=6, place=202, needs_truth=False,
    about="the same of the histograms of a and b: colour alone", open=partial(_Own, ab_histograms),
))  # fmt: skip
register(FilmMetric(
    name="delta_cdc_ab", label="Δ CDC of chroma", better="lower", digits=6, place=203,
    about="mean of the films' differences of `cdc_ab` from the truth's", open=partial(_Difference, ab_histograms),
))  # fmt: skip
