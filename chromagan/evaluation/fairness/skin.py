"""Which pixels of a face are skin, and the individual typology angle of a skin colour.

Everything here looks at the true photograph alone, so that all colorizers are measured on the same pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.lab import rgb_to_lab

Pixels = NDArray[np.uint8]
Lab = NDArray[np.float64]

ITA_GROUPS: dict[str, tuple[float, float]] = {
    "very light": (55.0, 180.0),
    "light": (41.0, 55.0),
    "intermediate": (28.0, 41.0),
    "tan": (10.0, 28.0),
    "brown": (-30.0, 10.0),
    "dark": (-180.0, -30.0),
}
"""Group: ITA in degrees, above the first and up to the second (Del Bino and Bernerd 2013)."""

LIGHTNESS_GROUPS: dict[str, tuple[float, float]] = {
    "L* over 75": (75.0, 100.0),
    "L* 65-75": (65.0, 75.0),
    "L* 55-65": (55.0, 65.0),
    "L* 45-55": (45.0, 55.0),
    "L* 35-45": (35.0, 45.0),
    "L* to 35": (-1.0, 35.0),
}
"""Group: mean L* of the skin, above the first and up to the second. Unlike b*, a gray photo tells L*."""

GROUPINGS = {"ita": ITA_GROUPS, "lightness": LIGHTNESS_GROUPS}

# Centre and half axes of the measured ellipse, in parts of the box: forehead below the hair to the upper lip.
_ELLIPSE_CENTRE, _ELLIPSE_RADII = (0.48, 0.5), (0.29, 0.30)
# Degrees. Measured skin lies between about 40 and 75 whatever its lightness; coloured light moves it.
_SKIN_HUES = (0.0, 110.0)
_LEAST_CHROMA = 2.0  # Lab units; below, the hue is that of rounding errors
_LIGHTNESS_RANKS = (25.0, 90.0)  # percentiles of the face's own lightness that are kept
_LEAST_SHARE = 0.6  # of the ellipse that must be of skin hue
_FEWEST_PIXELS = 64


class FaceBox(NamedTuple):
    """A face's square in pixels of the photo; it may reach over the photo's edge."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True)
class SkinRegion:
    """The skin pixels of one face: `mask` (h, w), whose corner lies at row `top` and column `left` of the photo."""

    top: int
    left: int
    mask: NDArray[np.bool_]

    @property
    def pixels(self) -> int:
        """How many pixels are skin."""
        return int(self.mask.sum())

    def lab(self, picture: Pixels) -> Lab:
        """Lab of the skin pixels of a picture (H, W, 3) uint8 sRGB of the photo's size: (n, 3) float64."""
        height, width = self.mask.shape
        return pixels_to_lab(picture[self.top : self.top + height, self.left : self.left + width][self.mask])


def pixels_to_lab(pixels: Pixels) -> Lab:
    """Lab of sRGB pixels: (n, 3) uint8 to (n, 3) float64."""
    rgb = torch.from_numpy(pixels.astype(np.float64) / 255).T.reshape(3, -1, 1)
    return rgb_to_lab(rgb).reshape(3, -1).T.numpy()


def ita_degrees(L: float, b: float) -> float:
    """Individual typology angle of a colour (Chardon, Cretois and Hourseau 1991) in degrees, in (-180, 180].

    Light skin is high, dark skin low. For b > 0, as of all skin under white light, this atan2(L - 50, b) is the paper's
    arctan((L - 50) / b).
    """
    return math.degrees(math.atan2(L - 50, b))


def group_of(value: float, grouping: str = "ita") -> str:
    """The group, a name in `GROUPINGS[grouping]`, of a skin's ITA in degrees ("ita") or of its L* ("lightness")."""
    *higher, lowest = GROUPINGS[grouping]
    return next((name for name in higher if value > GROUPINGS[grouping][name][0]), lowest)


def skin_in_box(truth: Pixels, box: FaceBox) -> SkinRegion | None:
    """The skin pixels of a face in a box of the true photo, sRGB (H, W, 3) uint8.

    An ellipse from forehead to upper lip; of it the pixels of a skin's hue (a wide window, since coloured light turns
    it); of those the ones whose lightness is neither in the lowest quarter (eyes, brows, nostrils, beard, shadows) nor
    in the highest tenth (gleam), and whose chroma is at least half of the face's median (whites of the eyes, glasses).
    Lightness and chroma are judged against the same face, never against a fixed value, so that dark skin is as welcome
    as light skin. None where less than 60 % of the ellipse has a skin's hue (no face, or a gray photo), or fewer than
    64 pixels remain.
    """
    centre = (box.top + _ELLIPSE_CENTRE[0] * box.height, box.left + _ELLIPSE_CENTRE[1] * box.width)
    radii = (_ELLIPSE_RADII[0] * box.height, _ELLIPSE_RADII[1] * box.width)
    top, left = (max(0, math.floor(c - r)) for c, r in zip(centre, radii, strict=True))
    bottom, right = (min(side, math.ceil(c + r)) for c, r, side in zip(centre, radii, truth.shape[:2], strict=True))
    if bottom <= top or right <= left:
        return None
    rows = (np.arange(top, bottom) + 0.5 - centre[0]) / radii[0]
    columns = (np.arange(left, right) + 0.5 - centre[1]) / radii[1]
    mask = rows[:, None] ** 2 + columns[None, :] ** 2 <= 1
    chosen = choose_skin(pixels_to_lab(truth[top:bottom, left:right][mask]))
    if chosen is None or chosen.sum() < _FEWEST_PIXELS:
        return None
    mask[mask] = chosen
    return SkinRegion(top, left, mask)


def choose_skin(lab: Lab) -> NDArray[np.bool_] | None:
    """The rule of `skin_in_box` on the ellipse's pixels, (n, 3) Lab: (n,) bool, or None where too few suit."""
    if not len(lab):
        return None
    L, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
    skin = (hue >= _SKIN_HUES[0]) & (hue <= _SKIN_HUES[1]) & (chroma >= _LEAST_CHROMA)
    if skin.mean() < _LEAST_SHARE:
        return None
    low, high = np.percentile(L[skin], _LIGHTNESS_RANKS)
    return skin & (low <= L) & (high >= L) & (chroma >= np.median(chroma[skin]) / 2)


def skin_in_mask(mask: NDArray[np.generic]) -> SkinRegion | None:
    """The region of a mask (H, W) or (H, W, C), not zero where skin is in any channel; None where nothing is."""
    flat = (mask != 0).any(axis=2) if mask.ndim == 3 else mask != 0
    rows, columns = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
    if not rows.size:
        return None
    inside = flat[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return SkinRegion(int(rows[0]), int(columns[0]), inside.copy())
