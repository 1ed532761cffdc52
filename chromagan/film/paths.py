"""Paths of pixels over many frames: the motions between neighbours, one after another, and the trust in all of them.

A path is (h, w, 3) float32 at the size of `Motion`: the pixels (x, y) to add for the place in the frame that it leads
to, and the trust in that, in [0, 1]. Colours are fetched from there once, so that they do not blur on their way.
"""

from __future__ import annotations

import cv2
import numpy as np

from chromagan.film.camera import Floats, Shifts, warp
from chromagan.film.motion import Bytes


def no_way(rows: int, columns: int) -> Floats:
    """The path from a frame to itself."""
    path = np.zeros((rows, columns, 3), np.float32)
    path[..., 2] = 1
    return path


def longer(path: Floats, flow: Shifts, trust: Bytes) -> Floats:
    """A path that begins one frame away, where the flow leads; what leaves the frame is lost."""
    way = warp(path, flow)
    way[..., :2] += flow
    way[..., 2] *= trust * np.float32(1 / 255)
    return _inside(way)


def onward(path: Floats, flow: Shifts, trust: Bytes) -> Floats:
    """A path that ends one frame away, where the flow leads from its end."""
    step = warp(np.dstack([flow, trust * np.float32(1 / 255)]), path[..., :2])
    return _inside(np.dstack([path[..., :2] + step[..., :2], path[..., 2] * step[..., 2]]))


def _inside(path: Floats) -> Floats:
    rows, columns = path.shape[:2]
    y, x = np.ogrid[:rows, :columns]
    right, down = path[..., 0] + x.astype(np.float32), path[..., 1] + y.astype(np.float32)
    path[..., 2] *= (right > -0.5) & (right < columns - 0.5) & (down > -0.5) & (down < rows - 0.5)
    return path


def brought(plane: Floats, path: Floats) -> tuple[Floats, Floats]:
    """A plane of L's size from the end of a path, and the trust in it at that size."""
    wide = cv2.resize(path, plane.shape[::-1])
    return warp(plane, wide[..., :2] * np.float32(plane.shape[1] / path.shape[1])), wide[..., 2]
