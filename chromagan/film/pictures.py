"""Between frames of a film and photos: a frame as the photo that a network sees, and its colours back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.film.frames import Frame
from chromagan.film.planes import scale_of
from chromagan.film.reel import Reel
from chromagan.images.read import Photo


def upright(frame: Frame, reel: Reel) -> Photo:
    """A frame as a gray photo, turned as a player shows it; 16 bits where the film has more than 8."""
    return Photo(np.ascontiguousarray(np.rot90(gray(frame.luma, reel), _turns(reel))))


def upright_lightness(L: NDArray[np.float32], reel: Reel) -> Photo:
    """The same of a frame's lightness, (h, w) float32 in [0, 100]."""
    return Photo(np.ascontiguousarray(np.rot90(L, _turns(reel))))


def gray(luma: NDArray[Any], reel: Reel) -> NDArray[Any]:
    """A Y plane as gray codes in sRGB's full range: uint8, or uint16 where the film has more than 8 bits."""
    scale = scale_of(reel)
    deep = luma.dtype != np.uint8
    shown = ((np.arange(65_536 if deep else 256) - scale.black) / scale.span).clip(0, 1)
    table = np.rint(shown * 65_535).astype(np.uint16) if deep else np.rint(shown * 255).astype(np.uint8)
    return table[luma]


def laid(ab: NDArray[np.float32], size: tuple[int, ...], reel: Reel) -> NDArray[np.float32]:
    """Colours of an upright frame, (2, h, w), as it lies in the film, at a size."""
    turned = np.rot90(ab, -_turns(reel), axes=(1, 2))
    planes: list[Any] = [
        cv2.resize(np.ascontiguousarray(plane), size[::-1], interpolation=cv2.INTER_AREA) for plane in turned
    ]
    return np.stack(planes)


def _turns(reel: Reel) -> int:
    return round(reel.rotation / 90)
