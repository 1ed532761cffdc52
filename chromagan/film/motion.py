"""Motion between neighbouring frames, from their small lightness: dense flow both ways, and how far it can be trusted.

Dense inverse search (Kroeger et al., ECCV 2016), as OpenCV has it, finds motion that is none in flat and grainy places.
Each place therefore moves as the camera does, or not at all, wherever that explains it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.film.camera import Floats, find_camera, usual, warp

Bytes = NDArray[np.uint8]

_WORSE, _SLACK = (
    np.float32(1.2),
    np.float32(0.2),
)  # what a plain motion may leave, times and beyond what the search does
_WINDOW, _FEW = (7, 7), (3, 3)  # over which motions are compared, and places
_LOST = np.float32(1.0)  # squared pixels between begin and end of a way there and back
_UNLIKE = 3.0  # times the usual difference in L, from which it is another place
_FLASH = 2.0  # by which a frame's mean L changes when its light does
_LEAST = 24  # pixels of a side that the search can work on


@dataclass(frozen=True)
class Motion:
    """Between a frame and the next one, at half the size of their L.

    Attributes:
        back: (h, w, 2) float16 pixels (x, y) of this size to add at the next frame for the place in this one.
        ahead: the same from this frame to the next one.
        back_trust: (h, w) uint8; 255 where it surely is the same place, 0 where nothing corresponds.
        ahead_trust: the same, of `ahead`.
    """

    back: NDArray[np.float16]
    ahead: NDArray[np.float16]
    back_trust: Bytes
    ahead_trust: Bytes


def half(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the motion of frames of a shape."""
    return max(shape[0] // 2, 1), max(shape[1] // 2, 1)


def motion(this: Floats, following: Floats) -> Motion:
    """The motion from a frame to the next one; each pair by itself, in any thread.

    Args:
        this: (H, W) float32 L in [0, 100].
        following: the same of the next frame.
    """
    size = half(this.shape)[::-1]
    if min(this.shape) < _LEAST:
        still, sure = np.zeros((*size[::-1], 2), np.float16), np.full(size[::-1], 255, np.uint8)
        return Motion(still, still, sure, sure)
    # Search at the whole size, choose at half of it.
    this, following = _in_one_light(this, following)
    before, after = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (this, following))
    this, following = (cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in (this, following))
    back, ahead = (
        cv2.resize(search(*way), size, interpolation=cv2.INTER_AREA) / 2
        for way in ((following, this), (this, following))
    )
    # What a place may do, the plainest first.
    soft, soft_before = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (following, this))
    camera = find_camera(back, soft, soft_before)
    still = np.zeros_like(back)
    plain, plain_ahead = [still], [still]
    if not camera.stands():
        plain = [camera.field(*after.shape), still]
        plain_ahead = [camera.reversed(size[0]).field(*after.shape), still]
    back, ahead = _plainest(plain, back, after, before), _plainest(plain_ahead, ahead, before, after)
    return Motion(
        back.astype(np.float16), ahead.astype(np.float16),
        _trust(back, ahead, after, before), _trust(ahead, back, before, after),
    )  # fmt: skip


def _in_one_light(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Two frames, the darker one brightened quantile for quantile where light changed at once: a flash, a fade."""
    brighter = float(a.mean()) - float(b.mean())
    share = np.float32(np.clip(abs(brighter) / _FLASH - 1, 0, 1))
    if not share:
        return a, b
    dark, bright = (b, a) if brighter > 0 else (a, b)
    ranks = np.linspace(0, 100, 33)
    lit = np.interp(dark, np.percentile(dark, ranks), np.percentile(bright, ranks)).astype(np.float32)
    lit = dark + share * (lit - dark)
    return (bright, lit) if brighter > 0 else (lit, bright)


def search(here: Floats, there: Floats) -> Floats:
    """Where each pixel of one plane of L is in the other: (h, w, 2) float32 pixels to add."""
    flow = np.zeros((*here.shape, 2), np.float32)
    if min(here.shape) < _LEAST:
        return flow
    codes = [cv2.convertScaleAbs(plane, alpha=2.55) for plane in (here, there)]
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST).calc(codes[0], codes[1], flow)


def _plainest(plain: Sequence[Floats], searched: Floats, here: Floats, there: Floats) -> Floats:
    """The first motion that explains each place about as well as what was searched."""
    chosen = searched
    allowed = _WORSE * _left(searched, here, there) + _SLACK
    for flow in reversed(plain):
        chosen = np.where((_left(flow, here, there) <= allowed)[..., None], flow, chosen)
    return chosen


def _left(flow: Floats, here: Floats, there: Floats) -> Floats:
    return cv2.blur(cv2.absdiff(here, warp(there, flow) if flow.any() else there), _WINDOW)


def _trust(flow: Floats, other: Floats, here: Floats, there: Floats) -> Bytes:
    """From the way there and back, and from the lightness at its end."""
    home = flow + warp(other, flow)
    lost = _squared(home) / (np.float32(0.01) * _squared(flow) + _LOST)
    # Over few pixels, and signed, so that grain goes and what has just come in stays.
    unlike = np.abs(cv2.blur(here - warp(there, flow), _FEW))
    unlike /= np.float32(_UNLIKE * usual(unlike) + 1)
    return np.asarray(255 * np.clip(2 - lost, 0, 1) * np.clip(2 - unlike, 0, 1), np.uint8)


def _squared(flow: Floats) -> Floats:
    x, y = cv2.split(flow)
    return x * x + y * y
