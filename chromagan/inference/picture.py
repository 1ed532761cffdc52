"""A colorized photo as the kind of picture that a caller gave."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chromagan.images.read import Photo


def from_photo(photo: Photo, like: Any) -> Any:
    """Give a colorized photo the type of the picture it came from.

    Args:
        photo: RGB pixels, uint8 or uint16, and perhaps an alpha.
        like: what the caller gave: a path or PIL image (answered by an 8-bit PIL image), or an array (answered by an
            array of the same type and value range; uint8 for bool).
    """
    pixels = photo.pixels if photo.alpha is None else np.dstack((photo.pixels, photo.alpha))
    if isinstance(like, np.ndarray):
        return _as_type(pixels, like.dtype)
    if photo.pixels.dtype == np.uint16:
        name = os.fspath(like) if isinstance(like, str | os.PathLike) else "the picture"
        warnings.warn(
            f"{name} has 16 bits and PIL holds 8 bits of colour; colorize([...])[0][0].save(FILE) keeps them",
            stacklevel=3,
        )
    image = Image.fromarray(_as_type(pixels, np.dtype(np.uint8)))
    if photo.metadata.exif:
        image.info["exif"] = photo.metadata.exif
    if photo.metadata.dpi:
        image.info["dpi"] = photo.metadata.dpi
    return image


def _as_type(pixels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype == np.bool_:
        dtype = np.dtype(np.uint8)
    if pixels.dtype == dtype:
        return pixels
    if dtype.kind == "f":
        return (pixels / np.float64(np.iinfo(pixels.dtype).max)).astype(dtype)
    top = np.iinfo(pixels.dtype).max // np.iinfo(dtype).max  # 257 between 16 and 8 bits
    return ((pixels.astype(np.uint32) + top // 2) // top).astype(dtype)
