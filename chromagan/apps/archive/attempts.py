"""Whether a shard's photos end the processes that paint them, as one that a library crashes on does.

An attempt at a shard leaves a mark while it lasts. Where several attempts have left theirs, the next one takes photo
by photo, each with a mark of its own; a photo that left as many is one that ends processes, and is not tried again.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator

from chromagan.apps.archive.order import OWN
from chromagan.files.stores import Place

FOLDER = f"{OWN}/attempts"
MANY = 3  # attempts that came to no end: at a shard, which is then taken photo by photo, or at one photo


class Attempts:
    """Those at one shard.

    Args:
        out: the output folder.
        shard: its name.
    """

    def __init__(self, out: Place, shard: str) -> None:
        self._out, self._folder = out, f"{FOLDER}/{shard}"
        self._left = out.names(self._folder)

    @property
    def careful(self) -> bool:
        """Whether to take photo by photo."""
        return len(self._left) >= MANY

    @contextlib.contextmanager
    def marked(self, photo: str = "") -> Iterator[None]:
        """A mark of the shard, or of one photo, that stays where the process ends within."""
        name = f"{self._folder}/{_name(photo)}-{secrets.token_hex(8)}"
        self._out.put(name, b".")
        try:
            yield
        finally:
            self._out.remove(name)

    def ended(self, photo: str) -> bool:
        """Whether processes ended, again and again, while they painted this photo alone."""
        return sum(name.startswith(f"{_name(photo)}-") for name in self._left) >= MANY

    def clear(self) -> None:
        """The shard came to its end: nothing is left of earlier attempts."""
        for name in self._left:
            self._out.remove(f"{self._folder}/{name}")


def _name(photo: str) -> str:
    return hashlib.blake2b(photo.encode(), digest_size=8).hexdigest() if photo else "shard"
