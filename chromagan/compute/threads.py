"""Threads that work ahead of whoever takes their results, and how many of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def ahead(pool: ThreadPoolExecutor, function: Callable[[T], U], items: Iterable[T], depth: int) -> Iterator[U]:
    """Results in the order of the items, at most `depth` of them under way or waiting."""
    waiting: deque[Future[U]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def default_workers() -> int:
    """Threads for this process: the processors that it may use, shared with other ranks of this machine; at most 8."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, usable // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
