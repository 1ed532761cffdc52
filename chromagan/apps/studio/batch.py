"""All photos of a desk, coloured one after another in the background, with a count and a stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chromagan.errors import ChromaganError
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import Job
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.sinks import Files

_TOLD = 20  # failures that are listed


@dataclass
class Batch:
    """Photos on their way to files.

    Attributes:
        total: photos in all.
        done: written.
        refused: that are not begun, with one line each.
        failed: of those begun, one line each.
    """

    jobs: list[Job]
    refused: list[str] = field(default_factory=list)
    done: int = 0
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = len(self.jobs)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, make_colorizer: Callable[[], Colorizer], files: Files) -> Batch:
        """Start; returns at once."""
        self._thread = threading.Thread(target=self._run, args=(make_colorizer, files), name="batch", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Begin no further photo; those that are being painted are finished."""
        self._stop.set()

    def wait(self) -> None:
        """Until all is done, or stopped."""
        if self._thread:
            self._thread.join()

    @property
    def running(self) -> bool:
        """Whether photos are still being coloured."""
        return self._thread is not None and self._thread.is_alive()

    def state(self) -> dict[str, Any]:
        """For the page."""
        told = (self.refused + self.failed)[:_TOLD]
        return {
            "total": self.total, "done": self.done, "failed": len(self.failed), "refused": len(self.refused),
            "running": self.running, "stopped": self._stop.is_set(), "errors": told,
        }  # fmt: skip

    def _waiting(self) -> Iterator[Job]:
        for job in self.jobs:
            if self._stop.is_set():
                return
            yield job

    def _run(self, make_colorizer: Callable[[], Colorizer], files: Files) -> None:
        def report(job: Job, error: Exception | None) -> None:
            if error is None:
                self.done += 1
            else:
                self.failed.append(str(error).replace(str(job.source), job.name.as_posix()))

        try:
            colorize_files(self._waiting(), make_colorizer, report, files)
        except ChromaganError as error:
            self.failed.append(str(error))
