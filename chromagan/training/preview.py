"""A fixed grid of gray | colour | truth, made anew at every snapshot."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.data.decode import decode_photo
from chromagan.data.photos import find_photos
from chromagan.errors import DataError
from chromagan.inference.stages import paint
from chromagan.models.baselines import Gray
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look


def load_grid_photos(place: str, count: int, size: int) -> Tensor:
    """The first photos of a folder, centre-cropped: (count, 3, size, size) uint8.

    Raises:
        DataError: none of them can be read.
    """
    squares = []
    for source in find_photos([place])[: 4 * count]:
        rgb = decode_photo(source)
        if rgb is None:
            continue
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = cv2.resize(rgb[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
        squares.append(torch.from_numpy(square).permute(2, 0, 1))
        if len(squares) == count:
            break
    if not squares:
        raise DataError(f"{place}: no readable photograph for the preview")
    return torch.stack(squares)


def grid(network: ColorizationNetwork, photos: Tensor, look: Look | None = None) -> Tensor:
    """Colorize photos and set gray | colour | truth side by side, two photos a row.

    Args:
        network: in evaluation mode.
        photos: (N, 3, S, S) uint8.
        look: how the network's colours are used.

    Returns:
        (3, rows, columns) uint8.
    """
    L = rgb_to_lab(photos.float() / 255)[:, :1]
    strips = torch.cat((paint(Gray(), L), paint(network, L, look=look), photos), dim=3)
    pairs = [strips[i : i + 2] for i in range(0, len(strips) - 1, 2)] or [strips]
    return torch.cat([torch.cat(tuple(pair), dim=2) for pair in pairs], dim=1)


def save_grid(network: ColorizationNetwork, photos: Tensor, path: Path, look: Look | None = None) -> None:
    """Save `grid` as a JPEG."""
    sheet = grid(network, photos, look).permute(1, 2, 0).numpy()
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])
