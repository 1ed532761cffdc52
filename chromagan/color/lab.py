"""sRGB <-> CIE Lab (D65, 2 degrees) in float32, differentiable everywhere.

The constants are those of scikit-image (and so of most of the field): white (0.95047, 1, 1.08883), the sRGB matrix of
IEC 61966-2-1 rounded to six digits, threshold 0.008856 with slope 7.787. Every function leaves autocast: the cube root
loses whole Lab units in half precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

WHITE = (0.95047, 1.0, 1.08883)
RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_XYZ_TO_RGB: list[list[float]] = torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64)).tolist()
_THRESHOLD, _SLOPE, _OFFSET = 0.008856, 7.787, 16.0 / 116.0


def _mix(image: Tensor, matrix: Sequence[Sequence[float]]) -> Tensor:
    """Apply a 3 x 3 matrix over the channel dimension."""
    channels = image.unbind(-3)
    rows = [sum(m * c for m, c in zip(row, channels, strict=True)) for row in matrix]
    return torch.stack(rows, dim=-3)  # type: ignore[arg-type]


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undo the sRGB transfer curve; any shape, values in [0, 1]."""
    high = ((rgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(rgb > 0.04045, high, rgb / 12.92)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer curve; any shape. Values below 0 stay on the linear segment."""
    high = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, high, linear * 12.92)


def _curve(t: Tensor) -> Tensor:
    # The clamp keeps the unused branch of `where` away from 0, where the cube root's gradient is infinite.
    return torch.where(t > _THRESHOLD, t.clamp_min(_THRESHOLD) ** (1 / 3), _SLOPE * t + _OFFSET)


def _inverse_curve(f: Tensor) -> Tensor:
    return torch.where(f > 0.2068966, f**3, (f - _OFFSET) / _SLOPE)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIE Lab.

    Args:
        rgb: (..., 3, H, W), values in [0, 1], any floating type.

    Returns:
        (..., 3, H, W) float32 (float64 for float64 input): L in [0, 100], a and b in about [-110, 110].
    """
    with torch.autocast(rgb.device.type, enabled=False):
        rgb = rgb if rgb.dtype == torch.float64 else rgb.float()
        xyz = _mix(srgb_to_linear(rgb), RGB_TO_XYZ)
        x, y, z = (_curve(c / w) for c, w in zip(xyz.unbind(-3), WHITE, strict=True))
        return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)


def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """CIE L* alone: (..., 3, H, W) sRGB in [0, 1] to (..., 1, H, W) in [0, 100]."""
    with torch.autocast(rgb.device.type, enabled=False):
        rgb = rgb if rgb.dtype == torch.float64 else rgb.float()
        linear = srgb_to_linear(rgb).unbind(-3)
        y = sum(m * c for m, c in zip(RGB_TO_XYZ[1], linear, strict=True))
        return (116 * _curve(y) - 16).unsqueeze(-3)  # type: ignore[arg-type]


def lab_to_linear_rgb(lab: Tensor) -> Tensor:
    """CIE Lab to linear-light RGB, unclipped; shapes as in `lab_to_rgb`."""
    with torch.autocast(lab.device.type, enabled=False):
        lab = lab if lab.dtype == torch.float64 else lab.float()
        lightness, a, b = lab.unbind(-3)
        y = (lightness + 16) / 116
        xyz = [_inverse_curve(f) * w for f, w in zip((y + a / 500, y, y - b / 200), WHITE, strict=True)]
        return _mix(torch.stack(xyz, dim=-3), _XYZ_TO_RGB)


def lab_to_rgb(lab: Tensor, clip: bool = True) -> Tensor:
    """Convert CIE Lab to sRGB.

    Args:
        lab: (..., 3, H, W): L in [0, 100], a and b in Lab units.
        clip: clip what sRGB cannot show to [0, 1]; see `chromagan.color.gamut` for the mapping that keeps lightness.

    Returns:
        (..., 3, H, W) float32 (float64 for float64 input) sRGB, in [0, 1] when clipped.
    """
    rgb = linear_to_srgb(lab_to_linear_rgb(lab))
    return rgb.clamp(0, 1) if clip else rgb
