"""Mean squared error of the two colour channels, in Lab units."""

from __future__ import annotations

from chromagan.metrics.ab_planes import ab_errors_of
from chromagan.metrics.metric import PictureMetric
from chromagan.metrics.registry import register

AB_MSE = register(PictureMetric(
    name="ab_mse", label="MSE of ab", better="lower", place=50, about="mean squared error of a and b in Lab units",
    compute=lambda pair: pair.once(ab_errors_of).mse,
))  # fmt: skip
