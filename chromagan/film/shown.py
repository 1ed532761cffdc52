"""The frames of a film in colour, as a screen shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chromagan.film.frames import Clock, decoded, stamper
from chromagan.film.luma import luma_of
from chromagan.film.planes import scale_of
from chromagan.film.reel import CODES, FULL, LIMITED, Reel, opened


@dataclass(frozen=True)
class ShownFrame:
    """One frame.

    Attributes:
        seconds: when it is shown, on the film's own clock.
        pixels: (H, W, 3) uint8 sRGB, not rotated.
        damaged: decoded with errors.
    """

    seconds: Fraction
    pixels: NDArray[np.uint8]
    damaged: bool = False


def shown_frames(reel: Reel) -> Iterator[ShownFrame]:
    """Decode a film from its beginning.

    Matrix and range are those of the reel, also where the film does not say them; chroma is enlarged linearly. R'G'B'
    is taken as sRGB as it stands.

    Raises:
        ReadError: the file cannot be opened any more.
    """
    clock = Clock(max(1, round(1 / (reel.rate * reel.time_base))), round(1 / reel.time_base))
    with opened(reel.path) as container:
        stamp = stamper(container)
        for frame, damaged in decoded(container, container.streams[reel.stream]):
            seconds = clock(stamp(frame)) * reel.time_base
            if (frame.width, frame.height) != (reel.width, reel.height):
                frame, damaged = frame.reformat(reel.width, reel.height, reel.pixels), True
            yield ShownFrame(seconds, _rgb(frame, reel), damaged)


def _rgb(frame: Any, reel: Reel) -> NDArray[np.uint8]:
    parts = [part for part in frame.format.components if not part.is_alpha]
    if reel.is_rgb:
        return np.asarray(frame.to_ndarray(format="rgb24"))
    if len(parts) == 1:
        scale = scale_of(reel)
        gray = (luma_of(frame, reel.matrix).astype(np.float32) - scale.black) * (255 / scale.span)
        return np.repeat(np.rint(gray).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    said = {"src_colorspace": CODES[reel.matrix], "src_color_range": FULL if reel.full_range else LIMITED}
    if reel.shift != (0, 0):  # in one step FFmpeg would repeat the nearest chroma sample
        depth = f"{reel.bits}le" if reel.bits > 8 else ""
        kept = {"dst_colorspace": said["src_colorspace"], "dst_color_range": said["src_color_range"]}
        frame = frame.reformat(format=f"yuv444p{depth}", interpolation="BILINEAR", **said, **kept)
    return np.asarray(frame.reformat(format="rgb24", dst_color_range=FULL, **said).to_ndarray())
