"""Where colorized photos go: files, or the program that asked for them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.errors import WriteError
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import Photo, lacks_grays
from chromagan.images.write import write_pages, write_photo
from chromagan.inference.batch_plan import Job
from chromagan.inference.request import Request

if TYPE_CHECKING:
    import torch

    from chromagan.inference.stages import Walk

log = logging.getLogger(__name__)

LAYER_LIGHTNESS = 60.0
SHEET_SIDE = 2048  # of each half, at most


class Painter(Protocol):
    """What a batch needs of a `Colorizer`, whose methods these are."""

    device: torch.device
    batch_size: int
    mark: ProvenanceMark

    def start(self, photo: Photo, request: Request) -> Walk:
        """See `Colorizer`."""

    def answer(self, walks: Sequence[Walk]) -> None:
        """See `Colorizer`."""

    def end(self, photo: Photo, walk: Walk) -> Any:
        """See `Colorizer`."""

    def mark_of(self, request: Request) -> ProvenanceMark:
        """See `Colorizer`."""


Pages = list[tuple[Photo, "Walk"]]
Sink = Callable[[Job, Pages, Painter], Any]
"""The end of a photo's way: takes a job and its pages, each with its way; the list may be emptied, to free memory."""


@dataclass(frozen=True)
class Files:
    """Writes the files that a job names.

    Attributes:
        keep_metadata: carry EXIF, XMP, IPTC and resolution over; the provenance mark is always written.
        quality: of lossy formats, 1 to 100.
        keep_date: give the files the date of the photo's file.
    """

    keep_metadata: bool = True
    quality: int = 95
    keep_date: bool = False

    def __call__(self, job: Job, pages: Pages, colorizer: Painter) -> None:
        """See `Sink`; `WriteError` where a file cannot be written."""
        try:
            job.output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise WriteError(f"cannot make the folder {job.output.parent}: {reason}; choose another with -o") from error
        mark = colorizer.mark_of(job.request)
        marks = [None if len(pages) > 1 and lacks_grays(photo) else mark for photo, _ in pages]
        if job.layer:
            layers = [silent(photo, walk.end(LAYER_LIGHTNESS)) for photo, walk in pages]
            self._save(layers, job.layer, marks)
        # What the program decoded for itself is written over: a large photo is then in memory once.
        own = job.load is None and not job.compare
        done = [replace(photo, pixels=walk.end(spend=own)) for photo, walk in pages]
        if job.compare:
            sheets = [compare_sheet(photo, coloured) for (photo, _), coloured in zip(pages, done, strict=True)]
            self._save(sheets, job.compare, marks)
        # The colorized photo is written last: where it stands, the job is finished.
        pages.clear()
        self._save(done, job.output, marks)
        if self.keep_date and job.load is None:
            _date_like(job.source, job.outputs)

    def _save(self, photos: list[Photo], path: Path, marks: list[ProvenanceMark | None]) -> None:
        if len(photos) > 1:
            write_pages(photos, path, marks, self.keep_metadata)
        else:
            write_photo(photos[0], path, marks[0], self.keep_metadata, self.quality, spend=True)


def _date_like(source: Path, outputs: Sequence[Path]) -> None:
    try:
        status = source.stat()
        for path in outputs:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError as error:
        log.warning("%s: its date could not be kept (%s)", source, error.strerror or error)


def hand_over(job: Job, pages: Pages, colorizer: Painter) -> list[list[Any]]:
    """Hand the pictures over to the program: for each page what `Colorizer.colorize` gives. See `Sink`."""
    return [colorizer.end(photo, walk) for photo, walk in pages]


def silent(photo: Photo, pixels: NDArray[Any]) -> Photo:
    """Other pixels for a photo; what it lost is said where the colorized photo is written."""
    return replace(photo, pixels=pixels, notes=(), metadata=replace(photo.metadata, lost=()))


def compare_sheet(before: Photo, after: Photo) -> Photo:
    """A photo before | after, RGB without alpha at its depth; each half has at most 2048 pixels on its long side."""
    halves = [_reduced(photo.pixels) for photo in (before, after)]
    return replace(silent(after, np.concatenate(halves, axis=1)), alpha=None)


def _reduced(pixels: NDArray[Any]) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    scale = SHEET_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels if pixels.ndim == 3 else cv2.merge([pixels] * 3)
