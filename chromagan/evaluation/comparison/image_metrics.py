"""Every figure of one picture against its truth that needs no network, each intermediate made once.

`docs/metrics.md` has the formulas. Pictures are 8-bit sRGB, (H, W, 3) uint8: what a viewer is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chromagan.errors import UsageError
from chromagan.evaluation.metric_names import IMAGE_METRICS
from chromagan.metrics.ab_planes import AbErrors, ab_errors
from chromagan.metrics.colourfulness import both_colourfulnesses
from chromagan.metrics.lab_8bit import Planes, lab_of_8bit
from chromagan.metrics.lightness import largest_lightness_difference
from chromagan.metrics.mean_ciede2000 import mean_ciede2000
from chromagan.metrics.psnr import decibels, squared_error
from chromagan.metrics.ssim import ssim

Picture = NDArray[np.uint8]

LPIPS_METRICS = ("lpips_alex", "lpips_vgg", "lpips_squeeze")
DEFAULT_METRICS = tuple(name for name in IMAGE_METRICS if name not in LPIPS_METRICS)
"""Those that need no network."""

# Metrics that are no mean of figures of images but made of such means, and of which.
BASES: dict[str, tuple[str, ...]] = {
    "psnr_pooled": ("mse",),
    "ab_rmse": ("ab_mse",),
    "delta_colourfulness": ("colourfulness",),
    "delta_colourfulness_absolute": ("colourfulness_absolute",),
}


def bases_of(metrics: Iterable[str]) -> tuple[str, ...]:
    """The figures of images that metrics are made of, each once, in an order that depends on the set alone."""
    wanted = {base for metric in metrics for base in BASES.get(metric, (metric,))}
    return tuple(sorted(wanted))


def check_image_metrics(names: Sequence[str], others: Sequence[str] = ()) -> tuple[str, ...]:
    """The names without repetitions, in their order.

    Args:
        names: of metrics.
        others: further names that exist (metrics of sets).

    Raises:
        UsageError: a name that does not exist; the message lists those that do.
    """
    for name in names:
        if name not in IMAGE_METRICS and name not in others:
            raise UsageError(f"there is no metric {name!r}; there are {', '.join((*IMAGE_METRICS, *others))}")
    return tuple(dict.fromkeys(names))


class PictureFacts:
    """A picture and what several metrics need of it, made when first asked for.

    Args:
        picture: (H, W, 3) uint8 sRGB.
    """

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    @cached_property
    def lab(self) -> Planes:
        """L, a and b, each (H, W) float32."""
        return lab_of_8bit(self.picture)

    @cached_property
    def colour(self) -> tuple[float, float]:
        """Both colourfulnesses, signed and absolute."""
        return both_colourfulnesses(self.picture)


class PairFacts:
    """A picture beside its truth.

    Args:
        picture: what is judged.
        truth: what it should be.
        gray: the gray photo, whose lightness it should have.
    """

    def __init__(self, picture: PictureFacts, truth: PictureFacts, gray: PictureFacts) -> None:
        self.picture, self.truth, self.gray = picture, truth, gray

    @cached_property
    def squares(self) -> float:
        """Sum of squared differences of all 8-bit codes."""
        return squared_error(self.picture.picture, self.truth.picture)

    @cached_property
    def ab(self) -> AbErrors:
        """Errors of a and b."""
        return ab_errors(self.picture.lab, self.truth.lab)


_FIGURES: dict[str, Callable[[PairFacts], float]] = {
    "psnr": lambda pair: decibels(pair.squares, pair.truth.picture.size),
    "mse": lambda pair: pair.squares / pair.truth.picture.size,
    "psnr_ab": lambda pair: pair.ab.psnr,
    "ssim": lambda pair: ssim(pair.picture.picture, pair.truth.picture),
    "ciede2000": lambda pair: mean_ciede2000(pair.picture.lab, pair.truth.lab),
    "ab_mse": lambda pair: pair.ab.mse,
    "auc_ab": lambda pair: pair.ab.auc,
    "colourfulness": lambda pair: pair.picture.colour[0],
    "colourfulness_absolute": lambda pair: pair.picture.colour[1],
    "delta_colourfulness_per_image": lambda pair: abs(pair.picture.colour[0] - pair.truth.colour[0]),
    "lightness_difference": lambda pair: largest_lightness_difference(pair.picture.lab, pair.gray.lab),
}


def measure_pair(
    picture: PictureFacts, truth: PictureFacts, figures: Iterable[str], gray: PictureFacts | None = None
) -> dict[str, float]:
    """Figures of one picture.

    Args:
        picture: what is judged.
        truth: of the same size.
        figures: names from `bases_of`, less those of LPIPS.
        gray: the gray photo, for `lightness_difference`; the truth stands in for it, whose lightness is the same to
            half a code.

    Returns:
        One number a name; the PSNRs of an exact reproduction are infinite.

    Raises:
        ValueError: the sizes differ.
    """
    pair = PairFacts(picture, truth, gray or truth)
    return {name: _FIGURES[name](pair) for name in figures}
