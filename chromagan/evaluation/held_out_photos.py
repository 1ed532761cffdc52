"""The held-out photos of a training run: read once, reduced, cropped so that many share a size, kept as 8 bits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.errors import DataError, UsageError
from chromagan.files.find import find_photo_files
from chromagan.images.read import read_photo
from chromagan.metrics.eight_bit import to_8bit_rgb

SMALLEST_SIDE = 32  # pixels; what the smallest metric networks need
_STEP = 32
_BATCH_PIXELS = 8 * 256 * 256


def reduce_and_crop(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle of a photo at a working size.

    The short side becomes `size` by area averaging of the 8-bit values, the aspect kept; a smaller photo keeps its
    size. The long side is cropped at both ends to at most twice the short one, and further by less than 32 pixels, so
    that the sides differ by a multiple of 32: photos then share few sizes and run in batches.

    Args:
        pixels: (H, W, 3) uint8.
        size: of the short side.

    Returns:
        (h, w, 3) uint8, contiguous.
    """
    short = min(pixels.shape[:2])
    pixels = _middle(pixels, 2 * short)
    if short > size:
        height, width = (round(side * size / short) for side in pixels.shape[:2])
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        short = size
    longest = max(pixels.shape[:2])
    return np.ascontiguousarray(_middle(pixels, longest - (longest - short) % _STEP))


def _middle(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    rows, columns = min(height, longest), min(width, longest)
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[top : top + rows, left : left + columns]


def load_held_out(
    folder: str | os.PathLike[str], size: int, limit: int = 0
) -> tuple[list[str], list[NDArray[np.uint8]]]:
    """Read and reduce the colour photos of a folder.

    Args:
        folder: any depth, in the order of the names.
        size: see `reduce_and_crop`.
        limit: take so many, evenly spaced over the list (folders are often sorted by class); 0 for all.

    Returns:
        File names and (h, w, 3) uint8 photos.

    Raises:
        DataError: no photos there, or one too small.
        ReadError: one cannot be read. Leaving it out silently would make figures over another set.
        UsageError: a size under 32 or a negative limit.
    """
    if size < SMALLEST_SIDE or limit < 0:
        raise UsageError(f"held-out photos need a size of at least {SMALLEST_SIDE} and a limit of 0 or more")
    paths = find_photo_files(folder)
    if 0 < limit < len(paths):
        paths = [paths[i * len(paths) // limit] for i in range(limit)]

    def load(path: Path) -> NDArray[np.uint8]:
        photo = reduce_and_crop(to_8bit_rgb(read_photo(path).pixels), size)
        if min(photo.shape[:2]) < SMALLEST_SIDE:
            raise DataError(f"{path}: a side under {SMALLEST_SIDE} pixels is too small to measure; take it away")
        return photo

    with ThreadPoolExecutor(min(8, torch.get_num_threads())) as pool:
        photos = list(pool.map(load, paths))
    return [str(path) for path in paths], photos


def deal_batches(shapes: Sequence[tuple[int, int]], rank: int, world: int) -> list[list[int]]:
    """The batches of one rank, as lists of photo numbers.

    Batches hold photos of equal size and are the same for any number of ranks (whole batches are dealt, largest first),
    because a network's answer depends in its last bits on what shares its batch.

    Args:
        shapes: height and width of each photo.
        rank: of this process, below `world`.
        world: how many processes share the work.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for number, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(number)
    batches = []
    for (height, width), numbers in groups.items():
        most = max(1, _BATCH_PIXELS // (height * width))
        batches += [numbers[i : i + most] for i in range(0, len(numbers), most)]
    batches.sort(key=lambda batch: (-len(batch) * shapes[batch[0]][0] * shapes[batch[0]][1], batch[0]))
    return batches[rank::world]
