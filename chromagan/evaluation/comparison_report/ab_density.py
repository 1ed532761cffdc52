"""Where the colours of a set of pictures lie: their density over the ab plane and over chroma."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.lab import lab_to_rgb, rgb_to_lab
from chromagan.metrics.eight_bit import to_8bit_rgb

AB_LIMIT = 110
AB_STEP = 2
CELLS = 2 * AB_LIMIT // AB_STEP
CHROMA_STEP = 2
CHROMA_BINS = 70
PIXELS_A_PICTURE = 16_384
# Shares of the pixels a cell: FAINTEST is drawn as good as clear, FULLEST and more opaque.
FAINTEST, FULLEST = 1e-6, 1e-3
_SHOWN_LIGHTNESS = 65.0


@dataclass
class AbDensity:
    """Counts of pixels over (b, a) cells and over chroma, each picture with the same weight.

    Attributes:
        cells: (CELLS, CELLS) share sums; rows are b from -AB_LIMIT up, columns a.
        chroma: (CHROMA_BINS,) share sums by chroma in steps of CHROMA_STEP, the last bin open.
        mean_chroma_sum: sum over pictures of each picture's mean chroma.
        pictures: how many were added.
    """

    cells: NDArray[np.float64] = field(default_factory=lambda: np.zeros((CELLS, CELLS)))
    chroma: NDArray[np.float64] = field(default_factory=lambda: np.zeros(CHROMA_BINS))
    mean_chroma_sum: float = 0.0
    pictures: int = 0

    def update(self, picture: NDArray[np.uint8]) -> None:
        """Add one picture, (H, W, 3) or (H, W) uint8 sRGB, thinned to a grid of PIXELS_A_PICTURE at most."""
        step = max(1, math.ceil(math.sqrt(picture.shape[0] * picture.shape[1] / PIXELS_A_PICTURE)))
        pixels = np.array(to_8bit_rgb(picture[::step, ::step]))
        lab = rgb_to_lab(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)[0].numpy()
        a, b = lab[1].ravel(), lab[2].ravel()
        # Gray has ab of about 1e-5, of either sign: shifted by half a cell it falls into one cell and not into four.
        column, row = (np.clip(np.rint(x / AB_STEP).astype(np.int64) + CELLS // 2, 0, CELLS - 1) for x in (a, b))
        chroma = np.hypot(a, b)
        bins = np.minimum((chroma / CHROMA_STEP).astype(np.int64), CHROMA_BINS - 1)
        self.cells += np.bincount(row * CELLS + column, minlength=CELLS**2).reshape(CELLS, CELLS) / a.size
        self.chroma += np.bincount(bins, minlength=CHROMA_BINS) / a.size
        self.mean_chroma_sum += float(chroma.mean())
        self.pictures += 1

    @property
    def mean_chroma(self) -> float:
        """Mean over pictures of each picture's mean chroma; NaN without pictures."""
        return self.mean_chroma_sum / self.pictures if self.pictures else math.nan

    def chroma_shares(self) -> NDArray[np.float64]:
        """(CHROMA_BINS,) shares of the pixels, which sum to 1."""
        return self.chroma / max(self.pictures, 1)

    def png(self) -> bytes:
        """The density as a PNG: each cell in its own colour at L* 65, as opaque as the logarithm of its share.

        It has CELLS x CELLS pixels with alpha; a* to the right, b* upwards.
        """
        shares = self.cells / max(self.pictures, 1)
        span = math.log10(FULLEST / FAINTEST)
        with np.errstate(divide="ignore"):
            level = np.clip((np.log10(shares) - math.log10(FAINTEST)) / span, 0, 1)
        alpha = np.where(shares > 0, np.rint(20 + 235 * level), 0).astype(np.uint8)
        pixels = np.dstack([_cell_colours(), alpha])[::-1]
        pixels[pixels[..., 3] == 0] = 0  # clear cells alike: the file shrinks to what is seen
        _, png = cv2.imencode(".png", pixels[..., [2, 1, 0, 3]], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        return png.tobytes()


def _cell_colours() -> NDArray[np.uint8]:
    """(CELLS, CELLS, 3) sRGB of the cells' centres at one lightness, clipped into the gamut."""
    axis = (torch.arange(CELLS, dtype=torch.float32) - CELLS // 2) * AB_STEP
    b, a = torch.meshgrid(axis, axis, indexing="ij")
    lab = torch.stack([torch.full_like(a, _SHOWN_LIGHTNESS), a, b])[None]
    rgb = lab_to_rgb(lab)[0].clamp(0, 1).permute(1, 2, 0).numpy()
    return np.rint(rgb * 255).astype(np.uint8)
