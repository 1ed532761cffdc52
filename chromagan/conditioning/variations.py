"""Coherent alternatives to a painting, out of the distribution over the ab bins that a network predicts.

Drawing a colour for every pixel by itself gives salt and pepper. Here a photo is divided into a few things, by the
semantic branch's features and by what the network thinks of the colours (after the anchors of Xia et al.,
"Disentangled Image Colorization via Global Anchors", SIGGRAPH Asia 2022). A variation draws one quantile a thing, along
the axis on which the colours of that thing are most in doubt; every pixel takes the mean of its own distribution near
that quantile, so that textures and gradients stay. Things share a part of their draw: light and fading tint all of a
photo.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.conditioning.clusters import cluster_centres

THINGS = 8
AMOUNT = 0.5  # of the way to the drawn colour: bins are learned with rare colours weighed up, and are too bold
_SHARED = 0.8  # of a draw's variance, by all things
_POOLED = 0.5  # of a pixel's distribution, that of its thing
_WINDOW = 0.2  # around a quantile, on either side
_DIMENSIONS = 8  # kept of the features, and of the distributions
_WEIGHTS = {"features": 1.0, "colours": 1.0, "lightness": 0.3, "place": 0.3}
_SOFTNESS = 0.5  # of the borders between things
_LEAST = 0.01  # share of a thing in a pixel that counts
_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: its multiples spread evenly over 64 bits
_WARM = (0.3, 1.0)  # the direction in ab that a high quantile leans to


class Doubt:
    """What a network leaves open of one photo's colours, thing by thing.

    Args:
        logits: (1, Q, h, w) over the bins.
        centres: (Q, 2) of the bins, in Lab units.
        L: (1, 1, H, W) in [0, 100].
        features: (1, F, h', w') of a semantic branch; None where there is none.

    Attributes:
        shares: (h w, T) how far each pixel belongs to each thing; rows sum to 1.
    """

    def __init__(self, logits: Tensor, centres: Tensor, L: Tensor, features: Tensor | None = None) -> None:
        self.size = (logits.shape[2], logits.shape[3])
        self._centres = centres.float().cpu()
        self._bins = logits[0].float().cpu().flatten(1).softmax(0).T.contiguous()
        features = None if features is None else features.float().cpu()
        self.shares = _things(_described(self._bins, L.float().cpu(), features, self.size), self.size)
        # Noise in what single pixels say would show as blotches: each leans on its thing.
        pooled = self.shares.T @ self._bins / self.shares.sum(0)[:, None].clamp_min(1e-9)
        self._bins = torch.lerp(self._bins, self.shares @ pooled, _POOLED)
        self._mean = self._bins @ self._centres
        self._axes = self._doubtful_axes(pooled)

    def draw(self, seed: int) -> Tensor:
        """How a variation differs from the plain painting.

        Args:
            seed: of this variation alone; those that follow each other are far apart.

        Returns:
            (1, 2, h, w) float32 in Lab units.
        """
        change = torch.zeros_like(self._mean)
        for share, axis, quantile in zip(self.shares.T, self._axes, _quantiles(seed, len(self._axes)), strict=True):
            inside = share > _LEAST
            drawn = self._near(quantile, axis, inside) - self._mean[inside]
            change[inside] += share[inside, None] * drawn
        return AMOUNT * change.T.reshape(1, 2, *self.size)

    def _near(self, quantile: float, axis: Tensor, inside: Tensor) -> Tensor:
        """(P, 2) mean colours of the pixels' own distributions near a quantile along an axis."""
        order = (self._centres @ axis).argsort()
        bins = self._bins[inside][:, order]
        high = bins.cumsum(1)
        # Of each bin the part that lies in the window.
        window = high.clamp(max=quantile + _WINDOW) - (high - bins).clamp(min=quantile - _WINDOW)
        weights = window.clamp_min(0)
        return (weights @ self._centres[order]) / weights.sum(1, keepdim=True).clamp_min(1e-9)

    def _doubtful_axes(self, pooled: Tensor) -> Tensor:
        """(T, 2) the main axis of each thing's pooled distribution, all of them pointing to the warm side."""
        away = self._centres - (pooled @ self._centres)[:, None]  # (T, Q, 2)
        axes = torch.linalg.eigh(torch.einsum("tq,tqi,tqj->tij", pooled, away, away))[1][:, :, 1]
        return axes * torch.where(axes @ axes.new_tensor(_WARM) < 0, -1, 1)[:, None]


def _quantiles(seed: int, things: int) -> list[float]:
    """One in (0, 1) for each thing.

    What they share goes through the multiples of the golden ratio: a few seeds that follow each other cover its range,
    though each is drawn by itself.
    """
    normal = NormalDist()
    place = (seed * _GOLDEN + 2**63) % 2**64
    shared = normal.inv_cdf(((place >> 12) + 0.5) / 2**52)  # never 0 or 1
    own = np.random.default_rng(seed).standard_normal(things)
    return [normal.cdf(math.sqrt(_SHARED) * shared + math.sqrt(1 - _SHARED) * one) for one in own.tolist()]


def _described(bins: Tensor, L: Tensor, features: Tensor | None, size: tuple[int, int]) -> Tensor:
    """(h w, D): what tells things apart, each kind with unit variance times its weight."""
    rows, columns = size
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    kinds = {
        "colours": _reduced(bins.sqrt()),  # Hellinger's distance between distributions
        "lightness": (F.adaptive_avg_pool2d(L, size).reshape(-1, 1) - 50) / 25,
        "place": torch.stack((y.flatten(), x.flatten()), 1),
    }
    if features is not None:
        fine = F.interpolate(features, size=size, mode="bilinear", align_corners=False)[0].flatten(1).T
        kinds["features"] = _reduced(F.normalize(fine, dim=1))
    return torch.cat([_WEIGHTS[name] * values for name, values in kinds.items()], 1)


def _reduced(points: Tensor) -> Tensor:
    """(P, D) on their main axes, with a mean square length of 1."""
    points = points - points.mean(0)
    axes = torch.linalg.eigh(points.T @ points)[1][:, -_DIMENSIONS:]
    points = points @ axes
    return points / points.square().sum(1).mean().sqrt().clamp_min(1e-6)


def _things(points: Tensor, size: tuple[int, int]) -> Tensor:
    """(P, T) soft membership in clusters of points: by k-means."""
    centres = cluster_centres(points, THINGS)
    shares = torch.softmax(-torch.cdist(points, centres).square() / _SOFTNESS**2, 1)
    planes = F.avg_pool2d(shares.T.reshape(1, -1, *size), 3, 1, 1, count_include_pad=False)
    return planes.flatten(2)[0].T.contiguous()
