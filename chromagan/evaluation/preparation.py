"""What the protocols do to a picture before it is measured: crops and filters, each exactly as its source does it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]


def as_it_is(picture: Picture) -> Picture:
    """The picture itself."""
    return picture


def middle_square_256(picture: Picture) -> Picture:
    """The largest square in the middle, then 256 x 256 by Pillow's bilinear filter, which averages when it reduces."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = round((height - side) / 2), round((width - side) / 2)  # halves go to the even number, as in Python
    square = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return np.asarray(square.resize((256, 256), Image.Resampling.BILINEAR))


def squash_256(picture: Picture) -> Picture:
    """256 x 256 without regard to the aspect: OpenCV's bilinear filter on floats, no antialiasing, then 8 bits."""
    resized = cv2.resize(picture.astype(np.float32), (256, 256), interpolation=cv2.INTER_LINEAR)
    return np.rint(resized).clip(0, 255).astype(np.uint8)


def release_of_2020(picture: Picture) -> Picture:
    """224 x 224 without regard to the aspect (OpenCV, bilinear on 8 bits), then through OpenCV's 8-bit Lab and back."""
    bgr = cv2.resize(np.ascontiguousarray(picture[..., ::-1]), (224, 224), interpolation=cv2.INTER_LINEAR)
    joined = cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2Lab), cv2.COLOR_Lab2BGR)
    return np.ascontiguousarray(joined[..., ::-1], dtype=np.uint8)
