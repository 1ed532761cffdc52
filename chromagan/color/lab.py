"""sRGB <-> CIE Lab (D65, 2 degrees) in float32, differentiable everywhere.

Curves and constants are in `chromagan.color.curves`. Every function leaves autocast: the cube root loses whole Lab
units in half precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chromagan.color import curves


def _mix(image: Tensor, matrix: Sequence[Sequence[float]]) -> Tensor:
    """Apply a 3 x 3 matrix over the channel dimension."""
    red, green, blue = image.unbind(-3)
    return torch.stack([r * red + g * green + b * blue for r, g, b in matrix], dim=-3)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB in [0, 1], (..., 3, H, W) of any floating type, to CIE Lab.

    Returns:
        (..., 3, H, W) float32 (float64 for float64 input): L in [0, 100], a and b in about [-110, 110].
    """
    with torch.autocast(rgb.device.type, enabled=False):
        rgb = rgb if rgb.dtype == torch.float64 else rgb.float()
        xyz = _mix(curves.srgb_to_linear(rgb), curves.RGB_TO_XYZ)
        x, y, z = (curves.lab_curve(c / w) for c, w in zip(xyz.unbind(-3), curves.WHITE, strict=True))
        return torch.stack((curves.f_to_lightness(y), 500 * (x - y), 200 * (y - z)), dim=-3)


def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """CIE L* alone: (..., 3, H, W) sRGB in [0, 1] to (..., 1, H, W) in [0, 100]."""
    return rgb_to_lab(rgb)[..., :1, :, :]


def lab_to_linear_rgb(lab: Tensor) -> Tensor:
    """CIE Lab to linear-light RGB, unclipped; shapes as in `lab_to_rgb`."""
    with torch.autocast(lab.device.type, enabled=False):
        lab = lab if lab.dtype == torch.float64 else lab.float()
        lightness, a, b = lab.unbind(-3)
        y = curves.lightness_to_f(lightness)
        xyz = [curves.lab_uncurve(f) * w for f, w in zip((y + a / 500, y, y - b / 200), curves.WHITE, strict=True)]
        return _mix(torch.stack(xyz, dim=-3), curves.XYZ_TO_RGB)


def lab_to_rgb(lab: Tensor, clip: bool = True) -> Tensor:
    """Convert CIE Lab to sRGB.

    Args:
        lab: (..., 3, H, W): L in [0, 100], a and b in Lab units.
        clip: clip what sRGB cannot show to [0, 1]; see `chromagan.color.gamut` for the mapping that keeps lightness.

    Returns:
        (..., 3, H, W) float32 (float64 for float64 input) sRGB, in [0, 1] when clipped.
    """
    rgb = curves.linear_to_srgb(lab_to_linear_rgb(lab))
    return rgb.clamp(0, 1) if clip else rgb
