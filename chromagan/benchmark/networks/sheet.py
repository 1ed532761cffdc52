"""The contact sheet of the zoo: one row a photograph, one column a network, between the gray photo and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.benchmark.networks.matrix import file_name
from chromagan.color.lab import rgb_to_lab
from chromagan.errors import ReadError, WriteError
from chromagan.evaluation.held_out import reduce_and_crop
from chromagan.images.read import read_photo
from chromagan.inference.stages import paint
from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.models.baselines import Gray
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look

SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")
"""Colour photographs that scikit-image ships."""
CELL, HEADER = 224, 22  # pixels: width of a column, height of the line with its name

Pixels = NDArray[np.uint8]


def sheet_photos(paths: Sequence[str] = ()) -> list[Pixels]:
    """Photographs for the sheet, (H, W, 3) uint8: the files, or those that scikit-image ships.

    `ReadError` where a file cannot be read, or scikit-image is not installed.
    """
    if paths:
        return [to_8bit_rgb(read_photo(Path(path)).pixels) for path in paths]
    try:
        import skimage.data
    except ImportError as error:
        raise ReadError("the sheet's own photographs need scikit-image; name others with --sheet") from error
    return [np.ascontiguousarray(getattr(skimage.data, name)()[..., :3]) for name in SAMPLES]


class ContactSheet:
    """Colour photos (H, W, 3) uint8, colorized at `size` pixels on the short side.

    Each network's column is kept as a file of its own, so that a benchmark that goes on need not paint it again.
    """

    def __init__(self, photos: Sequence[Pixels], size: int = 256) -> None:
        self.photos = [reduce_and_crop(photo, size) for photo in photos]

    def add_column(self, out: Path, label: str, network: ColorizationNetwork, device: torch.device) -> None:
        """Colorize the photos by a network in evaluation mode on `device`; save the column under `OUT/columns`."""
        _save(_column_file(out, label), self._column([self._colorize(network, photo, device) for photo in self.photos]))

    def assemble(self, out: Path, labels: Sequence[str]) -> Path:
        """Join gray photo, the columns of these labels that were saved, and truth to `OUT/sheet.png`, its path."""
        gray = Gray().eval()
        columns = [("gray photo", self._column([self._colorize(gray, p, torch.device("cpu")) for p in self.photos]))]
        for label in labels:
            saved = cv2.imread(str(_column_file(out, label)))
            if saved is not None:
                columns.append((label, np.asarray(saved[..., ::-1], np.uint8)))
        columns.append(("truth", self._column(self.photos)))
        path = out / "sheet.png"
        _save(path, np.concatenate([_headed(label, pixels) for label, pixels in columns], axis=1))
        return path

    @staticmethod
    def _colorize(network: ColorizationNetwork, photo: Pixels, device: torch.device) -> Pixels:
        rgb = torch.from_numpy(photo).permute(2, 0, 1)[None].to(device)
        picture = paint(network, rgb_to_lab(rgb.float() / 255)[:, :1], look=Look(size=min(photo.shape[:2])))[0]
        return np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())

    @staticmethod
    def _column(pictures: Sequence[Pixels]) -> Pixels:
        sizes = [(CELL, round(picture.shape[0] * CELL / picture.shape[1])) for picture in pictures]
        cells = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p, size in zip(pictures, sizes, strict=True)]
        return np.asarray(np.concatenate(cells), np.uint8)


def _column_file(out: Path, label: str) -> Path:
    return out / "columns" / f"{file_name(label)}.png"


def _headed(label: str, column: Pixels) -> Pixels:
    header = np.full((HEADER, CELL, 3), 255, np.uint8)
    shown = label if len(label) <= 32 else label[:31] + "~"
    cv2.putText(header, shown, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate((header, column))


def _save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.ascontiguousarray(pixels[..., ::-1])):
        raise WriteError(f"{path}: cannot be written; free some space or choose another --out")
