"""How far a colorized picture's lightness is from the photo's own; the product promises at most one 8-bit level."""

from __future__ import annotations

import numpy as np

from chromagan.metrics.eight_bit import Planes, lab_of_8bit
from chromagan.metrics.metric import PictureMetric
from chromagan.metrics.registry import register

LEVELS_PER_UNIT = 2.55
"""8-bit levels of lightness in a unit of L*, 0 to 100."""


def largest_lightness_difference(lab: Planes, photo: Planes) -> float:
    """Max |L - L of the photo| x 2.55 over all pixels, in 8-bit levels, 0 to 255.

    Both are L, a, b, each (H, W) float32: of the colorized picture, and of the photo, gray or not.

    Raises:
        ValueError: the sizes differ.
    """
    if lab[0].shape != photo[0].shape:
        raise ValueError(f"pictures of {lab[0].shape} and {photo[0].shape} pixels cannot be compared")
    return float(np.abs(lab[0] - photo[0]).max()) * LEVELS_PER_UNIT


register(PictureMetric(
    name="lightness_difference", label="Largest lightness difference", unit="levels", better="lower", place=90,
    about="largest difference of lightness from the gray photo, in 8-bit levels",
    compute=lambda pair: largest_lightness_difference(pair.picture.once(lab_of_8bit), pair.gray.once(lab_of_8bit)),
))  # fmt: skip
