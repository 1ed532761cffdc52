"""PSNR of the two colour channels alone."""

from __future__ import annotations

from chromagan.metrics.ab_planes import ab_errors_of
from chromagan.metrics.metric import PictureMetric
from chromagan.metrics.registry import register

register(PictureMetric(
    name="psnr_ab", label="PSNR of ab", unit="dB", digits=3, better="higher", place=20,
    about="peak signal-to-noise ratio of a and b alone, peak 255",
    compute=lambda pair: pair.once(ab_errors_of).psnr,
))  # fmt: skip
