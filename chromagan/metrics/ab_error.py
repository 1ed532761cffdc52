"""Error of the colour channels alone, in Lab units."""

from __future__ import annotations

from torch import Tensor


def ab_mse(lab: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error over the pixels and both of a* and b*; lightness does not count.

    Papers differ in what they call this: here it is the mean over 2 H W numbers in Lab units. Zhang et al. (2016) sum
    the two channels, which is twice this value.

    Args:
        lab: (N, 3, H, W) CIE Lab.
        truth: the same shape.

    Returns:
        (N,) one value a picture; lower is better.

    Raises:
        ValueError: the shapes differ.
    """
    if lab.shape != truth.shape:
        raise ValueError(f"Lab pictures of {tuple(lab.shape)} and {tuple(truth.shape)} cannot be compared")
    return (lab[:, 1:] - truth[:, 1:]).square().mean(dim=(1, 2, 3))
