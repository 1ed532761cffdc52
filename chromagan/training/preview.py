"""A fixed grid of gray | colour | truth, made anew at every snapshot."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.color.lab import lab_to_rgb, rgb_to_lab
from chromagan.data.decode import decode_photo
from chromagan.data.photos import find_photos
from chromagan.errors import DataError
from chromagan.models.contract import ColorizationNetwork


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


@torch.no_grad()
def save_grid(network: ColorizationNetwork, photos: Tensor, path: Path) -> None:
    """Colorize the grid's photos and save gray | colour | truth, two photos a row.

    Args:
        network: in evaluation mode.
        photos: (N, 3, S, S) uint8.
        path: of the JPEG.
    """
    device = next(network.parameters()).device
    lab = rgb_to_lab(photos.to(device).float() / 255)
    L = lab[:, :1]
    ab = F.interpolate(network(L).ab, size=L.shape[-2:], mode="bicubic", align_corners=False)
    gray, colour = (lab_to_rgb(torch.cat((L, c), 1)) for c in (torch.zeros_like(ab), ab))
    strips = torch.cat((gray, colour, photos.to(device).float() / 255), dim=3)
    pairs = [strips[i : i + 2] for i in range(0, len(strips) - 1, 2)] or [strips]
    rows = [torch.cat(tuple(pair), dim=2) for pair in pairs]
    sheet = (torch.cat(rows, dim=1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])
