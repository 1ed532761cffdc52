"""CIEDE2000: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", Color Res. Appl. 30(1), 2005.

The paper states the formula over hue angles. Here hues are directions: the difference of hue comes from the cross
product, the mean hue is the bisector, and its multiples follow from the formulas for double angles; one angle is left.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from chromagan.metrics.eight_bit import Planes, lab_of_8bit
from chromagan.metrics.metric import PictureMetric
from chromagan.metrics.registry import register

_TILE = 1 << 15
_25_TO_7 = 25.0**7
_BLUE, _SPREAD = math.radians(275), math.radians(25)
_FAR = 40.0  # exp(-40) is nothing here; further out exp gives denormal numbers, which are slow
# Weight times cosine and sine of the phase of the hue's multiples 1 to 4 in T.
_T = [
    (weight * math.cos(math.radians(phase)), weight * math.sin(math.radians(phase)))
    for weight, phase in ((-0.17, -30), (0.24, 0), (0.32, 6), (-0.20, -63))
]


def ciede2000(lab: Tensor, truth: Tensor) -> Tensor:
    """Perceived colour difference of every pixel of CIE Lab (..., 3, H, W), with kL = kC = kH = 1. Not differentiable.

    It is (..., H, W): 0 for equal colours; about 1 is just noticeable, black against white is 100. Lower is better.

    Two colours of exactly opposite hue have two bisectors; the formula's choice between them is not followed here. (It
    jumps there by itself, so rounding decides between them in any case.)

    Raises:
        ValueError: the shapes differ.
    """
    if lab.shape != truth.shape:
        raise ValueError(f"Lab pictures of {tuple(lab.shape)} and {tuple(truth.shape)} cannot be compared")
    with torch.no_grad():
        return _differences(*lab.unbind(-3), *truth.unbind(-3))


def mean_ciede2000(lab: Planes, truth: Planes) -> float:
    """The mean over the pixels of a picture of L, a, b, each (H, W) float32, in tiles that stay in the cache.

    It is at least 0, and 0 for identical pictures; about 1 is just noticeable. Lower is better. Within 1e-3 of scikit-
    image's `deltaE_ciede2000` of the same pictures, averaged.

    Raises:
        ValueError: the sizes differ.
    """
    if any(plane.shape != lab[0].shape for plane in (*lab, *truth)):
        raise ValueError(f"Lab pictures of {lab[0].shape} and {truth[0].shape} pixels cannot be compared")
    ours, theirs = (torch.from_numpy(np.stack(planes)).reshape(3, -1, 1).split(_TILE, 1) for planes in (lab, truth))
    total = sum(float(ciede2000(a, b).sum(dtype=torch.float64)) for a, b in zip(ours, theirs, strict=True))
    return total / lab[0].size


def _differences(l1: Tensor, a1: Tensor, b1: Tensor, l2: Tensor, a2: Tensor, b2: Tensor) -> Tensor:
    square_b1, square_b2 = b1 * b1, b2 * b2
    mean_c = (torch.addcmul(square_b1, a1, a1).sqrt_() + torch.addcmul(square_b2, a2, a2).sqrt_()).mul_(0.5)
    stretch = 1.5 - 0.5 * _share_of_chroma(mean_c)  # 1 + G
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = torch.addcmul(square_b1, a1, a1).sqrt_(), torch.addcmul(square_b2, a2, a2).sqrt_()
    # The bisector of the two hues; where one colour is gray it is the other's: the small number decides only there.
    d1, d2 = c1 + 1e-10, c2 + 1e-10
    cos, sin = torch.addcmul(a1 * d2, a2, d1), torch.addcmul(b1 * d2, b2, d1)
    norm = torch.addcmul(cos * cos, sin, sin).sqrt_().add_(1e-30)
    cos, sin = cos.div_(norm), sin.div_(norm)

    mean_c = (c1 + c2).mul_(0.5)
    offset = ((l1 + l2) * 0.5 - 50).square_()
    scaled_l = (l2 - l1).div_(offset.div((offset + 20).sqrt_()).mul_(0.015).add_(1))
    scaled_c = (c2 - c1).div_((mean_c * 0.045).add_(1))
    # No fused product here: equal colours differ by exactly nothing.
    delta_h = _delta_hue(c1 * c2, torch.addcmul(a1 * a2, b1, b2), (a1 * b2).sub_(b1 * a2))
    scaled_h = delta_h.div_(_hue_weight(cos, sin).mul_(mean_c).mul_(0.015).add_(1))
    total = _rotation(cos, sin, mean_c).mul_(scaled_c).mul_(scaled_h)
    for part in (scaled_l, scaled_c, scaled_h):
        total.addcmul_(part, part)
    return total.clamp_min_(0).sqrt_()


def _share_of_chroma(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), which is 1 - 2 G and half of R_C."""
    square = chroma * chroma
    power = (square * square).mul_(square).mul_(chroma)
    return power.div_(power + _25_TO_7).sqrt_()


def _delta_hue(product: Tensor, dot: Tensor, cross: Tensor) -> Tensor:
    """2 sqrt(c1 c2) sin(dh / 2) with its sign, where dot = c1 c2 cos dh and cross = c1 c2 sin dh.

    Below a right angle it is cross / sqrt((c1 c2 + dot) / 2), which loses nothing when the hues are close; beyond, the
    root of 2 (c1 c2 - dot), which loses nothing when they are opposite.
    """
    near = cross / dot.clamp_min(0).add_(product).mul_(0.5).add_(1e-30).sqrt_()
    far = torch.copysign((product - dot).mul_(2).clamp_min_(0).sqrt_(), cross)
    return torch.where(dot < 0, far, near)


def _hue_weight(cos: Tensor, sin: Tensor) -> Tensor:
    """T of the paper: 1 - 0.17 cos(h - 30) + 0.24 cos 2h + 0.32 cos(3h + 6) - 0.20 cos(4h - 63)."""
    cos2, sin2 = (cos * cos).mul_(2).sub_(1), (sin * cos).mul_(2)
    (c1, s1), (c2, _), (c3, s3), (c4, s4) = _T
    # cos 3h = cos (2 cos 2h - 1), sin 3h = sin (2 cos 2h + 1); cos 4h = 2 cos^2 2h - 1, sin 4h = 2 sin 2h cos 2h.
    total = cos2 * c2
    total += cos * (cos2 * (2 * c3) + (c1 - c3))
    total -= sin * (cos2 * (2 * s3) + (s1 + s3))
    total += cos2 * (cos2 * (2 * c4) - sin2 * (2 * s4))
    return total.add_(1 - c4)


def _rotation(cos: Tensor, sin: Tensor, mean_c: Tensor) -> Tensor:
    """R_T of the paper, -2 sqrt(C^7 / (C^7 + 25^7)) sin(60 exp(-((h - 275) / 25)^2)), angles in degrees.

    It turns the ellipses of blue. The paper takes h between 0 and 360 degrees as it stands, not around the circle.
    """
    hue = torch.atan2(-sin, -cos).add_(math.pi)
    square = hue.sub_(_BLUE).div_(_SPREAD).square_().clamp_max_(_FAR)
    return square.neg_().exp_().mul_(math.radians(60)).sin_().mul_(_share_of_chroma(mean_c)).mul_(-2)


register(PictureMetric(
    name="ciede2000", label="CIEDE2000", unit="ΔE₀₀", better="lower", place=40,
    about="mean perceived colour difference of the pixels",
    compute=lambda pair: mean_ciede2000(pair.picture.once(lab_of_8bit), pair.truth.once(lab_of_8bit)),
))  # fmt: skip
