"""Photos, masks and other programs' pictures from folders, matched by their names without extension."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chromagan.errors import DataError
from chromagan.evaluation.baselines import gray_of_8bit
from chromagan.evaluation.fairness.measure import Method, Pixels, SkinFinder, SkinRegion
from chromagan.evaluation.fairness.skin import skin_in_mask
from chromagan.evaluation.pairs import files_by_name, without_suffix
from chromagan.images.read import read_photo
from chromagan.metrics.eight_bit import to_8bit_rgb

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer

Named = dict[str, Path]


def read_pictures(named: Named) -> Iterator[tuple[str, Pixels]]:
    """Names and pixels, (H, W, 3) uint8, one photo in memory at a time; `ReadError` for one that cannot be read."""
    for stem, path in named.items():
        yield stem, _read(path)


def folder_method(images: Sequence[str], files: Sequence[Path]) -> Method:
    """What another program made of the true photos.

    Args:
        images: names of the true photos.
        files: its pictures in that order, as `chromagan.evaluation.pairs.match_pairs` finds them.
    """
    pictures = dict(zip(map(without_suffix, images), files, strict=True))
    return lambda stem, _: _read(pictures[stem])


def colorizer_method(colorizer: Colorizer) -> Method:
    """The product's pipeline on the gray version of the true photo."""
    return lambda _, truth: to_8bit_rgb(colorizer(gray_of_8bit(truth)))


def masked_skin(folder: str | os.PathLike[str], truth: Named) -> SkinFinder:
    """Skin by given masks, one file a photo, not zero where skin is; a photo without a mask has no face.

    Raises:
        DataError: no mask belongs to any photo, or (when used) a mask has another size than its photo.
    """
    masks = files_by_name(Path(folder))
    if not masks.keys() & truth.keys():
        raise DataError(f"{folder}: no mask has the name of a photo; a mask of a.jpg is called a.png, say")

    def find(stem: str, picture: Pixels) -> list[SkinRegion]:
        if stem not in masks:
            return []
        mask = read_photo(masks[stem]).pixels
        if mask.shape[:2] != picture.shape[:2]:
            raise DataError(
                f"{masks[stem]}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels and its photo "
                f"{picture.shape[1]}x{picture.shape[0]}; make them equal"
            )
        region = skin_in_mask(mask)
        return [] if region is None else [region]

    return find


def _read(path: Path) -> Pixels:
    return to_8bit_rgb(read_photo(path).pixels)
