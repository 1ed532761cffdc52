"""A photo seen more than once: at half the size too, and mirrored; what a network answers is averaged.

At half the size a network that was trained on small crops knows better what it looks at, at the whole size better where
it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.conditioning.condition import Condition, LocalHints, pad_to_stride
from chromagan.models.contract import Prediction


@dataclass(frozen=True)
class View:
    """One way to see a photo."""

    halved: bool = False
    mirrored: bool = False

    def of(self, L: Tensor, pad: Callable[[Tensor, int], Tensor] = pad_to_stride) -> Tensor:
        """(N, 1, H, W) L as it is seen; `pad` brings sides to a multiple."""
        if self.halved:
            L = F.avg_pool2d(pad(L, 2), 2)
        return L.flip(3) if self.mirrored else L

    def told(self, condition: Condition) -> Condition:
        """A condition at L's size, for L as it is seen."""
        if condition.local is None:
            return condition
        ab, mask = condition.local.ab, condition.local.mask
        if self.halved:  # colours are means of what is given, and a place where anything is given is one
            share = F.avg_pool2d(pad_to_stride(mask, 2), 2)
            ab = F.avg_pool2d(pad_to_stride(ab * mask, 2), 2) / share.clamp_min(1e-6)
            mask = F.max_pool2d(pad_to_stride(mask, 2), 2)
        if self.mirrored:
            ab, mask = ab.flip(3), mask.flip(3)
        return replace(condition, local=LocalHints(ab, mask))

    def brought_back(self, grid: Tensor, rows: int, columns: int) -> Tensor:
        """An answer (N, C, h, w), as one for the photo as it is, which has so many rows and columns."""
        if self.halved:
            grid = F.interpolate(grid, scale_factor=2.0, mode="bilinear", align_corners=False)
        grid = grid[..., :rows, :columns]
        return grid.flip(3) if self.mirrored else grid


_VIEWS = (View(), View(halved=True), View(mirrored=True), View(halved=True, mirrored=True))


def views_of(count: int) -> tuple[View, ...]:
    """So many views, see `Look`; the first is the photo as it is."""
    return _VIEWS[:count]


def merged(answers: Sequence[Prediction], views: Sequence[View]) -> Prediction:
    """One answer of those for each view: the mean of ab and of the bins' probabilities; all else is the first one's."""
    first = answers[0]
    if len(answers) == 1:
        return first

    def mean(grids: Sequence[Tensor]) -> Tensor:
        rows, columns = grids[0].shape[2:]
        back = (view.brought_back(one, rows, columns) for view, one in zip(views, grids, strict=True))
        return reduce(torch.add, back) / len(grids)  # a stack would hold all bins of all views at once

    ab = mean([one.ab for one in answers])
    probabilities = [one.bin_logits.float().softmax(1) for one in answers if one.bin_logits is not None]
    if not probabilities:
        return replace(first, ab=ab)
    return replace(first, ab=ab, bin_logits=mean(probabilities).clamp_min(1e-12).log())
