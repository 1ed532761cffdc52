"""Where one scene ends and another begins, found on the small lightness of the frames."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from chromagan.film.motion import Floats, search, warp

_SIZE = (80, 45)
_AHEAD = 4  # frames for which a flash may last
_CUT = 0.55  # of the local correlation after motion is taken out


class CutFinder:
    """Finds the frames that begin another scene, a few frames after they have passed."""

    def __init__(self) -> None:
        self._seen = 0
        self._thumbs: deque[Floats] = deque(maxlen=_AHEAD + 2)

    def feed(self, L: Floats) -> list[int]:
        """Take the next frame.

        Args:
            L: (h, w) in [0, 100].

        Returns:
            Numbers of frames, from 0, that are known by now to begin another scene; none twice.
        """
        self._thumbs.append(cv2.resize(L, _SIZE, interpolation=cv2.INTER_AREA))
        self._seen += 1
        return self._decide(_AHEAD) if len(self._thumbs) == _AHEAD + 2 else []

    def finish(self) -> list[int]:
        """The same for the last frames, when no more come."""
        found: list[int] = []
        if len(self._thumbs) == _AHEAD + 2:
            self._thumbs.popleft()
        while len(self._thumbs) > 1:
            found += self._decide(len(self._thumbs) - 2)
            self._thumbs.popleft()
        return found

    def _decide(self, ahead: int) -> list[int]:
        """Whether the second frame that is held begins a scene: nothing that follows is like the first."""
        first = self._thumbs[0]
        for other in list(self._thumbs)[1:]:
            if self._alike(first, other) > _CUT:
                return []
        return [self._seen - 1 - ahead]

    @staticmethod
    def _alike(a: Floats, b: Floats) -> float:
        """The correlation of small neighbourhoods, once motion is taken out."""
        b = warp(b, search(a, b, cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST))
        mean_a, mean_b = cv2.blur(a, (9, 9)), cv2.blur(b, (9, 9))
        both = cv2.blur(a * b, (9, 9)) - mean_a * mean_b
        one, other = cv2.blur(a * a, (9, 9)) - mean_a**2, cv2.blur(b * b, (9, 9)) - mean_b**2
        return float(both.sum() / (np.sqrt(np.maximum(one * other, 0)).sum() + 1e-3))
