"""Root of the mean squared error of the two colour channels of all images."""

from __future__ import annotations

import numpy as np

from chromagan.metrics.ab_mse import AB_MSE
from chromagan.metrics.metric import MeanMetric
from chromagan.metrics.registry import register

register(MeanMetric(
    name="ab_rmse", label="RMSE of ab", better="lower", place=51, about="root of the mean of `ab_mse`",
    of=AB_MSE, formula=lambda mean, truth: np.sqrt(mean),
))  # fmt: skip
