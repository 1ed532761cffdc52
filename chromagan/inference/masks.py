"""The pictures that guidance names, told apart by their content; those of regions are read and laid over a photo."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.conditioning.guidance import Guidance, Region
from chromagan.conditioning.regions import fill_polygons
from chromagan.errors import UsageError

REGIONS = ("only", "keep", "vary")
_ASPECTS = 0.02  # by which the ratio of the sides may differ, beside rounding to whole pixels


def identified(guidance: Guidance) -> Guidance:
    """With the digest of each region's picture and of each reference, by which it is told apart.

    Raises:
        ReadError: a picture that is not there.
    """
    named = {name: getattr(guidance, name) for name in REGIONS}
    references = tuple(one if one.sha256 else replace(one, sha256=digest_of(one.file)) for one in guidance.references)
    return replace(guidance, references=references, **{
        name: replace(region, sha256=digest_of(region.file))
        for name, region in named.items() if region and region.file and not region.sha256
    })  # fmt: skip


def mask_of(region: Region, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A region over a photo.

    Args:
        region: as a person gives it.
        size: rows and columns of the photo.

    Returns:
        (rows, columns), 255 inside.

    Raises:
        ReadError: its picture cannot be read.
        UsageError: its picture is another than it was, or of another shape.
    """
    mask = fill_polygons(region.polygons, size)
    if region.file:
        np.maximum(mask, fitted(_read(region), size, region.file), out=mask)
    return mask


def fitted(mask: NDArray[np.uint8], size: tuple[int, int], name: str = "mask") -> NDArray[np.uint8]:
    """A mask at another size of the same shape; `UsageError` where it is of another."""
    (rows, columns), (height, width) = mask.shape, size
    # Half a pixel on either side is rounding.
    slack = _ASPECTS + 0.5 * sum(1 / side for side in (rows, columns, height, width))
    if abs(np.log(rows * width / (columns * height))) > slack:
        said = f"{name}: it is {columns} x {rows}, and the photo {width} x {height}"
        raise UsageError(f"{said}: of another shape; make it of the photo")
    if mask.shape == size:
        return mask
    shrinks = height <= rows and width <= columns
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, (width, height), interpolation=interpolation), np.uint8)


def _read(region: Region) -> NDArray[np.uint8]:
    from chromagan.images.read import read_photo

    if region.sha256 and digest_of(region.file) != region.sha256:
        raise UsageError(f"{region.file}: it is another picture than it was; name the right one")
    photo = read_photo(region.file)
    pixels = photo.pixels if photo.pixels.ndim == 2 else cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    planes = [plane for plane in (pixels, photo.alpha) if plane is not None]
    shares = [plane / np.float32(np.iinfo(plane.dtype).max) for plane in planes]
    return np.rint(255 * np.prod(shares, axis=0)).astype(np.uint8)


def digest_of(file: str) -> str:
    """SHA-256 of a file's content; `ReadError` where it is not there."""
    from chromagan.images.read_header import open_file

    with open_file(file) as opened:
        return hashlib.sha256(opened.read()).hexdigest()
