"""Pictures as metrics compare them: 8-bit RGB, which is what a viewer is shown, and its CIE Lab.

Lab is fast here: the transfer curve is a table, and every step runs over arrays in the cache. Constants and results are
those of `chromagan.color.curves` (and so scikit-image's `rgb2lab`), to 1e-3 Lab units.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.color import curves

Planes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""L in [0, 100], a and b, each (H, W) float32."""

LINEAR = curves.srgb_to_linear(np.arange(256) / 255)
"""(256,) float64: linear light of each 8-bit code."""
_TABLE = LINEAR.astype(np.float32)
_MATRIX = (np.array(curves.RGB_TO_XYZ) / np.array(curves.WHITE)[:, None]).astype(np.float32)
_DARK, _SLOPE, _OFFSET = np.float32(curves.LAB_DARK), np.float32(curves.LAB_SLOPE), np.float32(curves.LAB_OFFSET)
_STRIP_PIXELS = 1 << 14  # 192 kB of float32 for three channels: stays in the second-level cache


def to_8bit_rgb(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Round a picture to 8 bits and three channels.

    Args:
        image: sRGB, (H, W) gray or (H, W, 3), uint8, uint16, or float in [0, 1].

    Returns:
        (H, W, 3) uint8; the input itself where it is that already.

    Raises:
        ValueError: another shape or type, or floats outside [0, 1] (or not finite).
    """
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"a picture is (H, W) or (H, W, 3) and not empty, not {image.shape}")
    if image.dtype == np.uint8:
        return image  # type: ignore[return-value]
    if image.dtype == np.uint16:
        # 65535 = 255 * 257, so this is round(value / 257); ties cannot occur.
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(image.dtype, np.floating):
        if not (image.min() >= 0 and image.max() <= 1):
            raise ValueError("a float picture lies in [0, 1]")
        return np.rint(image * 255).astype(np.uint8)
    raise ValueError(f"a picture is uint8, uint16 or float, not {image.dtype}")


def sum_of_squares(a: cv2.typing.MatLike, b: cv2.typing.MatLike) -> int:
    """The exact sum of (a - b)^2 over arrays of whole numbers.

    OpenCV squares the root of its sum here, which is off by a few units of the last place: rounding mends that.
    """
    return round(cv2.norm(a, b, cv2.NORM_L2SQR))


def lab_of_8bit(picture: NDArray[np.uint8]) -> Planes:
    """L, a and b of one picture (H, W, 3) uint8 sRGB.

    Raises:
        ValueError: another shape or type.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
        raise ValueError(f"an 8-bit picture is (H, W, 3) uint8, not {picture.shape} {picture.dtype}")
    height, width = picture.shape[:2]
    planes = tuple(np.empty((height, width), np.float32) for _ in range(3))
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = np.s_[top : top + rows]
        linear = cv2.LUT(np.ascontiguousarray(picture[strip]), _TABLE)
        ratio = np.asarray(cv2.transform(linear, _MATRIX), np.float32)
        root = np.cbrt(ratio)
        # Below the threshold the curve is a line. The line touches the root from above, so the larger of the two is the
        # curve where the line is held at its end.
        np.minimum(ratio, _DARK, out=ratio)
        ratio *= _SLOPE
        ratio += _OFFSET
        np.maximum(root, ratio, out=root)
        x, y, z = cv2.split(root)
        np.multiply(y, np.float32(curves.LIGHTNESS_SCALE), out=planes[0][strip])
        planes[0][strip] -= np.float32(curves.LIGHTNESS_OFFSET)
        np.multiply(np.subtract(x, y, out=np.asarray(x)), np.float32(500), out=planes[1][strip])
        np.multiply(np.subtract(y, z, out=np.asarray(z)), np.float32(200), out=planes[2][strip])
    return planes  # type: ignore[return-value]
