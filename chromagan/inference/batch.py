"""Many photos: their stages as a pipeline, which ends in files or in the program that asked.

Reader threads decode photos, one loads the model, preparers reduce them, painters run the network, writers join and
encode. On a CPU several photos go through the network side by side, each on its share of the processors: a small
convolution divided by all of them leaves them idle. PyTorch is imported when the first photo is being decoded already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sized
from dataclasses import replace
from typing import Any

from chromagan.errors import LeftGray, ReadError
from chromagan.images.read import Photo, check_grays, lacks_grays, read_pages
from chromagan.images.read_header import open_file, read_header
from chromagan.inference.batch_plan import Job
from chromagan.inference.explain import explain
from chromagan.inference.pipeline import Item, Outcome, Pipeline, Stage
from chromagan.inference.sinks import Files, Painter, Sink, hand_over

PIXELS_IN_FLIGHT = 64_000_000
SIDE_BY_SIDE = 4  # photos in the network at once, at most

Report = Callable[[Job, Exception | None], None]
"""Told of each photo when it is done, with the error where it failed; called by the thread that called."""


def colorize_files(
    jobs: Iterable[Job], make_colorizer: Callable[[], Painter], report: Report, files: Files | None = None
) -> Outcome:
    """Colorize photos into files.

    Every file appears under its name only when it is complete. A photo that fails, in whatever way, is reported and the
    rest goes on. Ctrl-C gives the photos that are being written one second, and ends the batch; threads that hang are
    left behind.

    Args:
        jobs: what to read and write, see `chromagan.inference.batch_plan`.
        make_colorizer: builds the colorizer; it is called once, while the first photos are being decoded.
        report: told of each photo.
        files: how to write.

    Raises:
        ChromaganError: the colorizer cannot be built, or the program itself failed; the message names the cause.
    """
    return photo_pipeline(jobs, make_colorizer, files or Files()).run(report)


def stream(jobs: Iterable[Job], colorizer: Painter) -> Iterator[list[list[Any]]]:
    """Colorize photos one after another, in their order, while the next ones are read and painted.

    Args:
        jobs: each with its `load`; asked for as they are needed.
        colorizer: that paints them.

    Yields:
        For each job what `Colorizer.colorize` gives for its pages.

    Raises:
        ChromaganError: a photo failed; those before it have been given.
    """
    for item in photo_pipeline(jobs, lambda: colorizer, hand_over, ordered=True).stream():
        if item.error is not None:
            raise item.error
        yield item.value


def photo_pipeline(
    jobs: Iterable[Job],
    make_colorizer: Callable[[], Painter],
    sink: Sink,
    ordered: bool = False,
    processors: int | None = None,
) -> Pipeline:
    """The stages of photos, with threads for so many processors; see `chromagan.inference.pipeline.Pipeline`."""
    photos = PhotoStages(make_colorizer, sink)
    # Threads of each stage: a share of the processors, and no more than there are photos.
    processors, most = processors or count_processors(), max(1, len(jobs)) if isinstance(jobs, Sized) else SIDE_BY_SIDE
    readers, writers = min(most, max(1, processors // 4)), min(most, max(2, processors // 2))
    photos.painters = painters = min(most, processors, SIDE_BY_SIDE)
    stages = [
        Stage("reader", photos.read, lambda: readers, room=2 * max(readers, painters)),
        Stage("preparer", photos.prepare, lambda: readers, room=2 * max(readers, painters)),
        Stage("painter", photos.paint, lambda: photos.painters, room=writers, most=photos.batch, alike=_shape),
        Stage("writer", photos.write, lambda: writers, room=0),
    ]
    return Pipeline(
        jobs, stages, weigh=_header_pixels, budget=PIXELS_IN_FLIGHT, load=photos.load, enter=photos.threads.enter,
        leave=photos.threads.give_back, explain=explain, ordered=ordered,
    )  # fmt: skip


class PhotoStages:
    """What each stage does to photos; the value of an item is a list of pages, each with its way.

    Args:
        make_colorizer: builds the colorizer, once.
        sink: takes what is painted.

    Attributes:
        painters: photos in the network at once.
        threads: PyTorch's own threads, divided by them.
    """

    colorizer: Painter
    painters: int = 1

    def __init__(self, make_colorizer: Callable[[], Painter], sink: Sink) -> None:
        self._make_colorizer, self._sink, self.threads = make_colorizer, sink, TorchThreads()

    def load(self) -> None:
        """Have the colorizer made, while the first photos are being read."""
        self.colorizer = self._make_colorizer()
        if self.colorizer.device.type != "cpu":
            self.painters = 1
        self.threads.divide(self.painters)

    def batch(self) -> int:
        """How many photos one painter takes together."""
        return max(1, self.colorizer.batch_size // self.painters)

    def read(self, items: list[Item]) -> None:
        """Decode the pages of photos."""
        for item in items:
            photos = _pages(item.job)
            item.weight = sum(photo.pixels.shape[0] * photo.pixels.shape[1] for photo in photos)
            if len(photos) > 1 and item.job.output.suffix.lower() not in (".tif", ".tiff"):
                raise ReadError(f"{item.job.source} has {len(photos)} pages, which only TIFF holds; use --format tiff")
            item.value = photos

    def prepare(self, items: list[Item]) -> None:
        """Reduce photos to what the network sees."""
        for item in items:
            item.value = [(photo, self.colorizer.start(photo, item.job.request)) for photo in item.value]

    def paint(self, items: list[Item]) -> None:
        """Find their colours."""
        walks = [walk for item in items for _, walk in item.value]
        self.colorizer.answer(walks)
        if any(walk.gray for walk in walks):
            raise LeftGray(
                f"model {self.colorizer.mark.model} answered gray for the whole photo, which is not saved as a "
                "colorization; try another --size or --model"
            )

    def write(self, items: list[Item]) -> None:
        """Join them with the pixels, and hand them to the sink."""
        for item in items:
            item.value = self._sink(item.job, item.value, self.colorizer)


def _pages(job: Job) -> list[Photo]:
    """A job's pages, of which one has grays to colour; black and white ones among them stay as they are."""
    photos = job.load() if job.load else read_pages(job.source, job.most_pixels, job.accept_truncated)
    blank = [number for number, photo in enumerate(photos, 1) if lacks_grays(photo)]
    if len(blank) == len(photos):
        check_grays(photos[0])
    if blank:
        words = f"black and white alone, and left as they are: page {', '.join(map(str, blank))}"
        photos[0] = replace(photos[0], notes=(*photos[0].notes, words))
    return photos


