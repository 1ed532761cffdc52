"""Put back what a person wants kept: to the bit, with edges as soft as the mask's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.gamut import lab_to_srgb_keeping_lightness
from chromagan.color.lab import rgb_to_lab

_ROWS = 256  # at a time


def put_back(made: NDArray[Any], pixels: NDArray[Any], kept: NDArray[np.uint8]) -> None:
    """Give a coloured photo its own pixels back where they are kept, in place.

    Where the mask is between, a and b are those of both in its proportion, and lightness is the photo's.

    Args:
        made: (H, W, 3) RGB codes, uint8 or uint16.
        pixels: (H, W) gray or (H, W, 3) RGB of that type, the photo.
        kept: (H, W), 255 where the photo's own pixels stay, 0 where they do not.
    """
    top = np.iinfo(made.dtype).max
    for start in range(0, len(made), _ROWS):
        part = slice(start, start + _ROWS)
        own, target, mask = pixels[part], made[part], kept[part]
        own = own if own.ndim == 3 else np.broadcast_to(own[..., None], target.shape)
        between = (mask > 0) & (mask < 255)
        if between.any():
            share = torch.from_numpy(mask[between].astype(np.float32) / 255)[None, None, None]
            theirs, ours = (_lab(one[between], top) for one in (own, target))
            ab = share * theirs[:, 1:] + (1 - share) * ours[:, 1:]
            rgb = lab_to_srgb_keeping_lightness(theirs[:, :1], ab)[0, :, 0].T.numpy()
            target[between] = np.rint(rgb * top).astype(made.dtype)
        whole = mask == 255
        target[whole] = own[whole]


def _lab(codes: NDArray[Any], top: int) -> torch.Tensor:
    """(P, 3) codes as (1, 3, 1, P) Lab."""
    return rgb_to_lab(torch.from_numpy(codes.astype(np.float32) / top).T[None, :, None])
