"""What a `Colorizer` makes of a photo."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from chromagan.conditioning.references import Influence
from chromagan.images.join import join_chroma
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import Photo, lacks_grays, to_photo
from chromagan.images.write import write_photo
from chromagan.inference.sinks import LAYER_LIGHTNESS, compare_sheet, silent


@dataclass(frozen=True)
class Colored:
    """A colorized photo.

    Attributes:
        photo: the picture, with what its file carried.
        ab: (1, 2, h, w) float32 in Lab units: the colours as they were brought up, before they met the pixels.
        seed: that it was made with.
        mark: that its file will carry.
        references: what each reference did: its name, how far it can be trusted, its share, and where it won.
    """

    photo: Photo
    ab: Tensor
    seed: int
    mark: ProvenanceMark
    references: tuple[Influence, ...] = ()

    def save(self, path: str | os.PathLike[str], keep_metadata: bool = True, quality: int = 95) -> None:
        """Write exactly the file that `chromagan sample` writes.

        Args:
            path: the file; its ending is its format.
            keep_metadata: carry EXIF, XMP, IPTC and resolution over; the mark is always written.
            quality: of lossy formats, 1 to 100.

        Raises:
            WriteError: the file cannot be written.
        """
        mark = None if lacks_grays(self.photo) else self.mark  # black and white alone: nothing took a colour
        write_photo(self.photo, Path(path), mark, keep_metadata, quality)

    def layer(self) -> Colored:
        """The colour alone at one lightness, as `chromagan sample --layer` writes it."""
        pixels = np.ascontiguousarray(join_chroma(self.photo.pixels, self.ab, LAYER_LIGHTNESS))
        return replace(self, photo=silent(self.photo, pixels))

    def compare(self, before: Any) -> Colored:
        """The sheet before | after, as `chromagan sample --compare` writes it.

        Args:
            before: what was colorized: a path, PIL image, array or photo.
        """
        return replace(self, photo=compare_sheet(as_photo(before), self.photo))


def as_photo(image: Any) -> Photo:
    """A photo of whatever a call takes: a path, PIL image, array, or a photo itself."""
    return image if isinstance(image, Photo) else to_photo(image)
