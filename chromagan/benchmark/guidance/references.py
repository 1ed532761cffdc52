"""What a reference is worth, in decibels of PSNR over the painting without one.

Four kinds of reference, each for every photo:

- *copy*: the photo itself, mirrored, 90 % of its height and width, cut out at random.
- *half*: the photo's right half, for its left half as a photo of its own.
- *nearest*: of the other photos the one whose mean map of the semantic branch points most nearly the same way.
- *random*: one of the other photos.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.conditioning.guidance import Guidance, Reference
from chromagan.errors import UsageError
from chromagan.images.read import read_photo
from chromagan.inference.colorizer import Colorizer, Session
from chromagan.inference.masks import digest_of
from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.metrics.metric import Picture
from chromagan.metrics.psnr import psnr
from chromagan.reports.tables import markdown_table

KINDS = ("copy", "half", "nearest", "random")
_CUT = 0.9  # of a copy's sides


@dataclass(frozen=True)
class ReferenceFigures:
    """Decibels won by kind of reference: the mean over photos, and that over the tenth that won least.

    Attributes:
        mean: by kind.
        worst_tenth: by kind.
        score: by kind, the references' own mean score.
        photos: measured; those with nearly no colour of their own are left out.
    """

    mean: dict[str, float]
    worst_tenth: dict[str, float]
    score: dict[str, float]
    photos: int


def measure(colorizer: Colorizer, photos: Sequence[Path], seed: int = 0) -> ReferenceFigures:
    """Paint photos without and with references.

    Args:
        colorizer: that paints.
        photos: colour photos, three or more.
        seed: decides where copies are cut, and which photos are the random ones.

    Raises:
        UsageError: too few photos with colours.
    """
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder:
        # 1. Every photo as a reference, and what the branch sees of it.
        truths: list[Picture] = []
        files: list[str] = []
        pooled: list[Tensor] = []
        for path in photos:
            truth = to_8bit_rgb(read_photo(path).pixels)
            file = _saved(Path(folder) / f"{len(files)}.png", truth)
            try:
                seen = colorizer.album.seen(_reference(file))
            except UsageError:
                continue  # no colours to take
            truths.append(truth)
            files.append(file)
            pooled.append(F.normalize(seen.features.mean((2, 3)), dim=1)[0])
        if len(truths) < 3:
            raise UsageError(f"references need three photos or more with colours, and there are {len(truths)}")
        nearest, rng = _nearest(pooled), np.random.default_rng(seed)
        # 2. What each is worth.
        won: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
        for number, truth in enumerate(truths):
            left, right = np.array_split(truth, 2, axis=1)
            copy = _saved(Path(folder) / "copy.png", mirrored_part(truth, rng))
            other = int(rng.choice([one for one in range(len(truths)) if one != number]))
            whole, part = colorizer.open(truth), colorizer.open(np.ascontiguousarray(left))
            won["copy"].append(_won(whole, truth, copy))
            won["half"].append(_won(part, left, _saved(Path(folder) / "half.png", right)))
            won["nearest"].append(_won(whole, truth, files[nearest[number]]))
            won["random"].append(_won(whole, truth, files[other]))
    # 3. In figures.
    columns = {kind: np.array(rows) for kind, rows in won.items()}
    tenth = max(1, round(len(truths) / 10))
    return ReferenceFigures(
        mean={kind: float(rows[:, 0].mean()) for kind, rows in columns.items()},
        worst_tenth={kind: float(np.sort(rows[:, 0])[:tenth].mean()) for kind, rows in columns.items()},
        score={kind: float(rows[:, 1].mean()) for kind, rows in columns.items()},
        photos=len(truths),
    )


def table(made: Mapping[str, ReferenceFigures]) -> str:
    """A line for each model and kind, in Markdown."""
    head = ["model", "reference", "dB over none", "worst tenth", "score", "photos"]
    rows = [
        [model, kind, *(f"{values[kind]:+.2f}" for values in (one.mean, one.worst_tenth)), f"{one.score[kind]:.2f}",
         str(one.photos)]
        for model, one in made.items()
        for kind in KINDS
    ]  # fmt: skip
    return markdown_table(head, rows)


def mirrored_part(picture: Picture, rng: np.random.Generator) -> Picture:
    """A picture mirrored left to right, 90 % of its sides, cut out at random."""
    rows, columns = (max(1, round(_CUT * side)) for side in picture.shape[:2])
    y, x = (int(rng.integers(whole - part + 1)) for whole, part in zip(picture.shape, (rows, columns), strict=False))
    return np.ascontiguousarray(picture[y : y + rows, x : x + columns][:, ::-1])


def _won(session: Session, truth: Picture, file: str) -> tuple[float, float]:
    """Decibels over no reference, and the reference's score."""
    plain = session.paint()[0]
    done = session.paint(guidance=Guidance(references=(_reference(file),)))[0]
    return psnr(done.photo.pixels, truth) - psnr(plain.photo.pixels, truth), done.references[0].score


def _nearest(pooled: Sequence[Tensor]) -> list[int]:
    alike = torch.stack(list(pooled)) @ torch.stack(list(pooled)).T
    return [int(one) for one in alike.fill_diagonal_(-2).argmax(1)]


def _reference(file: str) -> Reference:
    return Reference(file, sha256=digest_of(file))


def _saved(path: Path, picture: Picture) -> str:
    cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))
    return str(path)
