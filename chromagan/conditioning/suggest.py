"""Colours that a person may want at one place: what a network holds for likely there, or what is painted nearby.

After the suggestions of Zhang et al. (SIGGRAPH 2017, section 3.2): the modes of the predicted distribution. Where no
distribution is predicted, the colours of places that are near and about as light stand in for it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.color.gamut import lab_to_srgb_keeping_lightness

APART = 20.0  # Lab units between two suggestions
_NEAR = 0.12  # share of the photo's sides at which a painted colour counts for little
_ALIKE = 8.0  # L at which it does
_LEAST = 0.01  # of the weight of the first one
_SIDE = 96  # pixels of what is painted, at most
_GRID = 4.0  # Lab units: painted colours this close are one


def suggest(
    place: tuple[float, float], L: Tensor, ab: Tensor, logits: Tensor | None, centres: Tensor | None, count: int = 6
) -> list[tuple[int, int, int]]:
    """The likeliest colours of a place, each well apart from the others.

    Args:
        place: (x, y), shares of the photo.
        L: (1, 1, h, w) in [0, 100].
        ab: (1, 2, h', w') as it is painted.
        logits: (1, Q, h'', w'') over ab bins, where a network predicts them.
        centres: (Q, 2) of the bins.
        count: of colours, at most.

    Returns:
        sRGB of 8 bits, at the lightness of the place; chroma gives way where sRGB cannot show it.
    """
    if logits is not None and centres is not None:
        row, column = _pixel(place, logits)
        colours, weights = centres.float().cpu(), torch.softmax(logits[0, :, row, column].float().cpu(), 0)
    else:
        colours, weights = _painted(place, L, ab)
    chosen = _distinct(colours, weights, count)
    row, column = _pixel(place, L)
    lightness = L[0, 0, row, column].float().expand(1, 1, 1, len(chosen))
    rgb = lab_to_srgb_keeping_lightness(lightness, chosen.T[None, :, None])
    codes = (255 * rgb[0, :, 0].T).round().int().tolist()
    return list(dict.fromkeys((r, g, b) for r, g, b in codes))


def _pixel(place: tuple[float, float], plane: Tensor) -> tuple[int, int]:
    rows, columns = plane.shape[-2:]
    return min(int(place[1] * rows), rows - 1), min(int(place[0] * columns), columns - 1)


def _painted(place: tuple[float, float], L: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """The painted colours, those of one square of a grid as their mean, and how much each counts at the place."""
    rows, columns = (min(side, _SIDE) for side in ab.shape[-2:])
    ab, small = (F.interpolate(one.float(), size=(rows, columns), mode="area") for one in (ab, L))
    row, column = _pixel(place, L)
    y, x = (torch.arange(side) + 0.5 for side in (rows, columns))
    far = ((y / rows - place[1]) / _NEAR).square()[:, None] + ((x / columns - place[0]) / _NEAR).square()
    unlike = ((small[0, 0] - L[0, 0, row, column]) / _ALIKE).square()
    weights = torch.exp(-(far + unlike) / 2).flatten()
    colours = ab[0].flatten(1).T
    _, square = torch.unique((colours / _GRID).round(), dim=0, return_inverse=True)
    sums = torch.zeros(int(square.max()) + 1, 3)
    sums.index_add_(0, square, torch.cat((colours, torch.ones(len(colours), 1)), 1) * weights[:, None])
    return sums[:, :2] / sums[:, 2:].clamp_min(1e-12), sums[:, 2]


def _distinct(colours: Tensor, weights: Tensor, count: int) -> Tensor:
    """The modes of some weighed colours: the heaviest with what is near it, then the heaviest of the rest, and so on.

    Args:
        colours: (Q, 2).
        weights: (Q,) at least 0.
        count: of modes, at most.

    Returns:
        (k, 2), at least one.
    """
    weights, first = weights.clone(), math.inf
    modes: list[Tensor] = []
    for _ in range(count):
        top = int(weights.argmax())
        near = (colours - colours[top]).norm(dim=1) < APART
        mass = float((weights * near).sum())
        if modes and mass < _LEAST * first:
            break
        first = mass if not modes else first
        modes.append((colours * (weights * near)[:, None]).sum(0) / max(mass, 1e-12))
        weights = weights * ~near
    return torch.stack(modes)
