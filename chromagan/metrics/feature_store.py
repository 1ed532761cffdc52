"""Features of pictures on disk, so that memory does not grow with their number: while a comparison runs, and after it.

What is kept from one run to the next are those of truths, found again by the pictures' own bytes. A file belongs to one
network, protocol and list of names, and each of its rows to one picture's content: a truth whose pixels have changed is
computed anew, whatever it is called. The file is safetensors with its sha256 inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from chromagan.errors import DataError, WriteError
from chromagan.files.atomic import write_atomically

_CHUNK = 512  # rows read at once
_FORMAT = "chromagan reference features 1"
_BLOCK = 1 << 20


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


def picture_digest(picture: NDArray[np.uint8]) -> bytes:
    """SHA-256 of a picture's size and pixels."""
    sha = hashlib.sha256(f"{picture.shape}".encode())
    sha.update(np.ascontiguousarray(picture).data)
    return sha.digest()


class ReferenceCache:
    """Features of the truths, by their names, under one network and protocol: in a file that may not be there yet.

    `network` is its name, the SHA-256 of its weights, and all else that features of so many dimensions depend on.

    Raises:
        DataError: the file is there and is damaged, or holds something else than its name says.
    """

    def __init__(
        self, folder: str | os.PathLike[str], network: str, protocol: str, images: Sequence[str], dimensions: int
    ) -> None:
        self._about = {"format": _FORMAT, "network": network, "protocol": protocol, "dimensions": str(dimensions)}
        self._about["images"] = hashlib.sha256(os.fsencode("\n".join(sorted(images)))).hexdigest()
        key = hashlib.sha256(json.dumps(self._about, sort_keys=True).encode()).hexdigest()
        self.path = Path(folder) / f"{protocol.replace('/', '-')}-{network.split()[0]}-{key[:16]}.safetensors"
        self.dimensions = dimensions
        self._rows: dict[bytes, int] = {}
        if self.path.exists():
            self._open()

    def __len__(self) -> int:
        """How many pictures the file on disk holds."""
        return len(self._rows)

    def _open(self) -> None:
        wrong = f"{self.path}: the cached reference features are damaged"
        try:
            with safe_open(self.path, framework="pt") as file:
                about = file.metadata() or {}
                digests = file.get_tensor("digests")
                shape = tuple(file.get_slice("features").get_shape())
            found = _content_digest(self.path)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise DataError(f"{wrong} ({type(error).__name__}); delete the file") from error
        if about.pop("sha256", None) != found:
            raise DataError(f"{wrong} (its sha256 does not match); delete the file")
        if about != self._about or shape != (len(digests), self.dimensions):
            raise DataError(f"{self.path}: the cached reference features are of something else; delete the file")
        self._rows = {bytes(row): place for place, row in enumerate(digests.numpy())}

    def find(self, digest: bytes) -> Tensor | None:
        """(1, dimensions) float32 of the picture with that digest, None where it is not held."""
        place = self._rows.get(digest)
        if place is None:
            return None
        with safe_open(self.path, framework="pt") as file:
            return file.get_slice("features")[place : place + 1].clone()

    def save(self, digests: Sequence[bytes], chunks: Callable[[], Iterator[Tensor]]) -> None:
        """Write a new file, a piece at a time; nothing is written where the file holds all of this already.

        `chunks` gives the rows of the digests, in their order, in pieces of (m, dimensions) float32; it is called
        twice.

        Raises:
            WriteError: the folder or disk refuses.
        """
        if set(digests) <= set(self._rows):
            return
        names = np.frombuffer(b"".join(digests), np.uint8)

        def pieces() -> Iterator[bytes]:
            yield names.tobytes()
            for chunk in chunks():
                yield chunk.to(torch.float32).contiguous().numpy().tobytes()

        sha = hashlib.sha256()
        for piece in pieces():
            sha.update(piece)
        rows = 4 * len(digests) * self.dimensions
        header = {
            "__metadata__": {**self._about, "sha256": sha.hexdigest()},
            "digests": {"dtype": "U8", "shape": [len(digests), 32], "data_offsets": [0, names.size]},
            "features": {"dtype": "F32", "shape": [len(digests), self.dimensions],
                         "data_offsets": [names.size, names.size + rows]},
        }  # fmt: skip
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)

        def write(file: BinaryIO) -> None:
            file.write(len(text).to_bytes(8, "little") + text)
            for piece in pieces():
                file.write(piece)

        with contextlib.suppress(OSError):  # writing says what is wrong with the folder
            self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, write)
        self._rows = {digest: place for place, digest in enumerate(digests)}


def _content_digest(path: Path) -> str:
    """SHA-256 of what follows the header of a safetensors file."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        while block := file.read(_BLOCK):
            sha.update(block)
    return sha.hexdigest()
