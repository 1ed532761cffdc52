"""Faces on the luminance of a photo, found by the LBP cascade that ships with scikit-image."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.errors import DataError
from chromagan.evaluation.baselines import gray_of_8bit
from chromagan.evaluation.fairness.skin import FaceBox, Pixels

_LONGEST_SIDE = 640  # pixels; larger photos are searched reduced
_MARGIN = 0.2  # of the short side, repeated around the photo: the cascade misses faces that fill it
_SMALLEST_FACE = (36, 1 / 8)  # pixels, and part of the short side
_STEP, _NEIGHBOURS, _OVERLAP = 1.1, 4, 0.3


class FaceFinder:
    """Finds upright frontal faces (Liao et al., "Learning multi-scale block local binary patterns", ICB 2007).

    The cascade compares the luminances of neighbouring blocks, so neither brightness nor contrast of the photo matter
    as such; it sees no colour, hence none that a colorizer gives.

    Raises:
        DataError: scikit-image is not installed.
    """

    def __init__(self) -> None:
        try:
            from skimage.data import lbp_frontal_face_cascade_filename
            from skimage.feature import Cascade
        except ImportError as error:
            raise DataError(
                'faces are found with scikit-image; run: pip install "chromagan[demo]", or give --masks'
            ) from error
        self._cascade = Cascade(lbp_frontal_face_cascade_filename())

    def __call__(self, picture: Pixels) -> list[FaceBox]:
        """Boxes of the faces in pixels of the photo, the largest first; of boxes that overlap, the larger one.

        Args:
            picture: sRGB, (H, W, 3) uint8; its luminance alone is looked at.
        """
        scale = min(1.0, _LONGEST_SIDE / max(picture.shape[:2]))
        if scale < 1:
            size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        gray = gray_of_8bit(picture)
        height, width = gray.shape
        boxes: list[FaceBox] = []
        for found in sorted(self._search(gray), key=lambda box: (-box.height, box.top, box.left)):
            row, column = found.top + found.height / 2, found.left + found.width / 2
            inside = 0 <= row < height and 0 <= column < width
            if inside and all(_overlap(found, box) < _OVERLAP for box in boxes):
                boxes.append(found)
        return [FaceBox(*(side / scale for side in box)) for box in boxes]

    def _search(self, gray: NDArray[np.generic]) -> list[FaceBox]:
        short, long = min(gray.shape), max(gray.shape)
        margin = round(_MARGIN * short)
        smallest = max(_SMALLEST_FACE[0], math.ceil(short * _SMALLEST_FACE[1]))
        if short + 2 * margin <= smallest:
            return []
        found = self._cascade.detect_multi_scale(
            img=np.pad(gray, margin, mode="edge"),
            scale_factor=_STEP,
            step_ratio=1,
            min_size=(smallest, smallest),
            max_size=(long, long),
            min_neighbor_number=_NEIGHBOURS,
            intersection_score_threshold=_OVERLAP,
        )
        return [FaceBox(one["r"] - margin, one["c"] - margin, one["height"], one["width"]) for one in found]


def _overlap(one: FaceBox, other: FaceBox) -> float:
    """Common area in parts of the smaller box."""
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    return max(0.0, height) * max(0.0, width) / min(one.height * one.width, other.height * other.width)
