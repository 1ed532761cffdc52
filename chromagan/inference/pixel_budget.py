"""A bound on the pixels of a batch that are in memory at once."""

from __future__ import annotations

import threading

from chromagan.inference.crew import Crew


class PixelBudget:
    """Bounds the pixels between reading and written; a photo larger than the bound goes through alone.

    Photos are let in by their places: one that comes out in its turn never waits for what a later one holds.
    """

    def __init__(self, limit: int, crew: Crew) -> None:
        self._limit, self._crew, self._held, self._turn = limit, crew, 0, 0
        self._changed = threading.Condition()

    def acquire(self, pixels: int, turn: int) -> None:
        """Wait for the turn, counted from 0, and until there is room for so many pixels, or nothing is held."""

        def there() -> bool:
            return turn == self._turn and (not self._held or self._held + pixels <= self._limit)

        with self._changed:
            self._crew.wait_for(self._changed, there)
            self._crew.check()
            self._held += pixels
            self._turn += 1
            self._changed.notify_all()

    def correct(self, pixels: int) -> None:
        """Add what was not known when the budget was asked, or (negative) give back."""
        with self._changed:
            self._held += pixels
            self._changed.notify_all()
