"""From guidance to what a network sees of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.conditioning.condition import NOTHING, Condition, LocalHints
from chromagan.conditioning.guidance import Guidance, Stroke
from chromagan.conditioning.layer import layer_hints, over

_LEAST_RADIUS = 0.5**0.5  # a dot reaches the middle of at least one pixel


def encode(
    guidance: Guidance, size: tuple[int, int], accepts: Collection[str], layer: NDArray[np.uint8] | None = None
) -> Condition:
    """What a network that accepts these kinds of condition is shown of some guidance.

    Args:
        guidance: of a person.
        size: rows and columns of L.
        accepts: kinds of condition.
        layer: the picture of its layer, (H, W, 4) uint8, where it has one.

    Returns:
        Of one photo, on the CPU, float32; the rest is brought in after the network.
    """
    wishes = local_wishes(guidance, size, layer) if "local" in accepts else None
    return NOTHING if wishes is None else Condition(local=wishes)


def local_wishes(
    guidance: Guidance, size: tuple[int, int], layer: NDArray[np.uint8] | None = None
) -> LocalHints | None:
    """The colours that some guidance wishes at places, of its strokes and of the layer below them; None for none.

    Args:
        guidance: of a person.
        size: rows and columns that they are wanted at.
        layer: the picture of its layer, (H, W, 4) uint8, where it has one.
    """
    coloured = any(stroke.kind != "saturation" for stroke in guidance.strokes)
    strokes = paint_strokes(guidance.strokes, size) if coloured else None
    below = None if layer is None else layer_hints(layer, size)
    return over(strokes, below) if strokes and below else strokes or below


def paint_strokes(strokes: Sequence[Stroke], size: tuple[int, int]) -> LocalHints:
    """Colour and neutral strokes as tensors of H rows and W columns; where strokes overlap, the one on top shows.

    Returns:
        ab (1, 2, H, W) in Lab units and the mask (1, 1, H, W), which holds the strokes' strength.
    """
    shown = [stroke for stroke in sorted(strokes, key=lambda one: one.order) if stroke.kind != "saturation"]
    owner = cover(shown, size)
    # Entry 0 is what no stroke covers.
    colours = torch.cat([torch.zeros(1, 2), *(_ab(stroke) for stroke in shown)])
    strengths = torch.tensor([0.0, *(stroke.strength for stroke in shown)])
    owners = torch.from_numpy(owner)
    return LocalHints(colours[owners].permute(2, 0, 1)[None].contiguous(), strengths[owners][None, None])


def cover(strokes: Sequence[Stroke], size: tuple[int, int]) -> NDArray[np.int64]:
    """(rows, columns) of which stroke lies on top at each pixel: its place among those given plus 1, 0 for none."""
    owner = np.zeros(size, np.int64)
    for number, stroke in enumerate(strokes, 1):
        _cover(owner, stroke, number)
    return owner


def _ab(stroke: Stroke) -> Tensor:
    """(1, 2) in Lab units; a neutral stroke has none."""
    if stroke.rgb is None:
        return torch.zeros(1, 2)
    return rgb_to_lab(torch.tensor(stroke.rgb, dtype=torch.float32).view(1, 3, 1, 1) / 255)[:, 1:, 0, 0]


def _cover(owner: NDArray[np.int64], stroke: Stroke, number: int) -> None:
    """Write a stroke's number where a pixel's middle is within the brush's radius of its path."""
    rows, columns = owner.shape
    radius = max(stroke.radius * min(rows, columns), _LEAST_RADIUS)
    path = np.array(stroke.points) * (columns, rows) - 0.5  # in pixels, whole numbers at their middles
    path = path.clip(0, (columns - 1, rows - 1))
    for start, end in zip(path, path[1:] if len(path) > 1 else path, strict=False):
        low = np.maximum(np.floor(np.minimum(start, end) - radius), 0).astype(int)
        high = np.ceil(np.maximum(start, end) + radius).astype(int) + 1
        part = owner[low[1] : high[1], low[0] : high[0]]
        y, x = np.mgrid[low[1] : low[1] + part.shape[0], low[0] : low[0] + part.shape[1]]
        step = end - start
        along = ((x - start[0]) * step[0] + (y - start[1]) * step[1]) / max(float(step @ step), 1e-12)
        along = along.clip(0, 1)
        distance = np.hypot(x - start[0] - along * step[0], y - start[1] - along * step[1])
        part[distance <= radius + 1e-9] = number
