"""Paths of pixels over many frames: the motions between neighbours, one after another, and the trust in all of them.

A path is (h, w, 3) float32 at the size of `Motion`: the pixels (x, y) to add for the place in the frame that it leads
to, and the trust in that, in [0, 1]. Colours are fetched from there once, so that they do not blur on their way.
"""

from __future__ import annotations

import cv2
import numpy as np

from chromagan.film.camera import Floats, Shifts, places, warp
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
    end = places(rows, columns) + path[..., :2]
    inside = (end > np.float32(-0.5)) & (end < np.array([columns - 0.5, rows - 0.5], np.float32))
    path[..., 2] *= inside.all(-1)
    return path


def sized(plane: Floats, like: Floats) -> Floats:
    """A plane, or planes, brought to the size of another."""
    if plane.shape[:2] == like.shape[:2]:
        return plane
    return cv2.resize(plane, like.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def brought(planes: Floats, path: Floats) -> Floats:
    """Planes from the end of a path, which may be of another size."""
    flow = path[..., :2]
    if planes.shape[:2] != path.shape[:2]:
        flow = sized(flow, planes) * np.float32(planes.shape[1] / path.shape[1])
    return warp(planes, flow)
