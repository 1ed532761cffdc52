"""Does a photo keep its colours where it is changed in ways that change no colour.

Each photo is made gray, changed, and painted; the painting is brought back, and compared with that of the photo as it
was, both at 64 x 64: the mean distance in ab. A gray answer, and one colour for all, score 0 everywhere: the mean
chroma of the paintings is told beside, and the share of pixels whose ab is more than 40 from the truth's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.evaluation.baselines import gray_of_8bit
from chromagan.images.read import read_photo
from chromagan.images.resize import resize_antialiased
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request
from chromagan.metrics.eight_bit import lab_of_8bit, to_8bit_rgb
from chromagan.reports.tables import format_table

SIZES = (128, 256, 384, 512)
FAR = 40.0  # units of ab
_SIDE = 64
Gray = NDArray[np.uint8]
AB = NDArray[np.float32]
"""(2, H, W) in Lab units."""


def _cut(rows: int, columns: int) -> tuple[slice, slice]:
    """A photo without a twentieth of its height and width."""
    top, left = max(1, round(rows / 40)), max(1, round(columns / 40))
    return slice(top, rows - top), slice(left, columns - left)


def _cropped(picture: NDArray[Any]) -> NDArray[Any]:
    return picture[(..., *_cut(*picture.shape[-2:]))]


def _compressed(gray: Gray) -> Gray:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 0), np.uint8)


def _grainy(gray: Gray) -> Gray:
    grain = np.random.default_rng(0).normal(0, 5, gray.shape)
    return (gray + grain).round().clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Change:
    """A photo changed, and what makes of the painting of the unchanged one what the changed one's should be."""

    gray: Callable[[Gray], Gray]
    painting: Callable[[AB], AB] = lambda ab: ab


CHANGES: dict[str, Change] = {
    "flipped": Change(lambda gray: np.ascontiguousarray(gray[:, ::-1]), lambda ab: ab[..., ::-1]),
    "cropped by 5 %": Change(lambda gray: np.ascontiguousarray(_cropped(gray)), _cropped),
    "JPEG 50": Change(_compressed),
    "grain of 5 levels": Change(_grainy),
}


@dataclass(frozen=True)
class Consistency:
    """Means over photos.

    Attributes:
        photos: how many.
        distances: in ab, by what was changed.
        chroma: of the paintings of the photos as they are.
        far: share of pixels more than `FAR` from the true ab; `gray_far` that of gray.
    """

    photos: int
    distances: dict[str, float]
    chroma: float
    far: float
    gray_far: float


def measure(colorizer: Colorizer, photos: Sequence[Path]) -> Consistency:
    """Paint each photo as it is, at each size, and under each change."""
    rows = [_row(colorizer, to_8bit_rgb(read_photo(path).pixels)) for path in photos]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    rest = (mean.pop(name) for name in ("chroma", "far", "gray_far"))
    return Consistency(len(rows), mean, *rest)


def table(made: Mapping[str, Consistency]) -> str:
    """The figures of models for a terminal."""
    names = list(next(iter(made.values())).distances)
    rows = [
        [model, *(f"{found.distances[name]:.2f}" for name in names), f"{found.chroma:.1f}", f"{found.far:.2%}"]
        for model, found in made.items()
    ]
    one = next(iter(made.values()))
    rows.append(["gray", *["0.00"] * len(names), "0.0", f"{one.gray_far:.2%}"])
    return format_table(["distance in ab", *names, "mean chroma", f"ab error above {FAR:g}"], rows)


def _row(colorizer: Colorizer, truth: NDArray[np.uint8]) -> dict[str, float]:
    gray = gray_of_8bit(truth)

    def painted(picture: Gray, **wishes: Any) -> AB:
        made = colorizer.colorize([picture], Request(**wishes))[0][0]
        return np.stack(lab_of_8bit(to_8bit_rgb(made.photo.pixels))[1:])

    plain, true = painted(gray), np.stack(lab_of_8bit(truth)[1:])
    found = {f"{size} px": distance(painted(gray, size=size), plain) for size in SIZES}
    for name, change in CHANGES.items():
        found[name] = distance(painted(change.gray(gray)), change.painting(plain))
    error = np.hypot(*(plain - true))
    return {**found, "chroma": float(np.hypot(*plain).mean()), "far": float((error > FAR).mean()),
            "gray_far": float((np.hypot(*true) > FAR).mean())}  # fmt: skip


def distance(one: AB, other: AB) -> float:
    """The mean distance of two paintings, both brought to 64 x 64."""
    small = [resize_antialiased(torch.from_numpy(ab.copy())[None], (_SIDE, _SIDE))[0] for ab in (one, other)]
    return float((small[0] - small[1]).norm(dim=0).mean())
