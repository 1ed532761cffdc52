"""Frechet distance between sets of features: Heusel et al., "GANs trained by a two time-scale update rule" (2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class FeatureStatistics:
    """Mean and covariance of features as running float64 sums: memory does not grow with the number of pictures."""

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.sum = torch.zeros(dimensions, dtype=torch.float64)
        self.outer = torch.zeros(dimensions, dimensions, dtype=torch.float64)

    def update(self, features: Tensor) -> None:
        """Add (N, dimensions) features of any floating type."""
        features = features.detach().to("cpu", torch.float64)
        self.count += len(features)
        self.sum += features.sum(dim=0)
        self.outer += features.T @ features

    def mean(self) -> Tensor:
        """(d,) float64; NaN without pictures."""
        return self.sum / self.count if self.count else torch.full_like(self.sum, math.nan)

    def covariance(self) -> Tensor:
        """(d, d) float64, unbiased (divided by n - 1); NaN below two pictures."""
        if self.count < 2:
            return torch.full_like(self.outer, math.nan)
        mean = self.mean()
        return (self.outer - self.count * mean[:, None] * mean[None, :]) / (self.count - 1)


def frechet_distance(mean1: Tensor, covariance1: Tensor, mean2: Tensor, covariance2: Tensor) -> float:
    """Squared Frechet (2-Wasserstein) distance between two Gaussians, which is what FID reports. Lower is better.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), of means (d,) and symmetric covariances (d, d). The trace of the root
    is the sum of the roots of the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2), which has those of C1 C2 and only
    real ones; what rounding makes negative is 0. So it is at least about 0; NaN where an argument has one.
    """
    mean1, covariance1, mean2, covariance2 = (t.double() for t in (mean1, covariance1, mean2, covariance2))
    if not (torch.isfinite(covariance1).all() and torch.isfinite(covariance2).all()):
        return math.nan
    values, vectors = torch.linalg.eigh(covariance1)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    inner = root @ covariance2 @ root
    trace = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).square().sum() + covariance1.trace() + covariance2.trace() - 2 * trace)


def frechet_distance_of_features(features: Tensor, truth: Tensor) -> float:
    """The same distance straight from features (n, d) and (m, d), quick and exact where they are fewer than dimensions.

    With A and B the centred features over the root of n - 1, the covariances are A^T A and B^T B, and the trace of the
    root of their product is the sum of the singular values of A B^T: a matrix of pictures by pictures. It equals
    `frechet_distance` of their means and unbiased covariances; NaN where a set has fewer than two members.
    """
    if len(features) < 2 or len(truth) < 2:
        return math.nan
    a, b = features.double().cpu(), truth.double().cpu()
    if min(len(a), len(b)) > a.shape[1]:
        return frechet_distance(a.mean(dim=0), torch.cov(a.T), b.mean(dim=0), torch.cov(b.T))
    means = a.mean(dim=0), b.mean(dim=0)
    a, b = ((x - mean) / math.sqrt(len(x) - 1) for x, mean in zip((a, b), means, strict=True))
    trace = torch.linalg.svdvals(a @ b.T).sum()
    return float((means[0] - means[1]).square().sum() + a.square().sum() + b.square().sum() - 2 * trace)
