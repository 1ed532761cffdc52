"""Many photos: reading, the network, and joining with writing overlap; one photo's failure leaves the rest alone.

Reader threads decode photos and reduce them, the calling thread loads the model and runs it, writer threads join and
encode. On a CPU several photos go through the network side by side, each on its share of the processors: a small
convolution divided by all of them leaves them idle. Queues are short and a budget bounds the pixels in flight, so the
memory does not grow with the number of photos. PyTorch is imported when the first photo is being decoded already.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.errors import ModelError, ReadError, WriteError
from chromagan.images.read import Photo, read_pages
from chromagan.images.read_header import open_file, read_header
from chromagan.images.write import write_pages, write_photo
from chromagan.inference.explain import explain
from chromagan.inference.pixel_budget import POLL_SECONDS, PixelBudget
from chromagan.inference.plan import Job
from chromagan.inference.sheet import compare_sheet

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer, Prepared

PIXELS_IN_FLIGHT = 64_000_000
SIDE_BY_SIDE = 4  # photos in the network at once, at most
LAYER_LIGHTNESS = 60.0
_NO_COLOUR = 0.01  # Lab units; a network that answers less everywhere has answered gray

Report = Callable[[Job, Exception | None], None]
"""Told of each photo when it is done, with the error where it failed; called by several threads, one at a time."""


@dataclass(frozen=True)
class BatchOptions:
    """How photos are written.

    Attributes:
        saturation: factor on the chroma.
        keep_metadata: carry EXIF, XMP, IPTC and resolution over; the provenance mark is always written.
        quality: of lossy formats, 1 to 100.
    """

    saturation: float = 1.0
    keep_metadata: bool = True
    quality: int = 95


@dataclass
class Outcome:
    """How many photos were colorized and how many failed, and whether Ctrl-C ended the batch."""

    done: int = 0
    failed: int = 0
    interrupted: bool = False


@dataclass
class _Item:
    job: Job
    photos: list[Photo]
    prepared: list[Prepared]
    pixels: int
    grids: list[Any]


def colorize_files(
    jobs: Sequence[Job], make_colorizer: Callable[[], Colorizer], options: BatchOptions, report: Report
) -> Outcome:
    """Colorize photos into files.

    Every file appears under its name only when it is complete. A photo that fails is reported and the rest goes on.
    Ctrl-C lets the photos that are being written finish, and ends the batch.

    Args:
        jobs: what to read and write, see `chromagan.inference.plan`.
        make_colorizer: builds the colorizer; it is called here, while the first photos are being decoded.
        options: how to write.
        report: told of each photo.

    Raises:
        ChromaganError: the colorizer cannot be built.
    """
    return _Batch(jobs, options, report).run(make_colorizer)


class _Batch:
    def __init__(self, jobs: Sequence[Job], options: BatchOptions, report: Report) -> None:
        self.options, self.outcome = options, Outcome()
        self._jobs: Iterator[Job] = iter(jobs)
        self._report, self._lock = report, threading.Lock()
        self._stop, self._ready = threading.Event(), threading.Event()
        self._budget = PixelBudget(PIXELS_IN_FLIGHT, self._stop)
        processors = _processors()
        self._readers = min(len(jobs), max(1, processors // 4))
        self._writers = min(len(jobs), max(2, processors // 2))
        self._reading = self._readers
        self._painters, self._threads = min(len(jobs), processors, SIDE_BY_SIDE), 0
        self._decoded: queue.Queue[_Item | None] = queue.Queue(2 * max(self._readers, self._painters))
        self._coloured: queue.Queue[_Item | None] = queue.Queue(self._writers)
        self._broken: BaseException | None = None  # what ended a painter's thread
        self.colorizer: Colorizer

    def run(self, make_colorizer: Callable[[], Colorizer]) -> Outcome:
        threads = [threading.Thread(target=self._read, name="reader") for _ in range(self._readers)]
        threads += [threading.Thread(target=self._write, name="writer") for _ in range(self._writers)]
        for thread in threads:
            thread.start()
        try:
            self.colorizer = make_colorizer()
            with self._divided_processors():
                self._ready.set()
                painters = [threading.Thread(target=self._paint, name="painter") for _ in range(1, self._painters)]
                threads += painters
                for thread in painters:
                    thread.start()
                self._colour()
                for thread in painters:
                    thread.join()
                if self._broken is not None:
                    raise self._broken
            for _ in range(self._writers):
                self._put(self._coloured, None)
        except KeyboardInterrupt:
            self.outcome.interrupted = True
            self._stop.set()
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._ready.set()
            for thread in threads:
                thread.join()
        return self.outcome

    @contextmanager
    def _divided_processors(self) -> Iterator[None]:
        """Give each of several painters its share of PyTorch's threads, and all of them back in the end."""
        import torch

        before = torch.get_num_threads()
        if self.colorizer.device.type != "cpu":
            self._painters = 1
        if self._painters > 1:
            self._threads = max(1, before // self._painters)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _take_share(self) -> None:
        """Bound the processors that PyTorch uses from the calling thread."""
        if self._threads:
            import torch

            torch.set_num_threads(self._threads)

    def _read(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                job = next(self._jobs, None)
            if job is None:
                break
            pixels = _header_pixels(job)
            self._budget.acquire(pixels)
            try:
                photos = job.load() if job.load else read_pages(job.source)
                actual = sum(photo.pixels.shape[0] * photo.pixels.shape[1] for photo in photos)
                self._budget.correct(actual - pixels)
                pixels = actual
                _check_pages(job, photos)
                self._ready.wait()
                if self._stop.is_set():
                    break
                self._take_share()
                prepared = [self.colorizer.prepare(photo) for photo in photos]
            except Exception as error:
                self._settle(job, pixels, error)
                continue
            self._put(self._decoded, _Item(job, photos, prepared, pixels, []))
            # Names that outlive the loop's turn would keep a large photo in memory while the next one is read.
            del photos, prepared
        with self._lock:
            self._reading -= 1
            last = not self._reading
        if last:
            self._ready.wait()  # the number of painters stands from then on
            for _ in range(self._painters):
                self._put(self._decoded, None)

    def _paint(self) -> None:
        try:
            self._colour()
        except BaseException as error:
            self._broken = error
            self._stop.set()

    def _colour(self) -> None:
        """The network's stages, on the calling thread; takes what is decoded already, up to a batch."""
        self._take_share()
        most = max(1, self.colorizer.batch_size // self._painters)
        more = True
        while more:
            items: list[_Item] = []
            item = self._get(self._decoded)
            while item is not None:
                items.append(item)
                if len(items) == most:
                    break
                try:
                    item = self._decoded.get_nowait()
                except queue.Empty:
                    break
            more = item is not None  # None is the end, which every painter gets once
            if items:
                self._colour_items(items)

    def _colour_items(self, items: list[_Item]) -> None:
        try:
            answers = self.colorizer.predict([one.L for item in items for one in item.prepared])
            for item in items:
                mine, answers = answers[: len(item.prepared)], answers[len(item.prepared) :]
                item.grids = [self._checked(ab, one) for ab, one in zip(mine, item.prepared, strict=True)]
        except Exception as error:
            if len(items) == 1:
                self._settle(items[0].job, items[0].pixels, error)
                return
            # One photo's failure, or a batch too large for the memory: each by itself then.
            for item in items:
                self._colour_items([item])
            return
        for item in items:
            self._put(self._coloured, item)

    def _checked(self, ab: Any, prepared: Prepared) -> Any:
        if float(ab.abs().max()) < _NO_COLOUR:
            raise ModelError(
                f"model {self.colorizer.mark.model} answered gray for the whole photo, which is not saved as a "
                "colorization; try another --size or --model"
            )
        return self.colorizer.enlarge(ab, prepared).cpu()

    def _write(self) -> None:
        self._ready.wait()
        self._take_share()
        while (item := self._get(self._coloured)) is not None:
            try:
                self._write_item(item)
            except Exception as error:
                self._settle(item.job, item.pixels, error)
            else:
                self._settle(item.job, item.pixels, None)
            del item

    def _write_item(self, item: _Item) -> None:
        job, saturation = item.job, self.options.saturation
        pages = list(zip(item.photos, item.grids, strict=True))
        try:
            job.output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise WriteError(f"cannot make the folder {job.output.parent}: {reason}; choose another with -o") from error
        if job.layer:
            layers = [self.colorizer.finish(photo, ab, saturation, LAYER_LIGHTNESS) for photo, ab in pages]
            self._save(layers, job.layer)
            del layers
        done = [self.colorizer.finish(photo, ab, saturation) for photo, ab in pages]
        if job.compare:
            sheets = [compare_sheet(photo, coloured) for (photo, _), coloured in zip(pages, done, strict=True)]
            self._save(sheets, job.compare)
        # The colorized photo is written last: where it stands, the job is finished.
        item.photos.clear()
        del pages
        self._save(done, job.output)

    def _save(self, photos: list[Photo], path: Path) -> None:
        mark, keep = self.colorizer.mark, self.options.keep_metadata
        if len(photos) > 1:
            write_pages(photos, path, mark, keep)
        else:
            write_photo(photos[0], path, mark, keep, self.options.quality)

    def _settle(self, job: Job, pixels: int, error: Exception | None) -> None:
        self._budget.correct(-pixels)
        with self._lock:
            if error is None:
                self.outcome.done += 1
            else:
                self.outcome.failed += 1
            self._report(job, None if error is None else explain(job, error))

    def _put(self, target: queue.Queue[_Item | None], item: _Item | None) -> None:
        while not self._stop.is_set():
            try:
                target.put(item, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return

    def _get(self, source: queue.Queue[_Item | None]) -> _Item | None:
        while not self._stop.is_set():
            try:
                return source.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
        return None


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


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
