"""Where colorized photos go: files, or the program that asked for them."""

from __future__ import annotations

import logging
import math
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
CELL_SIDE, _LINE = 512, 28  # of a contact sheet's cells: the longest side, the height of the line with the name


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
        _tell_references(job, pages)
        pictures, cells = job.pictures, []
        for number, picture in enumerate(pictures):
            last = number + 1 == len(pictures)
            mark = colorizer.mark_of(picture.request)
            marks = [None if len(pages) > 1 and lacks_grays(photo) else mark for photo, _ in pages]
            done = self._beside(picture, pages, marks, number, last)
            if number:
                done = [silent(photo, photo.pixels) for photo in done]  # what a photo lost is said once
            # The colorized photo is written last: where the last one stands, the job is finished.
            if job.sheet:
                cells.append(labelled(done[0], f"v{number + 1}"))
                if last:
                    self._save([contact_sheet(done[0], cells)], job.sheet, [colorizer.mark_of(job.request)])
            if last:
                pages.clear()
            self._save(done, picture.output, marks)
        if self.keep_date and job.load is None:
            _date_like(job.source, job.outputs)

    def _beside(
        self, job: Job, pages: Pages, marks: list[ProvenanceMark | None], number: int, last: bool
    ) -> list[Photo]:
        """Write what goes beside one picture, and make the picture itself."""
        if job.layer:
            layers = [silent(photo, walk.end(LAYER_LIGHTNESS, number=number)) for photo, walk in pages]
            self._save(layers, job.layer, marks)
        # What the program decoded for itself is written over: a large photo is then in memory once.
        own = last and job.load is None and not job.compare
        done = [replace(photo, pixels=walk.end(spend=own, number=number)) for photo, walk in pages]
        if job.compare:
            sheets = [compare_sheet(photo, coloured) for (photo, _), coloured in zip(pages, done, strict=True)]
            self._save(sheets, job.compare, marks)
        return done

    def _save(self, photos: list[Photo], path: Path, marks: list[ProvenanceMark | None]) -> None:
        if len(photos) > 1:
            write_pages(photos, path, marks, self.keep_metadata)
        else:
            write_photo(photos[0], path, marks[0], self.keep_metadata, self.quality, spend=True)


def _tell_references(job: Job, pages: Pages) -> None:
    """One line of what the references did, and the same in figures for whoever reports."""
    found = [one for _, walk in pages for one in walk.ground.influences]
    if not found:
        return
    job.told["references"] = [
        {"name": one.name, "score": round(one.score, 3), "share": round(one.share, 3),
         "same_scene": round(one.same_scene, 3)}
        for one in found
    ]  # fmt: skip
    words = (
        f"{one.name}: score {one.score:.2f}, share {one.share:.0%}{', the same scene' if one.same_scene else ''}"
        for one in found
    )
    log.info("%s: references: %s", job.source, "; ".join(words))


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


def labelled(photo: Photo, label: str) -> NDArray[np.uint8]:
    """A cell of a contact sheet: a photo, RGB of 8 bits, over a line with its name."""
    pixels = _reduced(photo.pixels, CELL_SIDE)
    pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257) if pixels.dtype == np.uint16 else pixels
    line = np.full((_LINE, pixels.shape[1], 3), 255, np.uint8)
    cv2.putText(line, label, (4, _LINE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate((pixels, line))


def contact_sheet(photo: Photo, cells: Sequence[NDArray[np.uint8]]) -> Photo:
    """Pictures of one photo beside each other, in rows of about the shape of a screen.

    Args:
        photo: whose metadata it carries.
        cells: of `labelled`, all of one size.
    """
    height, width = cells[0].shape[:2]
    columns = min(len(cells), max(1, round(math.sqrt(len(cells) * height / width * 1.5))))
    empty = np.full_like(cells[0], 255)
    filled = [*cells, *[empty] * (-len(cells) % columns)]
    rows = [np.concatenate(filled[start : start + columns], axis=1) for start in range(0, len(filled), columns)]
    return replace(silent(photo, np.concatenate(rows)), alpha=None)


def _reduced(pixels: NDArray[Any], side: int = SHEET_SIDE) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels if pixels.ndim == 3 else cv2.merge([pixels] * 3)
