"""What a metric of films is: it sees the frames of one film one after another, and gives a figure at the end.

A film's figure is kept as a picture's is: tables show the mean over films. Metrics of pictures are taken of films too,
as the mean over frames.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.metrics.eight_bit import Planes, lab_of_8bit
from chromagan.metrics.metric import Metric, Pair

Plane = NDArray[np.float32]
LONGEST = 640
"""Pixels of the longer side at which motion is found and colours are followed along it."""


@dataclass(frozen=True)
class Since:
    """What has moved since the frame before, found on the truth's lightness; all (h, w) of the size of `reduced`.

    Attributes:
        flow: (h, w, 2) pixels (x, y) to add for the place in the frame before.
        followed: (h, w) whether that place can be trusted.
        still: (h, w) whether nothing has moved or changed there.
    """

    flow: Plane
    followed: NDArray[np.bool_]
    still: NDArray[np.bool_]


@dataclass(frozen=True)
class FilmFrame:
    """A frame beside its truth, and what has moved; nothing is known of that at the first frame."""

    pair: Pair
    since: Since | None = None

    @cached_property
    def lab(self) -> Planes:
        """The picture's L, a and b, of the size of `since`."""
        return reduced(self.pair.picture.once(lab_of_8bit))

    @property
    def ab(self) -> Plane:
        """Its a and b as (h, w, 2)."""
        return np.stack(self.lab[1:], axis=-1)


class Gauge(Protocol):
    """Measures one film; it holds no more than a few frames."""

    def see(self, frame: FilmFrame) -> None:
        """Take the next frame."""
        ...

    def figure(self) -> float:
        """Of all frames that were seen; NaN where there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class FilmMetric(Metric):
    """A figure of one film; tables show the mean over films.

    Attributes:
        open: makes what measures one film of one method.
    """

    level: ClassVar[Literal["picture", "film", "set"]] = "film"
    open: Callable[[], Gauge]


class Mean:
    """A mean that is added to as films go on."""

    def __init__(self) -> None:
        self.sum, self.count = 0.0, 0

    def add(self, total: float, count: int = 1) -> None:
        """Add a sum over so many values."""
        self.sum, self.count = self.sum + total, self.count + count

    @property
    def value(self) -> float:
        """NaN of nothing."""
        return self.sum / self.count if self.count else float("nan")


class ChangeOfColour(ABC):
    """The mean of sqrt(da^2 + db^2) between neighbouring frames, over places that a metric chooses."""

    def __init__(self) -> None:
        self._before: Plane | None = None
        self._mean = Mean()

    def see(self, frame: FilmFrame) -> None:
        """The next frame."""
        ab = frame.ab
        if self._before is not None and frame.since is not None:
            change = np.linalg.norm(self.change(self._before, ab, frame.since), axis=-1)
            self._mean.add(float(change.sum(dtype=np.float64)), change.size)
        self._before = ab

    @abstractmethod
    def change(self, before: Plane, ab: Plane, since: Since) -> Plane:
        """(n, 2) changes of a and b at n places, of (h, w, 2) a and b of a frame and the one before it."""

    def figure(self) -> float:
        """In Lab units; NaN where there was no such place."""
        return self._mean.value


def reduced(planes: Planes) -> Planes:
    """Planes of one picture, `LONGEST` pixels at most by the mean over areas; themselves where no larger."""
    height, width = planes[0].shape
    share = LONGEST / max(height, width)
    if share >= 1:
        return planes
    size = max(1, round(width * share)), max(1, round(height * share))
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA).reshape(size[::-1]) for plane in planes]
    return tuple(np.asarray(plane, np.float32) for plane in small)  # type: ignore[return-value]
