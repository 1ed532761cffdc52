"""Kernel distance between sets of features (KID): Binkowski et al., "Demystifying MMD GANs", ICLR 2018."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor


def polynomial_mmd(features: Tensor, truth: Tensor) -> float:
    """The unbiased squared maximum mean discrepancy of features (n, d) and (m, d) under the kernel (x . y / d + 1)^3.

    An estimate around 0 for equal distributions, so it may be negative. Lower is better.

    Raises:
        ValueError: fewer than two members, or different dimensions.
    """
    if len(features) < 2 or len(truth) < 2 or features.shape[1] != truth.shape[1]:
        raise ValueError(f"no kernel distance between features of {tuple(features.shape)} and {tuple(truth.shape)}")
    x, y = features.double(), truth.double()
    within = sum(_off_diagonal_mean(_kernel(z, z)) for z in (x, y))
    return float(within - 2 * _kernel(x, y).mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _off_diagonal_mean(kernel: Tensor) -> Tensor:
    return (kernel.sum() - kernel.trace()) / (len(kernel) * (len(kernel) - 1))


def kernel_distance(
    features: Tensor, truth: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """KID: the mean of `polynomial_mmd` over random subsets of equal size, which bounds its cost.

    Subsets are drawn without replacement from features (n, d) and (m, d), and smaller where a set is. Where neither set
    has more than `subset_size` members, the one subset is everything, and the answer is exact.

    Returns:
        Mean and standard deviation over the subsets (population's, 0 for one); NaN where a set has fewer than two.
    """
    if min(len(features), len(truth)) < 2:
        return math.nan, math.nan
    if max(len(features), len(truth)) <= subset_size:
        return polynomial_mmd(features, truth), 0.0
    found = []
    for ours, true in drawn_subsets(len(features), len(truth), subsets, subset_size, seed):
        found.append(polynomial_mmd(features[ours.to(features.device)], truth[true.to(truth.device)]))
    values = torch.tensor(found, dtype=torch.float64)
    return float(values.mean()), float(values.std(correction=0))


def drawn_subsets(count: int, true_count: int, subsets: int, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Places in two sets, `size` of each or all, drawn without replacement."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(subsets):
        ours, true = (torch.randperm(number, generator=generator)[:size] for number in (count, true_count))
        yield ours, true