def _shape(item: Item) -> Hashable:
    """Photos whose pages are seen at one shape share a batch."""
    return tuple(walk.prepared.L.shape for _, walk in item.value)


def _header_pixels(job: Job) -> int:
    """The first page's pixels by its header; the budget is corrected after decoding."""
    if job.load:
        return 0
    try:
        with open_file(job.source) as file:
            header = read_header(file, str(job.source))
    except ReadError:
        return 0  # reading the photo says what is wrong with it
    # Some damaged headers hold several numbers where one should be; reading the photo says that, too.
    return header.width * header.height if isinstance(header.width, int) and isinstance(header.height, int) else 0


class TorchThreads:
    """Gives threads that work side by side equal shares of PyTorch's own threads, on the device their caller chose.

    Made by the caller; PyTorch is imported later, by one of the threads.
    """

    def __init__(self) -> None:
        self._all = self._share = 0
        torch = sys.modules.get("torch")
        used = torch is not None and torch.cuda.is_initialized()
        self._cuda: int | None = torch.cuda.current_device() if torch is not None and used else None

    def divide(self, count: int) -> None:
        """From now on, `enter` gives each thread its share of so many; 1 leaves all as it is."""
        import torch

        self._all = torch.get_num_threads()
        self._share = max(1, self._all // count) if count > 1 else 0

    def enter(self) -> None:
        """Set the calling thread up."""
        import torch

        if self._share:
            torch.set_num_threads(self._share)
        if self._cuda is not None:
            torch.cuda.set_device(self._cuda)

    def give_back(self) -> None:
        """Let the calling thread, and those that it starts, have all of the processors again."""
        if self._share:
            import torch

            torch.set_num_threads(self._all)


def count_processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
