"""A bound on the pixels of a batch that are in memory at once."""

from __future__ import annotations

import threading

POLL_SECONDS = 0.2


class PixelBudget:
    """Bounds the pixels between reading and written; a photo larger than the bound goes through alone."""

    def __init__(self, limit: int, stop: threading.Event) -> None:
        self._limit, self._stop, self._held = limit, stop, 0
        self._changed = threading.Condition()

    def acquire(self, pixels: int) -> None:
        """Wait until there is room for so many pixels, or nothing is held."""
        with self._changed:
            while self._held and self._held + pixels > self._limit and not self._stop.is_set():
                self._changed.wait(POLL_SECONDS)
            self._held += pixels

    def correct(self, pixels: int) -> None:
        """Add what was not known when the budget was asked, or (negative) give back."""
        with self._changed:
            self._held += pixels
            self._changed.notify_all()
