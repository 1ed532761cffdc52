"""Threads that hand work on from stage to stage, with a bound on what is under way; where one ends, all of them end.

A thread that fails stops the others, a stage whose threads are done ends the next one's queue, and nothing waits
without looking whether the crew has stopped. What hangs is left behind: the threads are daemons, and `abandoned` names
those that a process must not wait for.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from chromagan.files.atomic import dismiss

POLL_SECONDS = 0.2
T = TypeVar("T")

abandoned: list[threading.Thread] = []
"""Threads that did not end when they had to."""


class Stopped(BaseException):
    """Ends a thread whose crew has stopped. No `Exception`, so that no code on the way takes it for an error."""


class Crew:
    """Threads that work together.

    Attributes:
        stop: set when all of them must end.
        failure: the first exception that ended a thread, and with it the crew.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self, name: str, count: int, work: Callable[[], None], feeds: Belt[T] | None = None) -> None:
        """Start the threads of a stage.

        Args:
            name: what errors call one of them.
            count: how many.
            work: what each does; it returns when there is no more.
            feeds: the queue that ends with the last of them.
        """
        left = count

        def run() -> None:
            nonlocal left
            try:
                work()
                with self._lock:
                    left -= 1
                    last = not left
                if last and feeds is not None:
                    feeds.end()
            except Stopped:
                pass
            except BaseException as error:
                self.fail(error)

        for _ in range(count):
            thread = threading.Thread(target=run, name=name, daemon=True)
            self._threads.append(thread)  # before it starts: Ctrl-C may come between
            thread.start()

    def fail(self, error: BaseException) -> None:
        """Stop the crew for an error; the first one counts."""
        with self._lock:
            self.failure = self.failure or error
        self.stop.set()

    def check(self) -> None:
        """Raise `Stopped` where the crew has stopped."""
        if self.stop.is_set():
            raise Stopped

    def wait_for(self, changed: threading.Condition, there: Callable[[], bool]) -> None:
        """Wait, holding a condition, until something is there; raises `Stopped` where it is not and never will be."""
        while not changed.wait_for(there, POLL_SECONDS):
            self.check()

    def end(self, seconds: float) -> None:
        """Stop all threads, wait for them for so long, and leave behind those that hang, without what they write."""
        self.stop.set()
        deadline = time.monotonic() + seconds
        try:
            for thread in filter(lambda thread: thread.ident, self._threads):  # those that have started
                thread.join(max(0.0, deadline - time.monotonic()))
        finally:  # a second Ctrl-C ends the waiting
            hanging = [thread for thread in self._threads if thread.is_alive()]
            abandoned.extend(hanging)
            dismiss(hanging)


class Belt(Generic[T]):
    """A queue between two stages, which has an end; short, where `room` is given."""

    def __init__(self, crew: Crew, room: int | None) -> None:
        self._crew, self._room = crew, math.inf if room is None else room
        self._items: deque[T] = deque()
        self._ended, self._changed = False, threading.Condition()

    def put(self, items: Iterable[T]) -> None:
        """Hand items on, each when there is room for it: that is possible after the crew has stopped, too."""
        for item in items:
            with self._changed:
                self._crew.wait_for(self._changed, lambda: len(self._items) < self._room)
                self._items.append(item)
                self._changed.notify_all()

    def get(self, most: int = 1, alike: Callable[[T], Hashable] | None = None) -> list[T]:
        """Wait for an item, and take what else is there already; nothing where the belt has ended.

        Args:
            most: so many in all, at most.
            alike: only those for which it gives the same as for the first.
        """
        with self._changed:
            self._crew.wait_for(self._changed, lambda: bool(self._items) or self._ended)
            self._crew.check()
            kind = None if alike is None or not self._items else alike(self._items[0])
            return self._take([one for one in self._items if alike is None or alike(one) == kind][:most])

    def rest(self) -> list[T]:
        """All that is there, stopped or not."""
        with self._changed:
            return self._take(list(self._items))

    def end(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, taken: list[T]) -> list[T]:
        gone = {id(one) for one in taken}
        self._items = deque(one for one in self._items if id(one) not in gone)
        self._changed.notify_all()
        return taken


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
