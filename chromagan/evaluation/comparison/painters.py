"""Models as methods of a comparison: each photo made gray and colorized by the product's own pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chromagan.evaluation.comparison.image_metrics import Picture
from chromagan.images.read import to_photo
from chromagan.metrics.eight_bit import to_8bit_rgb

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer


class ModelPainter:
    """A colorizer at one saturation or several; the network runs once a photo.

    Args:
        name: of the method; with several saturations each is called `NAME xFACTOR`.
        colorizer: its own base saturation stays in force.
        factors: saturations on top of that.

    Attributes:
        names: of the methods, one a factor.
        settings: by name, what its answers depend on.
    """

    def __init__(self, name: str, colorizer: Colorizer, factors: Sequence[float] = (1.0,)) -> None:
        single = tuple(factors) == (1.0,)
        self.names = tuple(name if single else f"{name} x{factor:g}" for factor in factors)
        self.colorizer = colorizer
        self.factors = tuple(factors)
        shared: dict[str, Any] = {
            "model": colorizer.mark.model,
            "weights_sha256": colorizer.mark.sha256,
            "size": colorizer.size,
            "base_saturation": colorizer.saturation,
            "device": str(colorizer.device),
        }
        self.settings = {n: {**shared, "saturation": f} for n, f in zip(self.names, factors, strict=True)}

    def paint(self, gray: NDArray[np.uint8]) -> list[Picture]:
        """Colour one gray picture (H, W) uint8: one (H, W, 3) uint8 answer a factor."""
        photo = to_photo(gray)
        prepared = self.colorizer.prepare(photo)
        ab = self.colorizer.enlarge(self.colorizer.predict([prepared.L])[0], prepared)
        return [to_8bit_rgb(self.colorizer.finish(photo, ab, factor).pixels) for factor in self.factors]
