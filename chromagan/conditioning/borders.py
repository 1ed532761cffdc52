"""The uniform border of a print or an album page, which is paper and takes no colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TONE = 4.0  # Lab units of L: paper differs by no more from its tone
_ALIKE = 0.97  # share of a line that is of that tone
_THINNEST, _WIDEST = 0.012, 0.35  # of the short side
_EDGE = 0.5  # share of the picture's edge that differs from the border beside it
_SIDES = 3  # that must have such an edge: the picture may be as white as its paper at one
_NEXT = 3  # pixels within which it does


def calm_border(ab: Tensor, L: Tensor) -> Tensor:
    """Painted colours without those of a border; `ab` itself where there is none.

    A border runs along all four edges, has one tone, and ends at a straight line behind which the picture is of other
    tones, on three sides at least: a white sky, and a thing on a white ground, are none.

    Args:
        ab: (1, 2, h, w) in Lab units.
        L: (1, 1, h, w) in [0, 100].
    """
    box = find_border(L[0, 0].numpy())
    if box is None:
        return ab
    top, bottom, left, right = box
    inside = torch.zeros(ab.shape[2:])
    inside[top:bottom, left:right] = 1
    return ab * inside


def find_border(L: NDArray[Any]) -> tuple[int, int, int, int] | None:
    """The picture within a border: its first row, the row behind its last, and the same of columns; None without one.

    Args:
        L: (h, w) in [0, 100].
    """
    height, width = L.shape
    tone = np.median(np.concatenate([L[0], L[-1], L[:, 0], L[:, -1]]))
    paper = np.abs(L - tone) <= _TONE
    # Each side as rows from the outside inwards.
    sides = (paper, paper[::-1], paper.T, paper.T[::-1])
    depths = [int(np.argmin([*(side.mean(1) >= _ALIKE), False])) for side in sides]
    short = min(height, width)
    if min(depths) < max(2, _THINNEST * short):
        return None
    ends = [_ends(side, depth, others) for side, depth, others in zip(
        sides, depths, (depths[2:], depths[2:], depths[:2], depths[:2]), strict=True)]  # fmt: skip
    firm = [depth for depth, end in zip(depths, ends, strict=True) if end]
    if len(firm) < _SIDES or max(firm) > _WIDEST * short:
        return None
    top, bottom, left, right = (
        depth if end else min(depth, max(firm)) for depth, end in zip(depths, ends, strict=True)
    )
    return top, height - bottom, left, width - right


def _ends(paper: NDArray[Any], depth: int, across: list[int]) -> bool:
    """Whether the picture differs from the paper along most of its edge."""
    behind = ~paper[depth : depth + _NEXT, across[0] : paper.shape[1] - across[1]]
    return behind.size > 0 and float(behind.any(0).mean()) >= _EDGE
