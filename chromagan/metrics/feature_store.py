"""Features of pictures on disk while a comparison runs: memory does not grow with the number of pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chromagan.errors import WriteError

_CHUNK = 512  # rows read at once


class FeatureStore:
    """Rows of float32 by the key of a set and the index of a picture, in an unnamed temporary file.

    The file lies in the system's folder for temporary files (the variable TMPDIR moves it) and is gone with the object.
    A row of Inception's 2,048 dimensions takes 8 KB.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._bytes = 4 * dimensions
        self._slots: dict[str, dict[int, int]] = {}
        self._used = 0
        self._file = tempfile.TemporaryFile(prefix="chromagan-features-", buffering=0)  # noqa: SIM115 (lives with self)

    def put(self, key: str, indices: Sequence[int], rows: Tensor) -> None:
        """Hold rows, (n, dimensions) floating; an index that is held already is replaced.

        Raises:
            WriteError: the disk refuses.
        """
        slots = self._slots.setdefault(key, {})
        data = rows.detach().to("cpu", torch.float32).contiguous().numpy()
        if data.shape != (len(indices), self.dimensions):
            raise ValueError(f"features are ({len(indices)}, {self.dimensions}), not {data.shape}")
        try:
            for index, row in zip(indices, data, strict=True):
                slot = slots.get(index, self._used)
                self._file.seek(slot * self._bytes)
                written = self._file.write(row.tobytes())
                if written != self._bytes:
                    raise OSError(None, "the disk is full")
                slots[index] = slot
                self._used += slot == self._used
        except OSError as error:
            raise WriteError(
                f"{tempfile.gettempdir()}: features cannot be kept there ({error.strerror or error}); free some space, "
                "or set TMPDIR to another folder"
            ) from error

    def keys(self) -> list[str]:
        """The sets that have rows."""
        return list(self._slots)

    def holds(self, key: str, index: int) -> bool:
        """Whether a set has a row of a picture."""
        return index in self._slots.get(key, {})

    def indices(self, key: str) -> list[int]:
        """The indices that a set holds, sorted."""
        return sorted(self._slots.get(key, {}))

    def chunks(self, key: str, indices: Sequence[int]) -> Iterator[Tensor]:
        """Rows of a set in the order of `indices`, in pieces of bounded size, (m, dimensions) float32."""
        slots = self._slots.get(key, {})
        for start in range(0, len(indices), _CHUNK):
            part = indices[start : start + _CHUNK]
            rows = np.empty((len(part), self.dimensions), np.float32)
            for place, index in enumerate(part):
                self._file.seek(slots[index] * self._bytes)
                rows[place] = np.frombuffer(self._file.read(self._bytes), np.float32)
            yield torch.from_numpy(rows)

    def rows(self, key: str, indices: Sequence[int]) -> Tensor:
        """All those rows at once, (n, dimensions) float32."""
        found = list(self.chunks(key, indices))
        return torch.cat(found) if found else torch.empty(0, self.dimensions)

    def state(self) -> dict[str, Any]:
        """By set: `indices` (n,) int64 and `rows` (n, dimensions) float32, in memory."""
        return {
            key: {"indices": torch.tensor(self.indices(key)), "rows": self.rows(key, self.indices(key))}
            for key in self._slots
        }

    def merge(self, state: dict[str, Any]) -> None:
        """Hold what another store's `state` has."""
        for key, part in state.items():
            indices, rows = part["indices"].tolist(), part["rows"]
            for start in range(0, len(indices), _CHUNK):
                self.put(key, indices[start : start + _CHUNK], rows[start : start + _CHUNK])
