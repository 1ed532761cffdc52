"""What moves and what stands still in a true film: part of the protocol, and so not how the product finds it.

Dense inverse search (Kroeger et al., ECCV 2016) of OpenCV, both ways, over the reduced lightness.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.film import Since

Floats = NDArray[Any]  # of float32; what OpenCV gives is not known more closely
_CHANGED = 1.0  # L, of the smoothed difference: what changes more does not stand still; twice that is another thing
_SMOOTH, _NEAR = 2.0, 5  # sigma against grain; pixels around a change that do not stand still either
_ROUND_TRIP = 1.0  # pixels by which going there and back may miss where it began


class Watcher:
    """Finds what has moved from frame to frame, from the true lightness."""

    def __init__(self) -> None:
        self._before: Floats | None = None

    def see(self, L: Floats) -> Since | None:
        """What has moved since the frame before, of (h, w) L in [0, 100]; None at the first frame."""
        before, self._before = self._before, L
        if before is None:
            return None
        difference = L - before
        smooth = _smoothed(difference)
        allowed = _CHANGED + float(np.median(np.abs(difference - smooth)))  # the more, the more grain there is
        flow, ahead = _flow(L, before), _flow(before, L)
        missed = np.linalg.norm(flow + warped(ahead, flow), axis=-1)
        alike = np.abs(_smoothed(L - warped(before, flow))) <= allowed + _CHANGED
        changed = cv2.dilate((np.abs(smooth) > allowed).astype(np.uint8), np.ones((_NEAR, _NEAR), np.uint8)) > 0
        return Since(flow, (missed <= _ROUND_TRIP) & alike, ~changed & (flow == 0).all(-1))


def warped(planes: Floats, flow: Floats) -> Floats:
    """Planes of the frame before, (h, w) or (h, w, channels), at their places in this one."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    where = columns + flow[..., 0], rows + flow[..., 1]
    return cv2.remap(planes, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _flow(here: Floats, there: Floats) -> Floats:
    """Where each pixel is in the other plane; none where staying explains it as well, as in grain and flat places."""
    a, b = (cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in (here, there))
    codes = [np.clip(plane * 2.55, 0, 255).astype(np.uint8) for plane in (a, b)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = np.zeros((*here.shape, 2), np.float32)
    if min(here.shape) >= 16:  # below, the search has no patches
        flow = search.calc(codes[0], codes[1], flow)
    stays, moves = (cv2.blur(np.abs(a - other), (9, 9)) for other in (b, warped(b, flow)))
    flow[stays <= 1.2 * moves + 0.2] = 0
    return flow


def _smoothed(plane: Floats) -> Floats:
    return cv2.GaussianBlur(plane, (0, 0), _SMOOTH)
