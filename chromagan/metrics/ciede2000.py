"""CIEDE2000: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", Color Res. Appl. 30(1), 2005."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from chromagan.metrics.lab_8bit import lab_of_8bit
from chromagan.metrics.mean_ciede2000 import mean_ciede2000
from chromagan.metrics.metric import PictureMetric
from chromagan.metrics.registry import register

_25_TO_7 = 25.0**7


def ciede2000(lab: Tensor, truth: Tensor) -> Tensor:
    """Perceived colour difference of every pixel, with kL = kC = kH = 1.

    Args:
        lab: (..., 3, H, W) CIE Lab, any floating type.
        truth: the same shape.

    Returns:
        (..., H, W): 0 for equal colours; about 1 is just noticeable, black against white is 100. Lower is better.

    Raises:
        ValueError: the shapes differ.
    """
    if lab.shape != truth.shape:
        raise ValueError(f"Lab pictures of {tuple(lab.shape)} and {tuple(truth.shape)} cannot be compared")
    (l1, a1, b1), (l2, a2, b2) = lab.unbind(-3), truth.unbind(-3)
    stretch = 1 + _gap((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.atan2(b1, a1), torch.atan2(b2, a2)  # radians; a gray pixel's hue is of no consequence below
    turn = _wrapped(h2 - h1)
    coloured = c1 * c2 > 0
    mean_hue = torch.where(coloured, h1 + turn / 2, h1 * (c1 > 0) + h2 * (c2 > 0)).remainder(2 * math.pi)
    delta_hue = 2 * (c1 * c2).sqrt() * torch.sin(torch.where(coloured, turn, 0) / 2)
    mean_c, mean_l = (c1 + c2) / 2, (l1 + l2) / 2
    offset = (mean_l - 50) ** 2
    scaled_l = (l2 - l1) / (1 + 0.015 * offset / (20 + offset).sqrt())
    scaled_c = (c2 - c1) / (1 + 0.045 * mean_c)
    scaled_h = delta_hue / (1 + 0.015 * mean_c * _hue_weight(mean_hue))
    # The last term turns the ellipses of blue; its angle falls off around a hue of 275 degrees. The formula takes that
    # distance between 0 and 360 degrees as it stands, not around the circle.
    distance = torch.rad2deg(mean_hue) - 275
    angle = math.radians(60) * torch.exp(-((distance / 25) ** 2))
    rotation = -2 * torch.sin(angle) * 2 * (0.5 - _gap(mean_c))
    return (scaled_l**2 + scaled_c**2 + scaled_h**2 + rotation * scaled_c * scaled_h).clamp_min(0).sqrt()


def _gap(chroma: Tensor) -> Tensor:
    """G of the paper, 0.5 (1 - sqrt(C^7 / (C^7 + 25^7))), which the last term's R_C = 2 (1 - 2 G) contains too."""
    square = chroma * chroma
    power = square * square * square * chroma
    return 0.5 * (1 - (power / (power + _25_TO_7)).sqrt())


def _wrapped(angle: Tensor) -> Tensor:
    """The same angle in (-pi, pi]."""
    return angle - 2 * math.pi * torch.ceil(angle / (2 * math.pi) - 0.5)


def _hue_weight(hue: Tensor) -> Tensor:
    """T of the paper, its cosines of multiples of the hue by the formulas for double and triple angles."""
    cos, sin = torch.cos(hue), torch.sin(hue)
    cos2, sin2 = 2 * cos * cos - 1, 2 * sin * cos
    cos3, sin3 = cos * (2 * cos2 - 1), sin * (2 * cos2 + 1)
    cos4, sin4 = 2 * cos2 * cos2 - 1, 2 * sin2 * cos2
    # weight and phase in degrees of cos(n h + phase) = cos(phase) cos(n h) - sin(phase) sin(n h)
    terms = ((cos, sin, -0.17, -30), (cos2, sin2, 0.24, 0), (cos3, sin3, 0.32, 6), (cos4, sin4, -0.20, -63))
    total = torch.ones_like(hue)
    for c, s, weight, phase in terms:
        total += weight * math.cos(math.radians(phase)) * c
        total -= weight * math.sin(math.radians(phase)) * s
    return total


register(PictureMetric(
    name="ciede2000", label="CIEDE2000", unit="ΔE₀₀", better="lower", place=40,
    about="mean perceived colour difference of the pixels",
    compute=lambda pair: mean_ciede2000(pair.picture.once(lab_of_8bit), pair.truth.once(lab_of_8bit)),
))  # fmt: skip
