"""The names of all metrics, and which way each is better."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chromagan.errors import UsageError

# Colourfulness has no direction: more than the truth's is as wrong as less. Its deltas are its distance.
IMAGE_METRICS: dict[str, bool | None] = {
    "psnr": True,
    "psnr_pooled": True,
    "psnr_ab": True,
    "ssim": True,
    "ciede2000": False,
    "ab_mse": False,
    "ab_rmse": False,
    "auc_ab": True,
    "colourfulness": None,
    "colourfulness_absolute": None,
    "delta_colourfulness": False,
    "delta_colourfulness_absolute": False,
    "delta_colourfulness_per_image": False,
    "lightness_difference": False,
    "lpips_alex": False,
    "lpips_vgg": False,
    "lpips_squeeze": False,
}
"""Metrics that come of figures of images: whether higher is better; None where as much as the truth is best."""

_DISTANCES = ("fid_{}", "fid_{}_disjoint", "fid_{}_matched", "kid_{}", "kid_{}_disjoint")
HIGHER_IS_BETTER: dict[str, bool] = {
    **{name: higher for name, higher in IMAGE_METRICS.items() if higher is not None},
    **{name.format(network): False for network in ("tf", "torchvision") for name in _DISTANCES},
    "accuracy": True,
    "agreement": True,
    "class_kl": False,
}
"""All metrics that have a direction, those of whole sets included."""

HELD_OUT_METRICS: tuple[str, ...] = (
    "colourfulness", "psnr", "ssim", "delta_colourfulness", "ab_mse", "ab_rmse", "ciede2000", "lpips_alex", "lpips_vgg",
    "lpips_squeeze", "fid_tf", "fid_torchvision", "kid_tf", "kid_torchvision",
)  # fmt: skip
"""Those that a training run can follow on held-out photos."""


def check_metric_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetitions, in their order.

    Raises:
        UsageError: a name that does not exist; the message lists those that do.
    """
    for name in names:
        if name not in HELD_OUT_METRICS:
            raise UsageError(f"there is no metric {name!r}; there are {', '.join(HELD_OUT_METRICS)}")
    return tuple(dict.fromkeys(names))


def check_best_metric(name: str) -> None:
    """Refuse a metric by which a training run cannot choose its best checkpoint.

    Raises:
        UsageError: no such metric, or one without a direction.
    """
    if name not in HELD_OUT_METRICS or name not in HIGHER_IS_BETTER:
        reason = "is neither better high nor low" if name in HELD_OUT_METRICS else "is none of a training run's metrics"
        usable = ", ".join(n for n in HELD_OUT_METRICS if n in HIGHER_IS_BETTER)
        raise UsageError(f"the best checkpoint cannot be chosen by {name!r}, which {reason}; choose one of {usable}")


def better(metric: str, a: float, b: float) -> bool:
    """Whether figure `a` is better than figure `b`; equal is not better, and NaN is worse than any number.

    Raises:
        UsageError: no such metric, or one without a direction.
    """
    if metric not in HIGHER_IS_BETTER:
        raise UsageError(f"{metric!r} does not say which of two figures is better; "
                         f"choose one of {', '.join(HIGHER_IS_BETTER)}")  # fmt: skip
    if math.isnan(a) or math.isnan(b):
        return math.isnan(b) and not math.isnan(a)
    return a > b if HIGHER_IS_BETTER[metric] else a < b
