"""Enlarging a small ab grid to the photograph, one x2 step after another, each guided by the photograph's own L.

The step is a callable (the learned one lives in `chromagan.models.chroma_upsampler`), so that this module knows no
network.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

ChromaStep = Callable[[Tensor, Tensor], Tensor]
"""(ab (N, 2, h, w), L (N, 1, 2h, 2w)) -> ab (N, 2, 2h, 2w)."""

Lightness = Callable[[tuple[int, int]], Tensor]
"""(rows, columns) -> the photograph's L, (1, 1, rows, columns) in [0, 100], reduced by area."""

MAX_PIXELS = 1 << 20


def bicubic_step(ab: Tensor, L: Tensor) -> Tensor:
    """The x2 step that does not look at L; shapes as in `ChromaStep`."""
    return F.interpolate(ab, size=L.shape[-2:], mode="bicubic", align_corners=False)


def enlarge_chroma(
    ab: Tensor, lightness: Lightness, size: tuple[int, int], step: ChromaStep, max_pixels: int = MAX_PIXELS
) -> Tensor:
    """Double ab until another doubling would pass the photograph's size or `max_pixels`.

    Both sides of the grid cover the whole photograph, whatever the ratio of its sides to the photograph's. Where the
    ratio is no power of two, the small grid is first stretched so that the last doubling lands on the target: the
    stretch costs nothing there, while one at the end would blur the edges that the steps have just drawn.

    Args:
        ab: (1, 2, h, w) in Lab units, covering the photograph.
        lightness: gives the photograph's L at a size.
        size: the photograph's (H, W).
        step: one x2 enlargement; it gets L at the doubled size.
        max_pixels: the returned grid has no more pixels than this (unless ab has already).

    Returns:
        (1, 2, h', w') with h' <= H and w' <= W wherever a step was taken; the caller enlarges the rest bicubically.
    """
    steps, rows, columns = plan_octaves((ab.shape[-2], ab.shape[-1]), size, max_pixels)
    if steps and (rows, columns) != tuple(ab.shape[-2:]):
        ab = F.interpolate(ab, size=(rows, columns), mode="bicubic", align_corners=False)
    for _ in range(steps):
        rows, columns = 2 * rows, 2 * columns
        ab = step(ab, lightness((rows, columns)))
    return ab


def plan_octaves(grid: tuple[int, int], size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> tuple[int, int, int]:
    """How many doublings lead from a grid towards the photograph, and from which stretched grid they start.

    Args:
        grid: (h, w) of the small grid.
        size: (H, W) of the photograph.
        max_pixels: bound on the pixels of the last grid.

    Returns:
        The number of doublings, and the rows and columns of the grid that the first one takes; with no doubling the
        grid itself.
    """
    shrink = min(1.0, math.sqrt(max_pixels / (size[0] * size[1])))
    target = (size[0] * shrink, size[1] * shrink)
    ratio = math.sqrt(target[0] * target[1] / (grid[0] * grid[1]))
    steps = max(0, round(math.log2(ratio))) if ratio > 1 else 0
    rows, columns = (math.floor(side / 2**steps) for side in target)
    if steps == 0 or rows < 1 or columns < 1:
        return 0, grid[0], grid[1]
    return steps, rows, columns
