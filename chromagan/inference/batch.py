"""Many photos: reading, the network, and joining with writing overlap; one photo's failure leaves the rest alone.

Reader threads decode photos and reduce them, one loads the model, painters run it, writers join and encode; the calling
thread reports and is there for Ctrl-C. On a CPU several photos go through the network side by side, each on its share
of the processors: a small convolution divided by all of them leaves them idle. Queues are short and a budget bounds the
pixels in flight, so the memory does not grow with the number of photos. PyTorch is imported when the first photo is
being decoded already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.errors import ChromaganError, ModelError, ReadError, WriteError
from chromagan.images.read import Photo, read_pages
from chromagan.images.read_header import open_file, read_header
from chromagan.images.write import write_pages, write_photo
from chromagan.inference.crew import POLL_SECONDS, Belt, Crew, Stopped
from chromagan.inference.explain import describe, explain
from chromagan.inference.pixel_budget import PixelBudget
from chromagan.inference.plan import Job
from chromagan.inference.processors import TorchThreads, count_processors
from chromagan.inference.request import Request
from chromagan.inference.sheet import compare_sheet

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer
    from chromagan.inference.stages import Walk

PIXELS_IN_FLIGHT = 64_000_000
SIDE_BY_SIDE = 4  # photos in the network at once, at most
LAYER_LIGHTNESS = 60.0
GRACE_SECONDS = 1.0  # for the photos that are being written when the batch is interrupted

Report = Callable[[Job, Exception | None], None]
"""Told of each photo when it is done, with the error where it failed; called by the thread that called."""


@dataclass(frozen=True)
class BatchOptions:
    """How photos are written.

    Attributes:
        request: what is asked for, of every photo.
        keep_metadata: carry EXIF, XMP, IPTC and resolution over; the provenance mark is always written.
        quality: of lossy formats, 1 to 100.
    """

    request: Request = field(default_factory=Request)
    keep_metadata: bool = True
    quality: int = 95


@dataclass
class Outcome:
    """How a batch went.

    Attributes:
        done: photos colorized.
        failed: photos that failed.
        interrupted: Ctrl-C ended the batch.
        unreported: the first error of the report itself, which lost its words and nothing else.
    """

    done: int = 0
    failed: int = 0
    interrupted: bool = False
    unreported: Exception | None = None


@dataclass
class _Item:
    """A photo on its way; `pixels` is what it holds of the budget until it is told."""

    job: Job
    photos: list[Photo] = field(default_factory=list)
    walks: list[Walk] = field(default_factory=list)
    pixels: int = 0
    error: BaseException | None = None


Step = Callable[[list[_Item]], None]


def colorize_files(
    jobs: Sequence[Job], make_colorizer: Callable[[], Colorizer], options: BatchOptions, report: Report
) -> Outcome:
    """Colorize photos into files.

    Every file appears under its name only when it is complete. A photo that fails, in whatever way, is reported and the
    rest goes on. Ctrl-C gives the photos that are being written one second, and ends the batch; threads that hang are
    left behind.

    Args:
        jobs: what to read and write, see `chromagan.inference.plan`.
        make_colorizer: builds the colorizer; it is called once, while the first photos are being decoded.
        options: how to write.
        report: told of each photo.

    Raises:
        ChromaganError: the colorizer cannot be built, or the program itself failed; the message names the cause.
    """
    return _Batch(jobs, options, report).run(make_colorizer)


class _Batch:
    def __init__(self, jobs: Sequence[Job], options: BatchOptions, report: Report) -> None:
        self.options, self.outcome, self._photos = options, Outcome(), len(jobs)
        self._report, self._reporting = report, False
        self._lock = threading.Lock()
        self._crew = Crew()
        self._budget = PixelBudget(PIXELS_IN_FLIGHT, self._crew)
        self._ready, self._threads = threading.Event(), TorchThreads()
        processors, most = count_processors(), max(1, len(jobs))
        self._readers = min(most, max(1, processors // 4))
        self._writers = min(most, max(2, processors // 2))
        self._painters = min(most, processors, SIDE_BY_SIDE)
        self._waiting: Belt[_Item] = Belt(self._crew, most)
        self._decoded: Belt[_Item] = Belt(self._crew, 2 * max(self._readers, self._painters))
        self._coloured: Belt[_Item] = Belt(self._crew, self._writers)
        self._settled: Belt[_Item] = Belt(self._crew, most)
        self._waiting.put(_Item(job) for job in jobs)
        self._waiting.end()
        self.colorizer: Colorizer

    def run(self, make_colorizer: Callable[[], Colorizer]) -> Outcome:
        """The calling thread starts the others and reports; it does nothing that could keep Ctrl-C waiting."""
        try:
            self._start(lambda: self._load(make_colorizer))
            while items := self._settled.get():
                self._tell(items[0])
        except Stopped:
            pass  # the crew's failure says why
        except KeyboardInterrupt:
            self.outcome.interrupted = True
        finally:
            self._crew.end(GRACE_SECONDS)
            self._threads.give_back()
        for item in self._settled.rest():
            self._tell(item)
        self._end()
        with self._lock:
            return replace(self.outcome)  # what hangs may count on

    def _start(self, load: Callable[[], None]) -> None:
        try:
            self._crew.start("reader", self._readers, self._read, self._decoded)
            self._crew.start("writer", self._writers, self._write, self._settled)
            self._crew.start("loader", 1, load)
        except RuntimeError as error:  # no more threads can be had
            self._crew.fail(error)

    def _end(self) -> None:
        """Name what ended the batch, if anything but its last photo did."""
        failure = self._crew.failure
        if isinstance(failure, KeyboardInterrupt):
            self.outcome.interrupted = True
        if failure is None or self.outcome.interrupted:
            return
        if isinstance(failure, ChromaganError):
            raise failure
        raise ChromaganError(
            f"the batch ended after {self.outcome.done + self.outcome.failed} of {self._photos} photos by an "
            f"{describe(failure)}; run it again (finished photos are skipped), --debug shows where"
        ) from failure

    def _tell(self, item: _Item) -> None:
        """Report a photo; called by the calling thread alone."""
        self._budget.correct(-item.pixels)
        if self._reporting:
            return  # Ctrl-C came while a report hung
        self._reporting = True
        try:
            self._report(item.job, None if item.error is None else explain(item.job, item.error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.outcome.unreported = self.outcome.unreported or explain(item.job, error)
        self._reporting = False

    def _load(self, make_colorizer: Callable[[], Colorizer]) -> None:
        self._threads.enter()
        self.colorizer = make_colorizer()
        if self.colorizer.device.type != "cpu":
            self._painters = 1
        self._threads.divide(self._painters)
        self._ready.set()
        self._crew.start("painter", self._painters, self._paint, self._coloured)

    def _await_colorizer(self) -> None:
        while not self._ready.wait(POLL_SECONDS):
            self._crew.check()
        self._threads.enter()

    def _read(self) -> None:
        self._stage(self._waiting, self._read_items, self._decoded.put)

    def _paint(self) -> None:
        self._await_colorizer()
        most = max(1, self.colorizer.batch_size // self._painters)
        self._stage(self._decoded, self._paint_items, self._coloured.put, most)

    def _write(self) -> None:
        self._await_colorizer()
        self._stage(self._coloured, self._write_items, self._settle)

    def _stage(self, source: Belt[_Item], step: Step, hand_on: Callable[[list[_Item]], Any], most: int = 1) -> None:
        while items := source.get(most):
            hand_on(self._attempt(step, items))
            # A name that outlives the loop's turn would keep a large photo in memory while the next one is awaited.
            del items

    def _attempt(self, step: Step, items: list[_Item]) -> list[_Item]:
        """Take photos through a stage. What it raises becomes the photo's line, and that photo goes no further."""
        try:
            step(items)
        except (Stopped, KeyboardInterrupt):
            raise
        except BaseException as error:
            if len(items) == 1:
                items[0].error = error
                return self._settle(items)
        else:
            return items
        # One photo's failure, or a batch too large for the memory: each by itself then.
        return [done for item in items for done in self._attempt(step, [item])]

    def _settle(self, items: list[_Item]) -> list[_Item]:
        """Count photos that go no further and hand them to the report; here, where Ctrl-C cannot come between."""
        with self._lock:
            for item in items:
                self.outcome.done += item.error is None
                self.outcome.failed += item.error is not None
        self._settled.put(items)
        return []

    def _read_items(self, items: list[_Item]) -> None:
        for item in items:
            job, pixels = item.job, _header_pixels(item.job)
            self._budget.acquire(pixels)
            item.pixels = pixels
            item.photos = job.load() if job.load else read_pages(job.source)
            item.pixels = sum(photo.pixels.shape[0] * photo.pixels.shape[1] for photo in item.photos)
            self._budget.correct(item.pixels - pixels)
            _check_pages(job, item.photos)
            self._await_colorizer()
            item.walks = [self.colorizer.start(photo, self.options.request) for photo in item.photos]

    def _paint_items(self, items: list[_Item]) -> None:
        walks = [walk for item in items for walk in item.walks]
        self.colorizer.answer(walks)
        if any(walk.gray for walk in walks):
            raise ModelError(
                f"model {self.colorizer.mark.model} answered gray for the whole photo, which is not saved as a "
                "colorization; try another --size or --model"
            )

    def _write_items(self, items: list[_Item]) -> None:
        for item in items:
            self._write_item(item)

    def _write_item(self, item: _Item) -> None:
        job = item.job
        pages = list(zip(item.photos, item.walks, strict=True))
        try:
            job.output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise WriteError(f"cannot make the folder {job.output.parent}: {reason}; choose another with -o") from error
        if job.layer:
            layers = [replace(photo, pixels=walk.end(LAYER_LIGHTNESS)) for photo, walk in pages]
            self._save(layers, job.layer)
            del layers
        done = [replace(photo, pixels=walk.end()) for photo, walk in pages]
        if job.compare:
            sheets = [compare_sheet(photo, coloured) for (photo, _), coloured in zip(pages, done, strict=True)]
            self._save(sheets, job.compare)
        # The colorized photo is written last: where it stands, the job is finished.
        item.photos.clear()
        item.walks.clear()
        del pages
        self._save(done, job.output)

    def _save(self, photos: list[Photo], path: Path) -> None:
        mark, keep = self.colorizer.mark_of(self.options.request), self.options.keep_metadata
        if len(photos) > 1:
            write_pages(photos, path, mark, keep)
        else:
            write_photo(photos[0], path, mark, keep, self.options.quality)


def _check_pages(job: Job, photos: list[Photo]) -> None:
    if len(photos) > 1 and job.output.suffix.lower() not in (".tif", ".tiff"):
        raise ReadError(f"{job.source} has {len(photos)} pages, which only TIFF holds; use --format tiff")


def _header_pixels(job: Job) -> int:
    """The first page's pixels by its header; the budget is corrected after decoding."""
    if job.load:
        return 0
    try:
        with open_file(job.source) as file:
            header = read_header(file, str(job.source))
    except ReadError:
        return 0  # reading the photo says what is wrong with it
    return header.width * header.height

