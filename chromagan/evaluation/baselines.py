"""The colorizers that cost nothing, as every table needs them: the gray photo, and one colour for all."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.curves import RGB_TO_XYZ, srgb_to_linear
from chromagan.color.gamut import lab_to_srgb_keeping_lightness
from chromagan.metrics.eight_bit import LINEAR, Planes, lab_of_8bit

_SHARES = [np.asarray(LINEAR * share) for share in RGB_TO_XYZ[1]]
# Luminance halfway between two gray codes; a finer table of luminance says where to look. No two borders share a cell.
_HALFWAY = np.arange(255) + 0.5
_BORDERS = srgb_to_linear(_HALFWAY / 255)
_CELLS = 4096
_FIRST = np.searchsorted(_BORDERS, np.arange(_CELLS + 1) / _CELLS).astype(np.uint8)
_NEXT = np.append(_BORDERS, np.inf)[_FIRST]


def gray_of_8bit(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The gray photo (H, W) uint8 with the lightness of an 8-bit colour photo (H, W, 3) uint8 sRGB.

    Each pixel becomes the sRGB gray of the same L*, rounded to the nearest code.
    """
    red, green, blue = cv2.split(np.ascontiguousarray(picture))
    luminance = np.asarray(cv2.LUT(red, _SHARES[0]), np.float64)
    luminance = luminance + cv2.LUT(green, _SHARES[1])
    luminance += cv2.LUT(blue, _SHARES[2])
    cell = np.minimum((luminance * _CELLS).astype(np.int32), _CELLS)
    return np.asarray(_FIRST[cell] + (luminance > _NEXT[cell]), np.uint8)


def as_rgb(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A gray picture (H, W) as (H, W, 3)."""
    return np.ascontiguousarray(np.repeat(gray[..., None], 3, axis=2))


def mean_ab(lab: Planes) -> tuple[float, float]:
    """The mean colour of one picture from its Lab planes, in Lab units."""
    return float(lab[1].mean(dtype=np.float64)), float(lab[2].mean(dtype=np.float64))


def mean_of_means(means: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The colour of the row `mean ab`: the mean over pictures of each picture's mean colour, whatever their sizes."""
    columns = list(zip(*means, strict=True))
    return math.fsum(columns[0]) / len(columns[0]), math.fsum(columns[1]) / len(columns[1])


def constant_colour(ab: tuple[float, float]) -> NDArray[np.uint8]:
    """What every gray code becomes when all photos get one ab (in Lab units): (256, 3) uint8 sRGB.

    Indexed with a gray picture (H, W) it gives (H, W, 3). The lightness of the code is kept; where sRGB cannot show the
    colour at it, chroma gives way.
    """
    codes = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    L = torch.from_numpy(lab_of_8bit(codes)[0])[None, None]
    colours = torch.tensor(ab, dtype=torch.float32).reshape(1, 2, 1, 1).expand(1, 2, 1, 256)
    shown = lab_to_srgb_keeping_lightness(L, colours)[0, :, 0]
    return np.ascontiguousarray((shown * 255).round().to(torch.uint8).T.numpy())
