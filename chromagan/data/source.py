"""What a training photograph is before it is decoded, and a list of millions of them in little memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Photo(Protocol):
    """One photo that can be read again and again, in any process (it is pickled to the workers)."""

    @property
    def name(self) -> str:
        """Unlike that of any other photo, and the same in every run: the key of the manifest."""

    def read(self) -> bytes | np.ndarray:
        """The encoded file, or (H, W, 3) uint8 RGB where the source has pixels only.

        Raises:
            OSError: this one photo cannot be read; it is counted and skipped.
            DataError: nothing can be read any more (a server is gone); the run stops.
        """


@dataclass(frozen=True, slots=True)
class PhotoSource:
    """A local photo: a whole file, or `length` bytes at `offset` of a tar shard."""

    path: str
    name: str
    offset: int = 0
    length: int = -1

    def read(self) -> bytes:
        """The encoded bytes."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


class PackedPhotos(Sequence[Photo]):
    """A read-only list of photos as one block of bytes.

    A list of Python objects would be copied page by page into every worker process, as reading one touches its
    reference count; arrays stay shared, and take about a third of the memory.
    """

    def __init__(self, photos: Iterable[Photo]) -> None:
        pickles = [pickle.dumps(photo, protocol=pickle.HIGHEST_PROTOCOL) for photo in photos]
        self._ends = np.cumsum([len(data) for data in pickles], dtype=np.int64)
        self._bytes = np.frombuffer(b"".join(pickles), np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Photo:  # type: ignore[override]
        index = range(len(self))[index]
        start = int(self._ends[index - 1]) if index else 0
        photo: Photo = pickle.loads(self._bytes[start : int(self._ends[index])].data)
        return photo
