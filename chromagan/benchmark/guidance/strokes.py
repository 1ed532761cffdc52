"""Are strokes met, do they leak over edges, do they stay dots: three measures of simulated strokes.

A stroke is a disc of 4 pixels' radius in a photo of 256 pixels on its short side; it wishes the painted colour moved by
30 units of ab in a random direction that sRGB can show there.

- *met*: how far the colour at its centre is from the wish, in units of ab.
- *leak*: the mean change beyond an edge over that in the disc. Beyond an edge is what lies within 40 pixels, seen from
  the centre over a gradient of L above the photo's 95th percentile, 8 pixels or more past it.
- *carried*: the mean change 12 pixels beyond the disc, within the same SLIC segment, over that in the disc.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.gamut import nearest_in_gamut
from chromagan.color.lab import lab_to_rgb
from chromagan.conditioning.guidance import Guidance, Stroke
from chromagan.errors import UsageError
from chromagan.images.read import read_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.metrics.eight_bit import lab_of_8bit, to_8bit_rgb
from chromagan.metrics.metric import Picture
from chromagan.reports.tables import format_table

SIDE, RADIUS, WISH = 256, 4, 30.0
_FAR, _PAST, _BEYOND = 40, 8, 12
_STRONG = 95  # percentile of the gradient above which it is an edge
Plane = NDArray[Any]


@dataclass(frozen=True)
class StrokeFigures:
    """Means over strokes, and how many; a stroke with no pixel to look at counts for no figure of that kind.

    Attributes:
        met: units of ab from the wish at the centre.
        leak: share of the change that is found beyond edges.
        carried: share of the change that is found 12 pixels further on the same thing.
        strokes: that were drawn.
    """

    met: float
    leak: float
    carried: float
    strokes: int


def measure(colorizer: Colorizer, photos: Sequence[Path], seed: int = 0, count: int = 50) -> StrokeFigures:
    """Draw strokes, as evenly over the photos as goes, and measure what they do.

    Args:
        colorizer: that paints.
        photos: colour photos; their segments are those of the true colours.
        seed: decides where they lie.
        count: strokes in all.

    Raises:
        UsageError: scikit-image is not installed.
    """
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise UsageError("this benchmark needs scikit-image; pip install scikit-image") from error
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, float, float]] = []
    for number, path in enumerate(photos):
        share = count * (number + 1) // len(photos) - count * number // len(photos)
        if share == 0:
            continue
        truth = reduced(to_8bit_rgb(read_photo(path).pixels))
        L = lab_of_8bit(truth)[0]
        gray = np.asarray(to_8bit_rgb(lab_to_rgb(_gray(L))[0].permute(1, 2, 0).numpy()), np.uint8)
        segments, edges = slic(truth), strong_edges(L)
        session = colorizer.open(gray)
        before = _ab(session.paint()[0].photo.pixels)
        for _ in range(share):
            centre, stroke, wish = draw(L, before, rng)
            after = _ab(session.paint(guidance=Guidance((stroke,)))[0].photo.pixels)
            rows.append(figures(before, after, wish, centre, edges, segments))
    met, leak, carried = (float(np.nanmean(column)) for column in np.array(rows).T)
    return StrokeFigures(met, leak, carried, len(rows))


def table(made: Mapping[str, StrokeFigures]) -> str:
    """The figures of some models for a terminal."""
    rows = [
        (name, f"{one.met:.2f}", f"{100 * one.leak:.0f} %", f"{100 * one.carried:.0f} %", str(one.strokes))
        for name, one in made.items()
    ]
    return format_table(("strokes", "met within (ab)", "leak", "carried 12 px on", "drawn"), rows)


def draw(L: Plane, ab: Plane, rng: np.random.Generator) -> tuple[tuple[int, int], Stroke, Plane]:
    """A stroke somewhere in a photo: its (row, column), itself, and the ab that it wishes, as it can be met there.

    Args:
        L: (H, W) in [0, 100].
        ab: (H, W, 2), as painted.
        rng: decides where, and which direction.
    """
    height, width = L.shape
    while True:
        y, x = (int(rng.integers(RADIUS, side - RADIUS)) for side in (height, width))
        angle = rng.uniform(0, 2 * math.pi)
        wish = ab[y, x] + WISH * np.array([math.cos(angle), math.sin(angle)])
        there = torch.tensor([float(L[y, x])]), torch.from_numpy(wish).float()[:, None]
        if (nearest_in_gamut(*there) - there[1]).abs().max() > 1e-3:
            continue
        rgb = lab_to_rgb(torch.cat([there[0][:, None], there[1]]).view(1, 3, 1, 1))[0, :, 0, 0]
        red, green, blue = (round(255 * float(value)) for value in rgb)
        place = ((x + 0.5) / width, (y + 0.5) / height)
        return (y, x), Stroke("colour", (place,), RADIUS / min(height, width), (red, green, blue)), wish


def figures(
    before: Plane, after: Plane, wish: Plane, centre: tuple[int, int], edges: Plane, segments: Plane
) -> tuple[float, float, float]:
    """The three measures of one stroke; NaN where there is no pixel to look at.

    Args:
        before: (H, W, 2) ab without the stroke.
        after: with it.
        wish: (2,) ab.
        centre: row and column.
        edges: (H, W) bool, strong gradients of L.
        segments: (H, W) numbers of the photo's segments.
    """
    change = np.linalg.norm(after - before, axis=-1)
    y, x = np.mgrid[: change.shape[0], : change.shape[1]]
    distance = np.hypot(y - centre[0], x - centre[1])
    inside = max(float(change[distance <= RADIUS].mean()), 1e-6)
    beyond = behind_edges(edges, centre)
    ring = (np.abs(distance - RADIUS - _BEYOND) <= 1) & (segments == segments[centre])
    leak, carried = (float(change[part].mean()) / inside if part.any() else math.nan for part in (beyond, ring))
    return float(np.linalg.norm(after[centre] - wish)), leak, carried


def behind_edges(edges: Plane, centre: tuple[int, int]) -> Plane:
    """(H, W) bool: what lies within 40 pixels of a centre, 8 or more past an edge on the straight line from there.

    Edges under the stroke itself are none: whoever paints over one means both of its sides.
    """
    height, width = edges.shape
    y, x = np.mgrid[:height, :width]
    y, x = y - centre[0], x - centre[1]
    distance = np.hypot(y, x)
    seen = (distance <= _FAR) & (distance > RADIUS + _PAST)
    # Every half pixel of each line, from the stroke's rim on to 8 pixels before its end.
    along = np.arange(RADIUS + 0.5, _FAR - _PAST + 1e-9, 0.5)
    direction = np.stack([y[seen], x[seen]]) / distance[seen]
    rows, columns = (
        np.rint(place + step[:, None] * along).astype(int).clip(0, side - 1)
        for place, step, side in zip(centre, direction, edges.shape, strict=True)
    )
    crossed = edges[rows, columns] & (along <= distance[seen][:, None] - _PAST)
    found = np.zeros(edges.shape, bool)
    found[seen] = crossed.any(1)
    return found


def strong_edges(L: Plane) -> Plane:
    """(H, W) bool: where the gradient of L is above the photo's 95th percentile."""
    plane = np.asarray(L, np.float32)
    gradient = np.hypot(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))
    return np.asarray(gradient > np.percentile(gradient, _STRONG))


def reduced(picture: Picture) -> Picture:
    """A picture of 256 pixels on its short side."""
    height, width = picture.shape[:2]
    scale = SIDE / min(height, width)
    size = (round(width * scale), round(height * scale))
    return picture if scale == 1 else np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _ab(pixels: Plane) -> Plane:
    return np.stack(lab_of_8bit(pixels)[1:], axis=-1)


def _gray(L: Plane) -> torch.Tensor:
    lightness = torch.from_numpy(np.asarray(L, np.float32))[None, None]
    return torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], 1)
