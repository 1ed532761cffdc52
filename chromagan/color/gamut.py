"""Mapping Lab colours into sRGB: chroma gives way, lightness and hue stay.

Clipping channels instead (what most colorizers do) shifts lightness by up to tens of L units and turns hues.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chromagan.color.curves import linear_to_srgb
from chromagan.color.lab import lab_to_linear_rgb

# Linear light this far beyond [0, 1] still counts as inside: float32 rounding (at black it is 0.002 of L).
_SLACK = 2e-6
_BISECTIONS = 12
_CORNERS = 360  # of a polygon around what sRGB shows at one lightness
_EDGES: dict[float, Tensor] = {}  # by lightness, in quarters: 401 of 3 kB at most


def _excess(L: Tensor, ab: Tensor, share: Tensor) -> Tensor:
    """How far the farthest channel of the colour with `share` of its chroma lies outside sRGB; columns are pixels."""
    rgb = lab_to_linear_rgb(torch.cat((L, ab * share))[..., None]).squeeze(-1)
    # Lab's rounded constants put ab = 0 a hair off sRGB's gray axis, and L = 100 at a blue of 1.00008: gray is inside.
    gray = lab_to_linear_rgb(torch.cat((L, torch.zeros_like(ab)))[..., None]).squeeze(-1).clamp_min(1)
    return torch.maximum((rgb - gray).amax(0), -rgb.amin(0)) - _SLACK


def _largest_share(L: Tensor, ab: Tensor) -> Tensor:
    """The share of chroma, in [0, 1], at which each out-of-gamut pixel meets the gamut's surface; (1, P) and (2, P).

    At constant lightness and hue the colours inside sRGB are one interval from gray outwards, so halving finds its end;
    the last step is a chord, which leaves an error far below float32's on a bracket of 2**-12.
    """
    low = torch.zeros_like(L)
    step = 1.0
    for _ in range(_BISECTIONS):
        step /= 2
        low = low + step * (_excess(L, ab, low + step) <= 0)
    inner, outer = _excess(L, ab, low).clamp_max(0), _excess(L, ab, low + step).clamp_min(0)
    return (low + step * inner / (inner - outer).clamp_max(-1e-30)).clamp(0, 1)


def fit_chroma(L: Tensor, ab: Tensor) -> Tensor:
    """Scale down the chroma that sRGB cannot show, each pixel to the largest that it can.

    Colours inside the gamut are returned unchanged; the others keep lightness and hue. Not differentiable through the
    scale.

    Args:
        L: (N, 1, H, W) lightness in [0, 100].
        ab: (N, 2, H, W) chroma in Lab units.

    Returns:
        (N, 2, H, W) chroma, float32 (float64 for float64 input).
    """
    with torch.autocast(L.device.type, enabled=False):
        kind = torch.float64 if torch.float64 in (L.dtype, ab.dtype) else torch.float32
        L, ab = L.to(kind), ab.to(kind)
        columns, chroma = L.detach().transpose(0, 1).flatten(1), ab.detach().transpose(0, 1).flatten(1)
        outside = (_excess(columns, chroma, torch.ones_like(columns)) > 0).nonzero().squeeze(-1)
        if outside.numel() == 0:
            return ab
        share = torch.ones_like(columns)
        share[:, outside] = _largest_share(columns[:, outside], chroma[:, outside])
        return ab * share.reshape(1, L.shape[0], *L.shape[2:]).transpose(0, 1)


def lab_to_srgb_keeping_lightness(L: Tensor, ab: Tensor) -> Tensor:
    """Lab to sRGB (N, 3, H, W) in [0, 1] with `fit_chroma`, whose arguments and type it has; lightness and hue stay."""
    fitted = fit_chroma(L, ab)
    lab = torch.cat((L.to(fitted.dtype), fitted), dim=1)
    return linear_to_srgb(lab_to_linear_rgb(lab)).clamp(0, 1)


def nearest_in_gamut(L: Tensor, ab: Tensor) -> Tensor:
    """Move colours that sRGB cannot show as little as possible, in ab at their lightness.

    Colours inside the gamut are returned unchanged. `fit_chroma`, which keeps the hue, moves a colour farther.

    Args:
        L: (P,) lightness in [0, 100].
        ab: (2, P) chroma in Lab units.

    Returns:
        (2, P) float32.
    """
    L, ab = L.float(), ab.float()
    moved = ab.clone()
    outside = (_excess(L[None], ab, torch.ones_like(L)[None]) > 0).nonzero().squeeze(-1)
    if outside.numel() == 0:
        return moved
    # Many pixels share a lightness and a colour: each such pair is looked for once.
    pairs = torch.stack([(L[outside] * 4).round() / 4, *ab[:, outside]])
    distinct, which = pairs.unique(dim=1, return_inverse=True)
    levels, level = distinct[0].unique(return_inverse=True)
    nearest = _nearest_on(gamut_edges(levels)[level], distinct[1:].T).T
    # The edge is that of a lightness close by: what is left goes by the hue.
    found = fit_chroma(L[outside].view(1, 1, 1, -1), nearest[:, which].view(1, 2, 1, -1))
    moved[:, outside] = found.view(2, -1)
    return moved


def gamut_edges(lightness: Tensor) -> Tensor:
    """The edges of what sRGB shows at K lightnesses in [0, 100], closed polygons around gray: (K, 2, 360) in ab.

    Edges are kept: those that are not known yet are worked out together.
    """
    levels = [round(float(level), 3) for level in lightness]
    new = [level for level in dict.fromkeys(levels) if level not in _EDGES]
    if new:
        angle = torch.arange(_CORNERS, dtype=torch.float32) * (2 * torch.pi / _CORNERS)
        far = 150 * torch.stack([angle.cos(), angle.sin()]).view(1, 2, 1, -1)
        L = torch.tensor(new).view(-1, 1, 1, 1).expand(-1, 1, 1, _CORNERS)
        found = fit_chroma(L, far.expand(len(new), -1, -1, -1))[:, :, 0]
        _EDGES.update(zip(new, found, strict=True))
    return torch.stack([_EDGES[level] for level in levels])


def _nearest_on(edges: Tensor, points: Tensor) -> Tensor:
    """The points of K closed polygons (K, 2, corners) that lie closest to K others (K, 2); (K, 2)."""
    step = edges.roll(-1, 2) - edges
    share = ((points[..., None] - edges) * step).sum(1) / step.square().sum(1).clamp_min(1e-12)
    feet = edges + share.clamp(0, 1)[:, None] * step
    closest = (feet - points[..., None]).square().sum(1).argmin(1)
    return feet[torch.arange(len(feet)), :, closest]
