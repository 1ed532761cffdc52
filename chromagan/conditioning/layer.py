"""Wishes as a picture with an alpha, as any editor saves them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.conditioning.condition import LocalHints

_WHOLE = 0.25  # share of a pixel from which what is painted on it counts whole: thin lines are not lost


def layer_hints(rgba: NDArray[Any], size: tuple[int, int]) -> LocalHints:
    """The opaque pixels of a picture as wishes.

    Args:
        rgba: (H, W, 4) uint8 sRGB; the alpha says how firm the wish is, 0 for none.
        size: rows and columns that the wishes are for; the picture covers them.
    """
    rows, columns = size
    if rgba.shape[0] < rows or rgba.shape[1] < columns:
        larger = (max(columns, rgba.shape[1]), max(rows, rgba.shape[0]))
        rgba = cv2.resize(rgba, larger, interpolation=cv2.INTER_NEAREST)
    height, width = rgba.shape[:2]
    y, x = np.nonzero(rgba[..., 3])
    painted = rgba[y, x]
    alpha = painted[:, 3] / 255
    lab = (
        cv2.cvtColor(painted[None, :, :3].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0] if len(y) else painted[:, :3]
    )
    # Means over what is painted on each pixel of ours.
    place = (y * rows // height) * columns + x * columns // width
    firm = np.bincount(place, alpha, rows * columns)
    count = np.bincount(place, minlength=rows * columns)
    ab = [np.bincount(place, alpha * lab[:, channel], rows * columns) / np.maximum(firm, 1e-9) for channel in (1, 2)]
    share = count * (rows * columns / (height * width))
    mask = firm / np.maximum(count, 1) * np.minimum(share / _WHOLE, 1)
    gray = np.hypot(*ab) < 1  # grays of 8 bits are a hair off: a wish for gray is one for none
    colours = np.where((mask > 0) & ~gray, np.stack(ab), 0)
    return LocalHints(
        torch.from_numpy(colours.reshape(1, 2, rows, columns).astype(np.float32)),
        torch.from_numpy(mask.reshape(1, 1, rows, columns).astype(np.float32)),
    )


def over(top: LocalHints, below: LocalHints) -> LocalHints:
    """Wishes that lie over others of the same size."""
    there = top.mask > 0
    return LocalHints(torch.where(there, top.ab, below.ab), torch.where(there, top.mask, below.mask))
