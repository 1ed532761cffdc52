"""Pictures that one run needs more than once, on disk, so that nothing is decoded or painted twice."""

from __future__ import annotations

import shutil
import tempfile
from threading import Lock
from typing import BinaryIO

import numpy as np

from chromagan.metrics.metric import Picture

LIMIT = 4 << 30
"""Bytes at most; half of what is free there where that is less. What does not fit is made again."""


class PictureStore:
    """Pictures by method and index, raw, in an unnamed temporary file that is gone with the object.

    The file lies in the system's folder for temporary files; the variable TMPDIR moves it. It takes `limit` bytes at
    most.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit, self._used, self._lock = limit, 0, Lock()
        self._places: dict[tuple[str, int], tuple[int, tuple[int, ...]]] = {}
        self._file: BinaryIO | None = None
        self._latest: tuple[int, dict[str, Picture]] = (-1, {})  # of the latest image that did not fit

    def put(self, method: str, index: int, picture: Picture) -> None:
        """Keep a picture, (H, W, 3) uint8, where there is room and it is not held yet."""
        with self._lock:
            if (method, index) in self._places:
                return
            if self._used + picture.nbytes > self._limit:
                self._latest = (index, {**(self._latest[1] if self._latest[0] == index else {}), method: picture})
                return
            try:
                if self._file is None:
                    self._limit = min(self._limit, shutil.disk_usage(tempfile.gettempdir()).free // 2)
                    self._file = tempfile.TemporaryFile(prefix="chromagan-pictures-")  # noqa: SIM115 (lives with self)
                self._file.seek(self._used)
                self._file.write(np.ascontiguousarray(picture).data)
            except OSError:  # a full disk costs time, not figures
                self._limit = 0
                return
            self._places[method, index] = self._used, picture.shape
            self._used += picture.nbytes

    def get(self, method: str, index: int) -> Picture | None:
        """The picture, or None where it is not held; from any thread."""
        with self._lock:
            if (method, index) not in self._places or self._file is None:
                return self._latest[1].get(method) if self._latest[0] == index else None
            place, shape = self._places[method, index]
            self._file.seek(place)
            picture = np.empty(shape, np.uint8)
            self._file.readinto(picture.data)  # type: ignore[attr-defined]
            return picture
