"""Pictures of a study: real photos matched with colorized ones, cut to the shown size, and blatantly false colours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.gamut import lab_to_srgb_keeping_lightness
from chromagan.color.lab import rgb_to_lab
from chromagan.errors import DataError
from chromagan.evaluation.pairs import match_pairs, without_suffix
from chromagan.images.read import read_photo
from chromagan.metrics.eight_bit import to_8bit_rgb

Picture = NDArray[np.uint8]
BLATANT = 20.0
"""Mean distance in the ab plane between a photo and its false colours from which on nobody attentive is in doubt."""
ENCODINGS = {
    "png": [cv2.IMWRITE_PNG_COMPRESSION, 6],
    "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
}


@dataclass(frozen=True)
class MatchedPhoto:
    """The files of a real photo and of its colorized versions by method; `name` is the real path without its suffix."""

    name: str
    real: Path
    colorized: dict[str, Path]


def match_photos(real: str | os.PathLike[str], colorized: Mapping[str, str | os.PathLike[str]]) -> list[MatchedPhoto]:
    """Match files by name, whatever their suffixes (see `chromagan.evaluation.pairs.match_pairs`); sorted by name.

    `DataError` where a folder is empty, two files have one name, or photos are missing or extra; it lists them.
    """
    pairs = match_pairs(Path(real), {name: Path(folder) for name, folder in colorized.items()})
    matched = [
        MatchedPhoto(without_suffix(image), path, {method: files[i] for method, files in pairs.predictions.items()})
        for i, (image, path) in enumerate(zip(pairs.images, pairs.truth, strict=True))
    ]
    return sorted(matched, key=lambda photo: photo.name)


def read_shown(photo: MatchedPhoto, size: int) -> tuple[Picture, dict[str, Picture]]:
    """Read a photo and its colorized versions as they are shown: the centre square, `size` pixels wide.

    All go through the same resampling in 8 bits (area means where they shrink, cubic where they grow), so that nothing
    but their content tells them apart.

    Returns:
        The real picture and the colorized ones by method, (size, size, 3) uint8 sRGB.

    Raises:
        DataError, ReadError: a version has another shape than the photo; a file cannot be read.
    """
    real = to_8bit_rgb(read_photo(photo.real).pixels)
    versions = {}
    for method, path in photo.colorized.items():
        pixels = to_8bit_rgb(read_photo(path).pixels)
        if not _same_shape(real.shape[:2], pixels.shape[:2]):
            raise DataError(
                f"{path}: {pixels.shape[1]} x {pixels.shape[0]} pixels cannot show {photo.real.name} of "
                f"{real.shape[1]} x {real.shape[0]}; colorize the whole photo without cropping or squashing"
            )
        versions[method] = centre_square(pixels, size)
    return centre_square(real, size), versions


def _same_shape(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two (height, width) differ by a scale alone, up to the rounding of the smaller one to whole pixels."""
    small, large = sorted((a, b))
    scale = max(small) / max(large)
    return all(abs(large[i] * scale - small[i]) <= 1 for i in range(2))


def centre_square(picture: Picture, size: int) -> Picture:
    """The largest centred square of (H, W, 3), resampled to (size, size, 3)."""
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    square = np.ascontiguousarray(picture[top : top + side, left : left + side])
    if side == size:
        return square
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), dtype=np.uint8)


def false_colours(picture: Picture, seed: int, patches: int = 5) -> tuple[Picture, float]:
    """Recolour a picture with saturated random hues, `patches` a side, that ignore what it shows; its lightness stays.

    Returns:
        The picture, (H, W, 3) uint8 sRGB as given, and the mean distance of its ab from the original's. Very dark and
        very light photos hold little colour; `BLATANT` is the bound that a check must reach.
    """
    hue = np.random.default_rng(seed).uniform(0, 2 * np.pi, (patches, patches))
    field = np.stack((np.cos(hue), np.sin(hue)), -1).astype(np.float32)
    height, width = picture.shape[:2]
    ab = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    ab *= 80 / np.maximum(np.linalg.norm(ab, axis=-1, keepdims=True), 1e-3)
    lab = rgb_to_lab(_tensor(picture))
    false = lab_to_srgb_keeping_lightness(lab[:, :1], torch.from_numpy(ab).permute(2, 0, 1)[None])
    shown = (false[0].permute(1, 2, 0).numpy() * 255).round().clip(0, 255).astype(np.uint8)
    distance = (rgb_to_lab(_tensor(shown))[:, 1:] - lab[:, 1:]).square().sum(1).sqrt().mean()
    return shown, float(distance)


def lightness_gap(a: Picture, b: Picture) -> float:
    """Mean absolute difference in L* of two pictures of one shape: a colorizer that keeps lightness has none."""
    return float((rgb_to_lab(_tensor(a))[:, 0] - rgb_to_lab(_tensor(b))[:, 0]).abs().mean())


def encode(picture: Picture, encoding: str) -> bytes:
    """A file's bytes: PNG, or JPEG of quality 95 without chroma subsampling (real and colorized alike)."""
    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(f".{encoding}", pixels, ENCODINGS[encoding])[1].tobytes()


def _tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
