"""Do colours reach a palette, and together: strengths of one palette after another.

- *distance* at each strength: mean difference in ab of a pixel to the palette's nearest colour, in Lab units; it falls.
- *coherence*: the mean gradient of the change over the mean gradient of the painting; a posterisation has much of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.conditioning.guidance import Guidance, Palette
from chromagan.inference.colorizer import Colorizer
from chromagan.reports.tables import format_table

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
PALETTES = (("#7a4b2a", "#e0d3b8", "#3b5b4c"), ("#0b3954", "#087e8b", "#bfd7ea", "#c81d25"), ("#f4a259", "#5b8e7d"))


@dataclass(frozen=True)
class PaletteFigures:
    """Means over photos and palettes; see the top of this file.

    Attributes:
        distance: at each of `STRENGTHS`.
        falls: share of photos and palettes where it falls with every step.
        coherence: at strength 1.
        photos: how many.
    """

    distance: tuple[float, ...]
    falls: float
    coherence: float
    photos: int


def measure(colorizer: Colorizer, photos: Sequence[Path], seed: int = 0) -> PaletteFigures:
    """Move each photo towards each palette; nothing is drawn by chance."""
    far, coherence = [], []
    for path in photos:
        session = colorizer.open(path)
        for colours in PALETTES:
            made = [session.paint(guidance=_guidance(colours, strength))[0].ab for strength in STRENGTHS]
            far.append([_distance(ab, Palette(colours)) for ab in made])
            coherence.append(_gradient(made[-1] - made[0]) / max(_gradient(made[0]), 1e-6))
    distances = np.array(far)
    falls = (np.diff(distances, axis=1) < 0).all(1).mean()
    return PaletteFigures(tuple(distances.mean(0).tolist()), float(falls), float(np.mean(coherence)), len(photos))


def table(made: Mapping[str, PaletteFigures]) -> str:
    """The figures of models for a terminal."""
    rows = [
        [model, *(f"{one:.2f}" for one in figures.distance), f"{figures.falls:.0%}", f"{figures.coherence:.2f}"]
        for model, figures in made.items()
    ]
    return format_table(["palette", *(f"distance at {one:g}" for one in STRENGTHS), "falls", "coherence"], rows)


def _guidance(colours: tuple[str, ...], strength: float) -> Guidance:
    return Guidance(palette=Palette(colours, (), strength)) if strength else Guidance()


def _distance(ab: Tensor, palette: Palette) -> float:
    wanted = rgb_to_lab(torch.tensor(palette.colours, dtype=torch.float32).T[None, :, None] / 255)[0, 1:, 0].T
    return float(torch.cdist(ab[0].flatten(1).T, wanted).amin(1).mean())


def _gradient(ab: Tensor) -> float:
    return float(ab.diff(dim=2).abs().mean() + ab.diff(dim=3).abs().mean())
