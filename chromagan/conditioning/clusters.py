"""k-means that gives the same each time: it begins with points that lie far apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_ROUNDS = 12


def cluster_centres(points: Tensor, count: int) -> Tensor:
    """Centres of clusters of points.

    Args:
        points: (P, D), at least one.
        count: of clusters, at most; no more than there are different points.

    Returns:
        (K, D).
    """
    centres = points[(points - points.mean(0)).square().sum(1).argmin()][None]
    while len(centres) < count:
        distance = torch.cdist(points, centres).amin(1)
        if float(distance.max()) < 1e-6:
            break
        centres = torch.cat((centres, points[distance.argmax()][None]))
    for _ in range(_ROUNDS):
        members = F.one_hot(torch.cdist(points, centres).argmin(1), len(centres)).to(points)
        counts = members.sum(0)[:, None]
        centres = torch.where(counts > 0, members.T @ points / counts.clamp_min(1), centres)
    return centres
