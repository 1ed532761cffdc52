"""What more colour costs: a model's saturations as lines of a table, beside gray, one constant colour and the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chromagan.evaluation.result import ComparisonResult
from chromagan.files.atomic import strict_json
from chromagan.reports.tables import format_table

FIGURES = ("psnr", "colourfulness", "colourfulness_absolute", "lightness_difference")
"""What the table needs of each image."""


@dataclass(frozen=True)
class FrontierLine:
    """One model at one saturation, over all photos.

    Attributes:
        left_out: photos that are gray themselves or were reproduced exactly: one of their PSNRs is infinite, so they
            are in neither PSNR mean. All other figures are over all photos. A mean over nothing is NaN.
        psnr, gray_psnr, mean_ab_psnr: of the colorized photo, of the gray one, and of the gray one in the mean colour
            of all truths, against the truth, in dB over 8-bit RGB, over the same photos.
        gain: of the first over the second, in dB.
        colourfulness, absolute_colourfulness: of the colorized photos (Hasler and Suesstrunk), and the variant over
            absolute opponents; `true_...` of the truths.
        largest_lightness_difference: between colorized and gray photo over all pixels, in 8-bit levels.
    """

    photos: int
    left_out: int
    psnr: float
    gray_psnr: float
    mean_ab_psnr: float
    gain: float
    colourfulness: float
    true_colourfulness: float
    absolute_colourfulness: float
    true_absolute_colourfulness: float
    largest_lightness_difference: float


def frontier_line(result: ComparisonResult, name: str) -> FrontierLine:
    """The line of one method, by name, of a result with all of `FIGURES`."""
    rows = {method.name: method.per_image for method in result.methods}
    made, true = rows[name], rows["truth"]
    photos = zip(made["psnr"], rows["gray"]["psnr"], rows["mean ab"]["psnr"], strict=True)
    # Photo by photo, so that all means are over the same ones.
    kept = [photo for photo in photos if all(map(math.isfinite, photo))]
    ours, gray, constant = (_mean([photo[i] for photo in kept]) for i in range(3))
    return FrontierLine(
        photos=len(result.images),
        left_out=len(result.images) - len(kept),
        psnr=ours,
        gray_psnr=gray,
        mean_ab_psnr=constant,
        gain=ours - gray,
        colourfulness=_mean(made["colourfulness"]),
        true_colourfulness=_mean(true["colourfulness"]),
        absolute_colourfulness=_mean(made["colourfulness_absolute"]),
        true_absolute_colourfulness=_mean(true["colourfulness_absolute"]),
        largest_lightness_difference=max(made["lightness_difference"]),
    )


def frontier_table(factors: Sequence[float], lines: Sequence[FrontierLine], hints: Sequence[int] = ()) -> str:
    """One line a saturation: what more colour costs in PSNR; `mean ab` is what one colour for all photos brings.

    With `hints`, the number of simulated hints of each line, they are its first column.
    """
    header = (
        "saturation", "PSNR", "gray", "mean ab", "gain", "colourfulness", "truth", "lightness off by", "photos",
        "left out",
    )  # fmt: skip
    rows = [
        (
            *map(str, hints[i : i + 1]), f"{factor:g}",
            f"{line.psnr:.3f}", f"{line.gray_psnr:.3f}", f"{line.mean_ab_psnr:.3f}", f"{line.gain:+.3f}",
            f"{line.colourfulness:.2f}", f"{line.true_colourfulness:.2f}", f"{line.largest_lightness_difference:.3f}",
            str(line.photos), str(line.left_out),
        )
        for i, (factor, line) in enumerate(zip(factors, lines, strict=True))
    ]  # fmt: skip
    return format_table(("hints", *header) if hints else header, rows)


def frontier_results(factors: Sequence[float], lines: Sequence[FrontierLine]) -> list[dict[str, Any]]:
    """The same as strict JSON: null stands for what is not finite."""
    return [{"saturation": factor, **strict_json(asdict(line))} for factor, line in zip(factors, lines, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
