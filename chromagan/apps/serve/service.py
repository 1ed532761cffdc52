"""The photos that are accepted, and the one pipeline that colours them, the one of `chromagan sample`.

Photos wait here until the pipeline has room. One whose client is gone, or whose time is up, is not begun; one that is
begun is finished, and not written. All that is known of a photo changes in the event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from chromagan.apps.serve.limits import Limits
from chromagan.apps.serve.refusals import Busy, Gone, Late, Unavailable
from chromagan.apps.web.uploads import unplaced
from chromagan.errors import ChromaganError
from chromagan.inference.batch import count_processors, photo_pipeline
from chromagan.inference.batch_plan import Job
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.sinks import Files, Pages, Painter

_LONGEST_WAIT = 60  # seconds after which a client may ask again, at most
_FAILED = "the service failed; ask another one"
_CALM = 0.1  # how much the last photo counts in what one usually takes


@dataclass(eq=False)
class Waiting:
    """A photo that was accepted.

    Attributes:
        job: to do, in a folder of its own.
        files: writes its picture.
        answer: done when its file stands, or with the error.
        given_up: nobody waits for it any more.
        put, begun, done: when it came, the pipeline took it, and its file stood, in monotonic seconds.
    """

    job: Job
    files: Files
    answer: asyncio.Future[None]
    given_up: bool = False
    put: float = field(default_factory=time.monotonic)
    begun: float = math.inf
    done: float = math.inf

    @property
    def waited(self) -> float:
        """Seconds until it was begun."""
        return self.begun - self.put

    @property
    def seconds(self) -> float:
        """Seconds in all."""
        return self.done - self.put


class Service:
    """Colours the photos of many clients.

    Args:
        make_colorizer: builds the colorizer, once.
        limits: of what is taken.

    Attributes:
        accepted: photos that are not yet answered.
        ready: the weights are loaded.
        model: that they are of, then.
        ending: no more photos are accepted.
        failure: what ended the pipeline before its time.
        home: where the photos lie, a folder each.
    """

    def __init__(self, make_colorizer: Callable[[], Colorizer], limits: Limits | None = None) -> None:
        self._make, self.limits = make_colorizer, limits or Limits()
        self.accepted, self.ready, self.ending, self.model = 0, False, False, ""
        self.failure: BaseException | None = None
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._under_way: dict[Path, Waiting] = {}
        self._room = threading.Semaphore(count_processors() + 2)
        self._usual, self._last = 1.0, 0.0  # seconds that the pipeline takes for a photo; when the last one was done
        self._folder = tempfile.TemporaryDirectory(prefix="chromagan-serve-", ignore_cleanup_errors=True)
        self.home = Path(self._folder.name)
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)

    def open(self) -> None:
        """Begin; called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Accept no more, finish what was accepted."""
        self.ending = True
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._folder.cleanup()

    # In the event loop

    @property
    def waiting(self) -> int:
        """Photos that the pipeline has not begun."""
        return self._waiting.qsize()

    @property
    def alive(self) -> bool:
        """Whether photos are coloured."""
        return self._thread.is_alive()

    @contextlib.contextmanager
    def place(self) -> Iterator[Path]:
        """A place for one photo, and a folder for it that goes with it.

        Raises:
            Busy: all are taken.
            Unavailable: the service ends.
        """
        if self.ending or not self.alive:
            raise Unavailable("the service ends; ask another one")
        if self.accepted >= self.limits.photos:
            busy = Busy(f"{self.accepted} photos are waiting, and no more are taken; come again")
            busy.seconds = self.patience
            raise busy
        self.accepted += 1
        folder = Path(tempfile.mkdtemp(dir=self.home))
        try:
            yield folder
        finally:
            self.accepted -= 1
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def patience(self) -> int:
        """Seconds after which a place is likely."""
        return min(_LONGEST_WAIT, max(1, math.ceil(self._usual * self.accepted / 2)))

    async def colour(self, job: Job, files: Files, gone: Awaitable[None]) -> Waiting:
        """Have a photo coloured into its job's output.

        Args:
            job: whose photo lies in the folder of its place.
            files: writes the output.
            gone: ends when nobody waits for it any more.

        Raises:
            Gone: that happened.
            Late, Unavailable: it took too long; the second where it was not begun.
            ChromaganError: the photo cannot be coloured, or the service failed.
        """
        if self.failure is not None:
            raise Unavailable(_FAILED)
        photo = Waiting(job, files, self._loop.create_future())
        self._waiting.put(photo)
        watch = asyncio.ensure_future(gone)
        try:
            until = {photo.answer, watch}
            await asyncio.wait(until, timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            photo.given_up = not photo.answer.done()
            watch.cancel()
        if not photo.given_up:
            photo.answer.result()
            return photo
        if watch.done():
            raise Gone("the client went away")
        if photo.begun == math.inf:
            late = Unavailable(f"the photo waited for {self.limits.seconds:g} s and was not begun; come again")
            late.seconds = self.patience
            raise late
        raise Late(f"the photo took more than {self.limits.seconds:g} s; send a smaller one")

    def _settle(self, photo: Waiting, error: Exception | None) -> None:
        if photo.given_up:  # what was written since its place was cleared
            shutil.rmtree(photo.job.source.parent, ignore_errors=True)
        elif error is None:
            photo.answer.set_result(None)
        else:
            words = unplaced(error, photo.job.source.parent)
            told = type(error)(words) if isinstance(error, ChromaganError) else ChromaganError(words)
            told.__cause__ = error
            photo.answer.set_exception(told)

    def _fail(self, error: BaseException) -> None:
        """The pipeline ended before its time: whoever waits is told."""
        self.failure = error
        waiting = list(self._under_way.values())
        while not self._waiting.empty():
            waiting += filter(None, [self._waiting.get()])
        for photo in waiting:
            self._settle(photo, Unavailable(_FAILED))

    # In the pipeline's threads

    def _run(self) -> None:
        try:
            photo_pipeline(self._source(), self._load, self._write).run(self._report)
        except BaseException as error:
            self._loop.call_soon_threadsafe(self._fail, error)

    def _load(self) -> Colorizer:
        colorizer = self._make()
        self.model, self.ready = colorizer.mark.model, True
        return colorizer

    def _source(self) -> Iterator[Job]:
        while True:
            self._room.acquire()
            photo = self._waiting.get()
            while photo is not None and photo.given_up:
                self._loop.call_soon_threadsafe(self._settle, photo, None)
                photo = self._waiting.get()
            if photo is None:
                return
            photo.begun = time.monotonic()
            self._under_way[photo.job.source] = photo
            yield photo.job

    def _write(self, job: Job, pages: Pages, colorizer: Painter) -> None:
        photo = self._under_way[job.source]
        if photo.given_up:
            pages.clear()
        else:
            photo.files(job, pages, colorizer)

    def _report(self, job: Job, error: Exception | None) -> None:
        photo, now = self._under_way.pop(job.source), time.monotonic()
        self._room.release()
        self._usual += _CALM * (now - max(self._last, photo.begun) - self._usual)
        self._last = photo.done = now
        self._loop.call_soon_threadsafe(self._settle, photo, error)
