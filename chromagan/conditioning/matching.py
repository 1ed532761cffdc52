"""Which place of a reference photo is like which place of a photo, and how far that can be trusted.

Both photos are seen as lightness alone, through the maps of one semantic branch at two strides: centred by their common
mean and compared by their angle, as in He et al., Deep Exemplar-based Colorization (SIGGRAPH 2018). Each place takes
the colours of its best few partners. How far, is told by what was measured on pairs of training photographs (halves of
one photo, photos alike, photos at random): a logistic function of the evidence, which was fitted to the decibels won,
with losses counted eleven times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PARTNERS = 8
_TEMPERATURE = 0.1  # of likeness, among partners
_LIGHTNESS = 0.0005  # what a difference of L, and of its local deviation, takes off likeness, a squared Lab unit
_MOST_CELLS = 4096
# Of closeness, mutuality, likeness of the photos as wholes, mean closeness: the middle, and the slope of trust.
_EVIDENCE = ((0.386, 2.35), (-0.121, 7.23), (0.806, 5.52), (0.386, 50.9))
_OFFSET = -4.9
_CLOSE = 0.3  # below it there is nothing like it in the reference
# Likeness of the photos as wholes: below the first they are of one kind at most, and a thing of the same form may have
# another colour (a bird, a car), so that trust is bounded; above the second they are of one thing.
_ONE, _MOST_OF_A_KIND = (0.90, 0.93), 0.25


@dataclass(frozen=True)
class Seen:
    """A photo as matching sees it.

    Attributes:
        L: (1, 1, h, w) in [0, 100].
        features: (1, F, h', w') of the semantic branch.
        fine: (1, F', h'', w'') of it at a finer stride.
        colours: (1, 2, h, w), the ab of a reference; None of a photo.
    """

    L: Tensor
    features: Tensor
    fine: Tensor
    colours: Tensor | None = None


@dataclass(frozen=True)
class Matched:
    """What a reference says of each cell of a photo.

    Attributes:
        colours: (1, 2, h, w): the ab of the cell's partners.
        trust: (1, 1, h, w) in [0, 1]: how far to take it instead of what is painted.
    """

    colours: Tensor
    trust: Tensor


@dataclass(frozen=True)
class _Cells:
    """A photo as a list of n places: maps (n, F), L and its deviation (n), ab (n, 2)."""

    maps: tuple[Tensor, Tensor]
    L: Tensor
    deviation: Tensor
    colours: Tensor
    grid: tuple[int, int]


def match(photo: Seen, reference: Seen) -> Matched:
    """What a reference says of a photo's colours.

    Args:
        photo: that is coloured.
        reference: with its `colours`, seen by the same branch.

    Returns:
        On the grid of the photo's fine map, or a coarser one where that is large.
    """
    here, there = _cells(photo), _cells(reference)
    likeness, alike = _likeness(here, there)
    # The best few partners of each place, by form and by lightness.
    score = likeness - _LIGHTNESS * (here.L[:, None] - there.L) ** 2
    score -= _LIGHTNESS * (here.deviation[:, None] - there.deviation) ** 2
    best, partners = score.topk(min(PARTNERS, score.shape[1]), dim=1)
    weights = (best / _TEMPERATURE).softmax(dim=1)
    colours = (weights[..., None] * there.colours[partners]).sum(1)
    # How far they can be trusted.
    close = (weights * likeness.gather(1, partners)).sum(1)
    evidence = (
        close,
        (weights * (best - score.amax(0)[partners])).sum(1),  # 0 where no partner has a better one itself
        alike.expand_as(close),
        close.mean().expand_as(close),
    )
    parts = [slope * (given - middle) for given, (middle, slope) in zip(evidence, _EVIDENCE, strict=True)]
    trust = torch.stack(parts).sum(0).add(_OFFSET).sigmoid()
    one = ((alike - _ONE[0]) / (_ONE[1] - _ONE[0])).clamp(0, 1)
    trust = torch.minimum(trust, _MOST_OF_A_KIND + (1 - _MOST_OF_A_KIND) * one)
    trust = trust * (close / _CLOSE).clamp(0, 1)
    return Matched(*(values.T.reshape(1, -1, *here.grid) for values in (colours, trust[:, None])))


def _cells(seen: Seen) -> _Cells:
    rows, columns = seen.fine.shape[-2:]
    shrink = max(1.0, (rows * columns / _MOST_CELLS) ** 0.5)
    grid = (max(1, int(rows / shrink)), max(1, int(columns / shrink)))

    def at(values: Tensor) -> Tensor:
        return resized(values.float(), grid)[0].flatten(1).T

    L = at(seen.L)[:, 0]
    deviation = (at(seen.L.square())[:, 0] - L.square()).clamp_min(0).sqrt()
    colours = L.new_zeros(len(L), 2) if seen.colours is None else at(seen.colours)
    return _Cells((at(seen.fine), at(seen.features)), L, deviation, colours, grid)


def resized(values: Tensor, size: Sequence[int]) -> Tensor:
    """(N, C, h, w) at another size: means of areas where it shrinks, in between where it grows."""
    if tuple(values.shape[-2:]) == tuple(size):
        return values
    if values.shape[-2] >= size[0] and values.shape[-1] >= size[1]:
        return F.adaptive_avg_pool2d(values, (size[0], size[1]))
    return F.interpolate(values, size=tuple(size), mode="bilinear", align_corners=False)


def _likeness(here: _Cells, there: _Cells) -> tuple[Tensor, Tensor]:
    """Of each place here to each there, -1 to 1, mean over both maps; and that of the two photos as wholes."""
    total = torch.zeros(len(here.L), len(there.L))
    for a, b in zip(here.maps, there.maps, strict=True):
        middle = (a.mean(0) + b.mean(0)) / 2
        total += 0.5 * F.normalize(a - middle, dim=1, eps=1e-6) @ F.normalize(b - middle, dim=1, eps=1e-6).T
    return total, F.cosine_similarity(here.maps[1].mean(0), there.maps[1].mean(0), dim=0)
