"""How far a colorizer moved the skin of one face: closed formulas on the Lab values of its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from chromagan.evaluation.fairness.skin import Lab, ita_degrees
from chromagan.metrics.ciede2000 import ciede2000

_LEAST_CHROMA = 1.0  # Lab units; a mean colour closer to gray has no hue


@dataclass(frozen=True)
class SkinShift:
    """One face under one colorizer. All but `ciede2000` and `hue_error` are signed: colorized minus truth.

    Attributes:
        ciede2000: mean over the skin pixels of the colour difference. 0 is right; lower is better.
        hue_error: |hue_shift|, 0 to 180 degrees; lower is better.
        hue_shift: turn of the mean colour's hue, -180 to 180 degrees; above 0 towards yellow, below towards red and
            pink. NaN where either mean colour is nearer to gray than 1 Lab unit.
        ita_shift: change of the individual typology angle of the mean colour, in degrees.
        lightness_shift: of mean L*; a colorizer that keeps the photo's lightness has 0.
        a_shift, b_shift: of mean a* and b*; above 0 redder, yellower.
        chroma_shift: of the mean colour's chroma; below 0 paler.
    """

    ciede2000: float
    hue_error: float
    hue_shift: float
    ita_shift: float
    lightness_shift: float
    a_shift: float
    b_shift: float
    chroma_shift: float


MEASURES = {
    "ciede2000": "CIEDE2000",
    "hue_error": "hue error, degrees",
    "hue_shift": "hue shift, degrees",
    "ita_shift": "ITA shift, degrees",
    "lightness_shift": "L* shift",
    "a_shift": "a* shift",
    "b_shift": "b* shift",
    "chroma_shift": "chroma shift",
}
"""Fields of `SkinShift` as they are shown, with their unit."""


def measure_skin(lab: Lab, truth: Lab) -> SkinShift:
    """Compare the skin of one face with the truth, pixels (n, 3) L, a, b with the same ones; `ValueError` without any.

    Shifts of mean colours are of the means over pixels of L, a and b.
    """
    if lab.shape != truth.shape or not len(lab):
        raise ValueError(f"skin pixels of {lab.shape} and {truth.shape} cannot be compared")
    difference = ciede2000(*(torch.from_numpy(one.T.reshape(3, -1, 1).copy()) for one in (lab, truth)))
    (L, a, b), (true_L, true_a, true_b) = (one.mean(axis=0).tolist() for one in (lab, truth))
    chroma, true_chroma = math.hypot(a, b), math.hypot(true_a, true_b)
    hue_shift = math.nan
    if min(chroma, true_chroma) >= _LEAST_CHROMA:
        hue_shift = turn_degrees(math.degrees(math.atan2(b, a)), math.degrees(math.atan2(true_b, true_a)))
    return SkinShift(
        ciede2000=float(difference.mean()),
        hue_error=abs(hue_shift),
        hue_shift=hue_shift,
        ita_shift=turn_degrees(ita_degrees(L, b), ita_degrees(true_L, true_b)),
        lightness_shift=L - true_L,
        a_shift=a - true_a,
        b_shift=b - true_b,
        chroma_shift=chroma - true_chroma,
    )


def turn_degrees(to: float, start: float) -> float:
    """The shorter turn from one angle to another, in [-180, 180) degrees."""
    return (to - start + 180) % 360 - 180
