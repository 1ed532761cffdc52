"""A bound on the pixels of a batch that are in memory at once."""

from __future__ import annotations

import threading

from chromagan.inference.crew import Crew


class PixelBudget:
    """Bounds the pixels between reading and written; a photo larger than the bound goes through alone."""

    def __init__(self, limit: int, crew: Crew) -> None:
        self._limit, self._crew, self._held = limit, crew, 0
        self._changed = threading.Condition()

    def acquire(self, pixels: int) -> None:
        """Wait until there is room for so many pixels, or nothing is held."""
        with self._changed:
            self._crew.wait_for(self._changed, lambda: not self._held or self._held + pixels <= self._limit)
            self._crew.check()
            self._held += pixels

    def correct(self, pixels: int) -> None:
        """Add what was not known when the budget was asked, or (negative) give back."""
        with self._changed:
            self._held += pixels
            self._changed.notify_all()
