"""Pictures as metrics compare them: 8-bit RGB, which is what a viewer is shown."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


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
