"""What of a photo stays as it is: outside of what alone is coloured, and the own colours that a person keeps."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.conditioning.condition import LocalHints
from chromagan.conditioning.guidance import Guidance, Region
from chromagan.inference.masks import mask_of

_FAINT, _CLEAR = 2.0, 4.0  # mean chroma around a pixel, in Lab units: none of its own, and one that is kept
_AROUND = 1 / 40  # of the short side
_SMALL = 512  # pixels on the long side, where own colours are looked for
_HALF = 127
_EDGE = 1 / 75  # of the short side: half the margin between wishes and the edge of what is kept
_STEP = 1 / 8  # of it: between wishes. Closer ones agree so often that a tinted cheek would become a cast of the photo
_GRAIN = 5  # of those: coloured noise within is averaged out


def kept_mask(pixels: NDArray[Any], guidance: Guidance) -> NDArray[np.uint8] | None:
    """Where a photo's own pixels stay.

    Args:
        pixels: (H, W) gray or (H, W, 3) RGB codes.
        guidance: of a person.

    Returns:
        (H, W), 255 where they stay; None where nothing of the kind is asked for.

    Raises:
        ReadError: the picture of a region cannot be read.
        UsageError: it does not suit the photo.
    """
    size = (pixels.shape[0], pixels.shape[1])
    parts = []
    if guidance.only is not None:
        parts.append(255 - mask_of(guidance.only, size))
    if guidance.keep is not None:
        parts.append(np.minimum(mask_of(guidance.keep, size), own_colours(pixels)))
    return np.maximum.reduce(parts) if parts else None


def own_colours(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W): 255 where a photo has colours of its own, 0 where it is gray but for noise."""
    height, width = pixels.shape[:2]
    if pixels.ndim == 2:
        return np.zeros((height, width), np.uint8)
    return np.asarray(cv2.resize(_found(pixels), (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def has_own_colours(pixels: NDArray[Any], region: Region | None = None) -> bool:
    """Whether a photo has colours of its own, in a region where one is given; `UsageError` as for `kept_mask`."""
    if pixels.ndim == 2:
        return False
    found = _found(pixels)
    if region is not None:
        mask = mask_of(region, (pixels.shape[0], pixels.shape[1]))
        found = np.minimum(found, cv2.resize(mask, found.shape[::-1], interpolation=cv2.INTER_AREA))
    return bool(found.max() > _HALF)


def _found(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """`own_colours` of an RGB photo at the size at which they are looked for."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _SMALL / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    a, b = (cv2.blur(plane, (_GRAIN, _GRAIN)) for plane in own_ab(pixels, size)[0].numpy())
    chroma = np.hypot(a, b)
    # A neutral spot among colours, as the white of an eye, is kept with them.
    side = 2 * round(_AROUND * min(size) / 2) + 1
    around = np.maximum(chroma, cv2.blur(chroma, (side, side)))
    around = cv2.morphologyEx(around, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return np.rint(255 * np.clip((around - _FAINT) / (_CLEAR - _FAINT), 0, 1)).astype(np.uint8)


def leading(pixels: NDArray[Any], region: Region, size: tuple[int, int]) -> LocalHints | None:
    """Kept colours as wishes for what lies beside them, as a restoration that is half done would have it.

    Args:
        pixels: (H, W) gray or (H, W, 3) RGB codes.
        region: where the photo's own colours stay.
        size: rows and columns of the wishes.

    Returns:
        One wish for each step of a grid, away from the edges of what is kept; None where all or nothing is.
    """
    if pixels.ndim == 2:
        return None
    whole = mask_of(region, (pixels.shape[0], pixels.shape[1]))
    mask = cv2.resize(whole, size[::-1], interpolation=cv2.INTER_AREA)
    kept = np.minimum(mask, cv2.resize(_found(pixels), size[::-1], interpolation=cv2.INTER_LINEAR))
    edge = 2 * max(1, round(_EDGE * min(size))) + 1
    inside = cv2.erode(kept, np.ones((edge, edge), np.uint8)) > _HALF
    step = max(1, round(_STEP * min(size)))
    chosen = np.zeros(size, np.float32)
    chosen[step // 2 :: step, step // 2 :: step] = inside[step // 2 :: step, step // 2 :: step]
    if not chosen.any() or kept.min() == 255:
        return None
    shown = torch.from_numpy(chosen)[None, None]
    return LocalHints(own_ab(pixels, size) * shown, shown)


def own_ab(pixels: NDArray[Any], size: tuple[int, int]) -> Tensor:
    """A photo's own colours, (1, 2, rows, columns) in Lab units; 0 for a gray one."""
    if pixels.ndim == 2:
        return torch.zeros(1, 2, *size)
    return reduced_lab(pixels, size)[:, 1:].contiguous()


def reduced_lab(pixels: NDArray[Any], size: tuple[int, int] | None = None) -> Tensor:
    """A picture as (1, 3, rows, columns) Lab; with 256 pixels on the long side, or what it has, unless told."""
    height, width = pixels.shape[:2]
    scale = min(1.0, 256 / max(height, width))
    size = size or (max(1, round(height * scale)), max(1, round(width * scale)))
    top = np.float32(np.iinfo(pixels.dtype).max)
    small = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / top
    rgb = small if small.ndim == 3 else np.repeat(small[..., None], 3, 2)
    return rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1)[None])
