"""HSL saturation of sRGB and Lab colours, differentiable with finite gradients everywhere.

Saturation in HSL is the largest minus the smallest channel over the most that this difference can be at the colour's
lightness. It is 0 for every gray, and jumps for colours that differ from black or white by nothing; where less than
half an 8-bit step is left, it fades to 0 instead, so that every 8-bit colour keeps its exact value.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chromagan.color.lab import lab_to_rgb

SMALLEST_ROOM = 1 / 512  # of max - min; the smallest of a colour with 8 bits a channel is 1/255


def rgb_to_hsl_saturation(rgb: Tensor) -> Tensor:
    """HSL saturation of sRGB in [0, 1], (..., 3, H, W) of any floating type.

    Returns:
        (..., 1, H, W) float32 (float64 for float64 input) in [0, 1]. Gradients are finite for every colour; they are 0
        for gray ones, where the saturation has a kink.
    """
    with torch.autocast(rgb.device.type, enabled=False):
        rgb = rgb if rgb.dtype == torch.float64 else rgb.float()
        # amax and amin share the gradient between equal channels, so that those of a gray pixel cancel
        high, low = rgb.amax(dim=-3, keepdim=True), rgb.amin(dim=-3, keepdim=True)
        # 1 - |high + low - 1|, without rounding where a channel is 0 or 1
        room = torch.minimum(high + low, (1 - high) + (1 - low))
        return (high - low) / room.clamp_min(SMALLEST_ROOM)


def lab_to_hsl_saturation(lab: Tensor) -> Tensor:
    """That of a Lab colour (L in [0, 100], a and b in Lab units) as sRGB shows it, clipped to its gamut."""
    return rgb_to_hsl_saturation(lab_to_rgb(lab))
