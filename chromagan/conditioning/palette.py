"""Move a painting's colours towards a palette: each group of like colours by one step, at fixed lightness.

The painting's colours and the palette's are matched by optimal transport with an entropy (Cuturi, "Sinkhorn distances",
NIPS 2013), which keeps the painting's shares and bends those of the palette (Chizat et al., "Scaling algorithms for
unbalanced optimal transport", Math. Comp. 2018): a palette's red need not fill its part of a photo of the sea. A pixel
moves by the mean step of the groups it is near to, so that gradients stay and nothing is posterised.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chromagan.color.lab import lab_to_rgb, rgb_to_lab
from chromagan.conditioning.clusters import cluster_centres
from chromagan.conditioning.guidance import RGB, Palette

COLOURS = 6  # of a picture
_GROUPS = 10  # of like colours in a painting
_MOST = 20_000  # pixels that are looked at
_LIGHTNESS = 0.3  # how much a difference in L counts beside one in a or b
_ENTROPY = 60.0  # squared Lab units: the width of a match
_BEND = 0.5  # 0: the palette's shares do not count, 1: they are met
_NEAR = 8.0  # Lab units: a pixel follows groups about so near
_ROUNDS = 200


def towards_palette(ab: Tensor, L: Tensor, palette: Palette) -> Tensor:
    """A painting in a palette's colours, as far as its strength goes.

    Args:
        ab: (1, 2, h, w) in Lab units.
        L: (1, 1, h, w) in [0, 100].
        palette: of a person.

    Returns:
        (1, 2, h, w).
    """
    points = torch.cat((_LIGHTNESS * L, ab), 1)[0].flatten(1).T
    groups = cluster_centres(_some(points), _GROUPS)
    shares = torch.bincount(torch.cdist(_some(points), groups).argmin(1), minlength=len(groups)).float()
    wanted = _lab(palette.colours) * torch.tensor([_LIGHTNESS, 1.0, 1.0])
    steps = _matched(groups, shares / shares.sum(), wanted, _shares(palette)) - groups[:, 1:]
    near = torch.softmax(torch.cdist(points, groups).square() / (-2 * _NEAR**2), 1)
    return ab + palette.strength * (near @ steps).T.reshape(ab.shape)


def palette_of(lab: Tensor, count: int = COLOURS, strength: float = 1.0) -> Palette:
    """The main colours of a picture, with their shares, the largest first.

    Args:
        lab: (1, 3, h, w).
        count: of colours, at most.
        strength: of the palette.
    """
    points = _some(lab[0].flatten(1).T)
    centres = cluster_centres(points, count)
    counts = torch.bincount(torch.cdist(points, centres).argmin(1), minlength=len(centres))
    order = counts.argsort(descending=True, stable=True)
    order = order[counts[order] > 0]
    rgb = (lab_to_rgb(centres[order].T[None, :, None])[0, :, 0].T * 255).round().int().tolist()
    colours: tuple[RGB, ...] = tuple((r, g, b) for r, g, b in rgb)
    return Palette(colours, tuple((counts[order] / counts.sum()).tolist()), strength)


def _matched(groups: Tensor, shares: Tensor, wanted: Tensor, wanted_shares: Tensor) -> Tensor:
    """(G, 2) the palette's mean colour for each group, by transport."""
    cost = torch.cdist(groups, wanted).square().double()
    kernel = torch.exp((cost.amin(1, keepdim=True) - cost) / _ENTROPY).clamp_min(1e-30)
    pull = torch.ones(len(wanted), dtype=torch.float64)
    for _ in range(_ROUNDS):
        push = shares / (kernel @ pull)
        pull = (wanted_shares / (kernel.T @ push)) ** _BEND
    plan = push[:, None] * kernel * pull
    return ((plan / plan.sum(1, keepdim=True)) @ wanted[:, 1:].double()).float()


def _lab(colours: tuple[RGB, ...]) -> Tensor:
    """(C, 3)."""
    return rgb_to_lab(torch.tensor(colours, dtype=torch.float32).T[None, :, None] / 255)[0, :, 0].T


def _shares(palette: Palette) -> Tensor:
    shares = torch.tensor(palette.shares or (1.0,) * len(palette.colours))
    return shares / shares.sum()


def _some(points: Tensor) -> Tensor:
    """Every so many of them."""
    return points[:: -(-len(points) // _MOST)]
