"""How far colourfulness is from the truths': the difference of means, and the mean of differences."""

from __future__ import annotations

from chromagan.metrics.colourfulness import ABSOLUTE, COLOURFULNESS, both_colourfulnesses
from chromagan.metrics.metric import Array, MeanMetric, Pair, PictureMetric
from chromagan.metrics.registry import register


def _difference(mean: Array, truth: Array) -> Array:
    return abs(mean - truth)


def _of_a_pair(pair: Pair) -> float:
    made, true = (shown.once(both_colourfulnesses)[0] for shown in (pair.picture, pair.truth))
    return abs(made - true)


register(MeanMetric(
    name="delta_colourfulness", label="Δ colourfulness", better="lower", place=80,
    about="difference of the means of `colourfulness`", of=COLOURFULNESS, formula=_difference,
))  # fmt: skip
register(MeanMetric(
    name="delta_colourfulness_absolute", label="Δ colourfulness, abs()", better="lower", place=81,
    about="difference of the means of `colourfulness_absolute`", of=ABSOLUTE, formula=_difference,
))  # fmt: skip
register(PictureMetric(
    name="delta_colourfulness_per_image", label="Δ colourfulness an image", better="lower", place=82,
    about="mean of the images' differences of `colourfulness`", compute=_of_a_pair,
))  # fmt: skip
