"""Motion between neighbouring frames, from their small lightness: dense flow both ways, and how far it can be trusted.

Dense inverse search (Kroeger et al., ECCV 2016) as OpenCV has it. What has not moved keeps a flow of exactly zero: in
flat and grainy places the search finds motion that is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # of float32; what OpenCV gives is not known more closely
Shifts = NDArray[Any]  # of float16 or float32
Bytes = NDArray[np.uint8]
_STILL = 1.2  # what has not moved may differ that much more than what the search matched


@dataclass(frozen=True)
class Motion:
    """Between a frame and the next one.

    Attributes:
        back: (h, w, 2) float16 pixels (x, y) to add at the next frame for the place in this one.
        ahead: the same from this frame to the next one.
        back_trust: (h, w) uint8; 255 where going there and back ends where it began, 0 where nothing corresponds.
        ahead_trust: the same, of `ahead`.
    """

    back: NDArray[np.float16]
    ahead: NDArray[np.float16]
    back_trust: Bytes
    ahead_trust: Bytes


def motion(this: Floats, following: Floats) -> Motion:
    """The motion from a frame to the next one.

    Args:
        this: (h, w) L in [0, 100].
        following: the same of the next frame.
    """
    a, b = (cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in (this, following))
    back, ahead = _flow(b, a), _flow(a, b)
    return Motion(
        back.astype(np.float16), ahead.astype(np.float16), _trust(back, ahead, b, a), _trust(ahead, back, a, b)
    )


def warp(planes: Floats, flow: Shifts) -> Floats:
    """Bring planes to a frame whose flow tells where each pixel was; the edge goes on outside.

    Args:
        planes: (h, w) or (h, w, channels).
        flow: (h, w, 2) pixels to add.
    """
    x, y = _grid(*flow.shape[:2])
    return cv2.remap(planes, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def search(here: Floats, there: Floats, preset: int = cv2.DISOPTICAL_FLOW_PRESET_FAST) -> Floats:
    """Where each pixel of one plane of L is in the other: (h, w, 2) float32 pixels to add."""
    codes = [np.clip(plane * 2.55, 0, 255).astype(np.uint8) for plane in (here, there)]
    return cv2.DISOpticalFlow.create(preset).calc(codes[0], codes[1], np.zeros((*here.shape, 2), np.float32))


def _grid(rows: int, columns: int) -> tuple[Floats, Floats]:
    return np.arange(columns, dtype=np.float32)[None], np.arange(rows, dtype=np.float32)[:, None]


def _flow(here: Floats, there: Floats) -> Floats:
    flow = search(here, there)
    rest = cv2.blur(np.abs(here - there), (9, 9))
    matched = cv2.blur(np.abs(here - warp(there, flow)), (9, 9))
    flow[rest <= _STILL * matched + 0.2] = 0
    return flow


def _trust(flow: Floats, other: Floats, here: Floats, there: Floats) -> Bytes:
    """From the way there and back, and from what is outside."""
    round_trip = flow + warp(other, flow)
    lost = (round_trip**2).sum(-1)
    allowed = 0.01 * ((flow**2).sum(-1) + (other**2).sum(-1)) + 0.5
    rows, columns = lost.shape
    x, y = _grid(rows, columns)
    x, y = x + flow[..., 0], y + flow[..., 1]
    inside = (x > -1) & (x < columns) & (y > -1) & (y < rows)
    return np.asarray(np.where(inside, np.clip(2 - lost / allowed, 0, 1) * 255, 0), np.uint8)
