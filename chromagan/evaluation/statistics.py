"""Two methods compared on the same images."""

from __future__ import annotations

import math

import numpy as np

from chromagan.evaluation.result import PairedTest
from chromagan.metrics.figure import RESAMPLES, Array, mean_figure


def paired_test(
    metric: str, a: tuple[str, Array], b: tuple[str, Array], resamples: int = RESAMPLES, seed: int = 0
) -> PairedTest:
    """Compare two methods on the same images: Wilcoxon's signed-rank test (Biometrics Bulletin 1(6), 1945).

    Args:
        metric: what the numbers are.
        a: name and one number an image.
        b: the same of the other method, in the same order.
        resamples: for the interval of the mean difference.
        seed: of the drawing.

    Returns:
        Over the images where both are finite. The p value is NaN where no difference is other than zero.
    """
    both = np.isfinite(a[1]) & np.isfinite(b[1])
    differences = a[1][both] - b[1][both]
    if np.any(differences):
        from scipy.stats import wilcoxon

        p_value = float(wilcoxon(differences).pvalue)
    else:
        p_value = math.nan
    return PairedTest(a[0], b[0], metric, mean_figure(differences, resamples, seed), p_value, len(differences))
