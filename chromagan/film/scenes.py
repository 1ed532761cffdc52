"""Where one scene ends and another begins, found on the small lightness of the frames.

Two frames belong together when, motion taken out, their small neighbourhoods correlate: light, grain, pans and things
that pass change that little. A frame unlike the one before begins a scene, unless a frame soon after is like that one
again: then it was a flash. Black frames are like nothing; a scene that begins behind them begins at the darkest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from chromagan.film.camera import Floats, warp
from chromagan.film.motion import search

_PIXELS = 80 * 45
_ALIKE = 0.74  # correlation; across cuts 0.1 to 0.65, within scenes above 0.83
_FLASH = 4  # frames for which it may last
_BLACK = 10.0  # L that hardly anything in a black frame exceeds
_WINDOW = (9, 9)


@dataclass(frozen=True)
class _Seen:
    thumb: Floats
    start: int  # of a scene, if one begins with this frame: the darkest frame before it, or itself


class CutFinder:
    """Finds the frames that begin another scene, a few frames after they have passed."""

    def __init__(self) -> None:
        self._count = 0
        self._held: deque[_Seen] = deque()  # of frames that are not black
        self._darkest: tuple[float, int] | None = None  # since the last of them: mean L, number

    def feed(self, L: Floats) -> list[int]:
        """Take the next frame.

        Args:
            L: (h, w) float32 in [0, 100], of one size for all frames.

        Returns:
            Numbers of frames, from 0, that are known by now to begin another scene; in their order, none twice.
        """
        scale = min(1.0, (_PIXELS / L.size) ** 0.5)
        size = (max(1, round(L.shape[1] * scale)), max(1, round(L.shape[0] * scale)))
        thumb = cv2.resize(L, size, interpolation=cv2.INTER_AREA)
        number, self._count = self._count, self._count + 1
        if float(np.percentile(thumb, 95)) < _BLACK:
            dark = (float(thumb.mean()), number)
            # Of frames that are equally dark the last one.
            if self._darkest is None or dark[0] <= self._darkest[0]:
                self._darkest = dark
            return []
        self._held.append(_Seen(thumb, self._darkest[1] if self._darkest else number))
        self._darkest = None
        return self._decide() if len(self._held) > _FLASH + 1 else []

    def finish(self) -> list[int]:
        """The same for the last frames, when no more come."""
        found: list[int] = []
        while len(self._held) > 1:
            found += self._decide()
        self._held.clear()
        return found

    def _decide(self) -> list[int]:
        """Whether the second frame that is held begins a scene: neither it nor what follows is like the first."""
        first = self._held.popleft()
        if any(_alike(first.thumb, later.thumb) > _ALIKE for later in self._held):
            return []
        return [self._held[0].start]


def _alike(a: Floats, b: Floats) -> float:
    """The mean correlation of small neighbourhoods, once motion is taken out; those with contrast count for more."""
    b = warp(b, search(a, b))
    mean_a, mean_b = cv2.blur(a, _WINDOW), cv2.blur(b, _WINDOW)
    both = cv2.blur(a * b, _WINDOW) - mean_a * mean_b
    one, other = cv2.blur(a * a, _WINDOW) - mean_a * mean_a, cv2.blur(b * b, _WINDOW) - mean_b * mean_b
    return float(both.sum() / (np.sqrt(np.maximum(one * other, 0)).sum() + 1e-3))
