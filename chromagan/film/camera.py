"""How the camera moved between two frames: one similarity, which most places obey.

Dense flow is biased towards no motion where there is little to see. What it says of places with texture is where the
search for the camera begins; then the lightness of all places decides (Lucas and Kanade 1981, with robust weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # of float32; what OpenCV gives is not known more closely
Shifts = NDArray[Any]  # of float16 or float32

_HELD = 0.03  # pixels by which a camera that stands still may seem to move, in a frame of small L
_EACH = 4  # of the flow, every so manieth place is asked
_FITS, _ROUNDS = 4, 2
_INSIDE = (slice(2, -2, 2),) * 2  # every second place, without the edge


@dataclass(frozen=True)
class Camera:
    """A place z, from the middle of the frame in widths, as a complex number, moves by shift + turn * z pixels.

    Attributes:
        shift: pixels.
        turn: pixels a width; its real part is a zoom.
    """

    shift: complex
    turn: complex

    def stands(self) -> bool:
        """Whether it moves nothing that could be told from grain."""
        return max(abs(self.shift), abs(self.turn) / 2) < _HELD

    def field(self, rows: int, columns: int) -> Floats:
        """(h, w, 2) float32 pixels (x, y) to add."""
        z = from_middle(rows, columns)
        moved = np.complex64(self.shift) + np.complex64(self.turn) * z
        return moved.view(np.float32).reshape(rows, columns, 2)

    def reversed(self, columns: int) -> Camera:
        """The way back."""
        scale = 1 + self.turn / columns
        return Camera(-self.shift / scale, -self.turn / scale)


def find_camera(flow: Floats, here: Floats, there: Floats) -> Camera:
    """The camera's motion.

    Args:
        flow: (h, w, 2) of `search`, from `here`.
        here: (h, w) L.
        there: (h, w) L of the other frame.
    """
    slope = cv2.blur(np.abs(cv2.Sobel(here, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(here, cv2.CV_32F, 0, 1)), (5, 5))
    some = (slice(_EACH // 2, None, _EACH),) * 2
    z = from_middle(*here.shape)[some].ravel()
    return _refined(_fitted(np.ascontiguousarray(flow[some]), z, slope[some].ravel()), here, there)


def _fitted(flow: Floats, z: NDArray[np.complex64], slope: Floats) -> Camera:
    """The similarity that most of the flow agrees with, texture counting for more: reweighted least squares."""
    wanted = flow.view(np.complex64).ravel()
    texture = np.maximum(slope - np.median(slope), 0.02 * slope.max() + 1e-3)
    camera = Camera(complex(_median(wanted.real, texture), _median(wanted.imag, texture)), 0)
    for number in range(_FITS):
        far = np.abs(wanted - camera.shift - camera.turn * z) / max(0.15, 1 / 2**number)
        weight = texture / np.square(1 + far * far)
        total, mean, middle = weight.sum(), (weight * z).sum(), (weight * wanted).sum()
        square, product = (weight * np.abs(z) ** 2).sum(), (weight * z.conj() * wanted).sum()
        turn = (total * product - mean.conjugate() * middle) / (total * square - abs(mean) ** 2 + 1e-9)
        camera = Camera(complex((middle - turn * mean) / total), complex(turn))
    return camera


def _median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    summed = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(summed, summed[-1] / 2)]])


def _refined(camera: Camera, here: Floats, there: Floats) -> Camera:
    """The same, by what is left between the frames."""
    z = from_middle(*here.shape)
    for _ in range(_ROUNDS):
        brought = warp(there, camera.field(*here.shape))
        # What is left, less what the light has changed; the edge, where things enter, does not count.
        left = (here - brought)[_INSIDE]
        left = left - usual(left)
        spread = 1.4826 * usual(np.abs(left)) + 1e-3
        weight = 1 / np.square(1 + np.square(left / np.float32(2 * spread)))
        x, y = (cv2.Sobel(brought, cv2.CV_32F, *way, scale=1 / 8)[_INSIDE] for way in ((1, 0), (0, 1)))
        u, v = z.real[_INSIDE], z.imag[_INSIDE]
        slopes = np.stack([x, y, x * u + y * v, y * u - x * v]).reshape(4, -1)
        weighed = slopes * weight.ravel()
        step = np.linalg.solve(weighed @ slopes.T + 1e-3 * np.eye(4, dtype=np.float32), weighed @ left.ravel())
        camera = Camera(camera.shift + complex(*step[:2]), camera.turn + complex(*step[2:]))
    return camera


def usual(plane: Floats) -> float:
    """About the median."""
    return float(np.median(plane[::3, ::3]))


def warp(planes: Floats, flow: Shifts) -> Floats:
    """Bring planes to a frame whose flow tells where each pixel was; the edge goes on outside.

    Args:
        planes: (h, w) or (h, w, channels) float32.
        flow: (h, w, 2) pixels to add.
    """
    x, y = cv2.split(places(*flow.shape[:2]) + flow)
    return cv2.remap(planes, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@lru_cache(4)
def places(rows: int, columns: int) -> Floats:
    """(h, w, 2) float32 x and y of each pixel."""
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).astype(np.float32)


@lru_cache(4)
def from_middle(rows: int, columns: int) -> NDArray[np.complex64]:
    """(h, w) of each pixel x + iy from the middle of the frame, in widths."""
    middle = np.array([columns - 1, rows - 1], np.float32) / 2
    return np.ascontiguousarray((places(rows, columns) - middle) / np.float32(columns)).view(np.complex64)[..., 0]
