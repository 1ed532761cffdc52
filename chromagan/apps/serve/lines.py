"""Lines for whoever reads stdout, who may be slow or gone: neither keeps a photo waiting."""

from __future__ import annotations

import contextlib
import os
import threading
from queue import Empty, Full, Queue

from chromagan.inference.crew import abandoned

_MOST = 10_000  # lines that wait to be read; further ones are lost
_LAST_SECONDS = 1.0


class Lines:
    """Writes lines in a thread of its own.

    Args:
        descriptor: of a file, 1 for stdout; stays open.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._lines: Queue[str | None] = Queue(_MOST)
        self._thread = threading.Thread(target=self._write, name="lines", daemon=True)

    def __enter__(self) -> Lines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give what waits a second; a process never waits for longer."""
        if self._lines.full():
            with contextlib.suppress(Empty):
                self._lines.get_nowait()
        self(None)
        self._thread.join(_LAST_SECONDS)
        if self._thread.is_alive():
            abandoned.append(self._thread)

    def __call__(self, line: str | None) -> None:
        """Write a line, or lose it; returns at once."""
        with contextlib.suppress(Full):
            self._lines.put_nowait(line)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            with contextlib.suppress(OSError):  # nobody reads any more
                os.write(self._descriptor, f"{line}\n".encode())
