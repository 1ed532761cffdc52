"""How much colour bleeds over edges when a small ab grid is enlarged to its photograph.

Protocol `chroma_edges` 1: the photograph's true ab is averaged over squares of 8 x 8 pixels and brought back to full
size; the error is the chroma RMSE, sqrt(mean(da^2 + db^2)), over the 5 % of the pixels where the gradient of L (Sobel,
3 x 3) is strongest in that photograph; the figure is the mean over photographs. Sides are cropped to multiples of 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.errors import DataError
from chromagan.images.enlarge_chroma import ChromaStep, enlarge_chroma

Enlarger = Callable[[Tensor, Tensor], Tensor]
"""(ab (1, 2, h, w), L (1, 1, H, W) at full size) -> ab (1, 2, H, W)."""


def lightness_gradient(L: Tensor) -> Tensor:
    """Magnitude of the Sobel gradient of (N, 1, H, W), borders repeated, unnormalised (a unit ramp gives 8)."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=L.dtype, device=L.device)
    padded = F.pad(L, (1, 1, 1, 1), mode="replicate")
    slopes = F.conv2d(padded, torch.stack((kernel, kernel.T)).unsqueeze(1))
    return slopes.square().sum(1, keepdim=True).sqrt()


def strongest_edges(L: Tensor, share: float = 0.05) -> Tensor:
    """Mask (1, 1, H, W) of the `share` of one photograph's pixels where the gradient of L is strongest."""
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], not {share}")
    gradient = lightness_gradient(L)
    count = max(1, round(share * gradient.numel()))
    threshold = gradient.flatten().kthvalue(gradient.numel() - count + 1).values
    return gradient >= threshold


def edge_chroma_rmse(true_ab: Tensor, ab: Tensor, L: Tensor, share: float = 0.05) -> float:
    """Chroma RMSE of one photograph at its strongest luminance edges, sqrt(mean(da^2 + db^2)) in Lab units.

    The true and the judged ab are (1, 2, H, W) in Lab units; L, (1, 1, H, W) in [0, 100], says where the edges are.
    """
    squared = (true_ab - ab).square().sum(1, keepdim=True)
    return float(squared[strongest_edges(L, share)].double().mean().sqrt())


def plain_enlarger(mode: str) -> Enlarger:
    """Interpolation to full size at once, without a look at L; `mode` is "bilinear" or "bicubic"."""
    return lambda ab, L: F.interpolate(ab, size=L.shape[-2:], mode=mode, align_corners=False)


def stepwise_enlarger(step: ChromaStep) -> Enlarger:
    """Enlargement by repeated x2 steps guided by the area-reduced L, exactly as in sampling."""

    def enlarge(ab: Tensor, L: Tensor) -> Tensor:
        size = (L.shape[-2], L.shape[-1])
        grid = enlarge_chroma(ab, lambda to: F.interpolate(L, size=to, mode="area"), size, step, L.numel())
        return grid if grid.shape[-2:] == size else F.interpolate(grid, size=size, mode="bicubic", align_corners=False)

    return enlarge


def measure_chroma_edges(
    photographs: Iterable[Tensor], enlargers: Mapping[str, Enlarger], factor: int = 8, share: float = 0.05
) -> dict[str, float]:
    """Run the protocol over photographs (3, H, W), sRGB in [0, 1]; gives the mean RMSE of each way of enlarging.

    The true ab is averaged over squares of `factor` pixels, which each side has at least.

    Raises:
        DataError: there is no photograph.
    """
    figures: dict[str, list[float]] = {name: [] for name in enlargers}
    with torch.inference_mode():
        for rgb in photographs:
            height, width = (side // factor * factor for side in rgb.shape[-2:])
            lab = rgb_to_lab(rgb[None, :, :height, :width])
            L, true_ab = lab[:, :1], lab[:, 1:]
            low = F.avg_pool2d(true_ab, factor)
            for name, enlarge in enlargers.items():
                figures[name].append(edge_chroma_rmse(true_ab, enlarge(low, L), L, share))
    if not all(figures.values()):
        raise DataError("no photograph to measure on; give a folder with photographs")
    return {name: sum(values) / len(values) for name, values in figures.items()}
