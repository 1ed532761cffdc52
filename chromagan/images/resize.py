"""Antialiased reduction: every output pixel is the mean of exactly the area that it covers.

Lightness is averaged as CIE L* (not as code values, nor as light): that is what a network trained on area-reduced Lab
has seen, and a field of black and white points becomes the middle gray of L* 50 in between.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from chromagan.images.lab_passes import Lightness

_BAND_PIXELS = 1 << 15
_SCALE = 65535 / 100  # L as 16 bits between the two steps: 0.0015 a level


def _axis_weights(length: int, out: int) -> np.ndarray:
    """(out, length) weights: area means where the axis shrinks, linear interpolation where it grows."""
    if out <= length:
        edges = np.linspace(0, length, out + 1)
        cells = np.arange(length)
        overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
        return np.clip(overlap, 0, None) * (out / length)
    place = np.clip((np.arange(out) + 0.5) * (length / out) - 0.5, 0, length - 1)
    return np.clip(1 - np.abs(place[:, None] - np.arange(length)), 0, None)


def resize_antialiased(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize by exact area means (linear interpolation along an axis that grows); differentiable.

    Args:
        image: (N, C, H, W), floating.
        size: rows and columns of the result.

    Returns:
        (N, C, *size), dtype of the input.
    """
    for dim, out in ((-1, size[1]), (-2, size[0])):
        if image.shape[dim] != out:
            weights = torch.from_numpy(_axis_weights(image.shape[dim], out)).to(image)
            image = image @ weights.T if dim == -1 else weights @ image
    return image


def _lightness_plane(pixels: np.ndarray) -> np.ndarray:
    """(H, W) uint16, L / 100 x 65535, made in bands of rows so that no float copy of the photo arises."""
    out = np.empty(pixels.shape[:2], np.uint16)
    rows = max(1, _BAND_PIXELS // pixels.shape[1])
    lightness = Lightness(rows * pixels.shape[1])
    for top in range(0, len(pixels), rows):
        lightness.read(pixels[top : top + rows], out[top : top + rows])
    return out


def reduced_lightness(pixels: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Lightness of a photo at a working size, from its pixels, without a full-size float copy.

    L* is computed for every pixel and then averaged over the area of each output pixel; along an axis that grows it is
    interpolated linearly. Within 0.02 L of the same in float64.

    Args:
        pixels: (H, W) gray or (H, W, 3) RGB, sRGB-encoded, uint8 or uint16; or (H, W) float32, L itself.
        size: rows and columns of the result.

    Returns:
        (1, 1, *size) float32 in [0, 100].
    """
    given = pixels.dtype == np.float32
    plane = pixels if given else _lightness_plane(pixels)
    for rows, columns in ((size[0], plane.shape[1]), size):
        if plane.shape != (rows, columns):
            shrinks = rows <= plane.shape[0] and columns <= plane.shape[1]
            plane = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    reduced = plane if given else plane.astype(np.float32) / np.float32(_SCALE)
    return torch.from_numpy(reduced)[None, None]


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """A photo for the screen: (H, W) or (H, W, 3) of 8 or 16 bits to uint8, its long side `side` pixels at most."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
