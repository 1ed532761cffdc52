"""One shard of an archive, painted by one `Colorizer`: plain functions, which any engine may call on any machine."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chromagan.apps.archive.attempts import Attempts
from chromagan.apps.archive.given import Row
from chromagan.apps.archive.manifest import read_shard
from chromagan.apps.archive.order import Order
from chromagan.apps.archive.status import DONE, FAILED, IN_COLOUR, LEFT_GRAY, MARKED, Status, add_status, read_status
from chromagan.compute.threads import ahead
from chromagan.errors import ChromaganError, LeftGray, ReadError, WriteError, describe, words_of
from chromagan.files.stores import Place, filesystem, is_local, read_uri
from chromagan.files.suffixes import UNREAD
from chromagan.images.metadata import ProvenanceMark, read_provenance
from chromagan.images.read import Photo, lacks_grays, read_pages
from chromagan.images.tint import is_tinted
from chromagan.images.write import encode_pages
from chromagan.inference.batch import photo_pipeline
from chromagan.inference.batch_plan import Job
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.kept import own_colours
from chromagan.inference.sinks import Pages, Painter

AHEAD = 8  # photos that are fetched while others are painted
_COLOURED = 0.05  # share of a photo with colours of its own; a stamp or a stain on a gray one is less


class InColour(ChromaganError):  # noqa: N818 (a finding rather than a mistake)
    """A photo that is in colour already."""


class Marked(ChromaganError):  # noqa: N818
    """An output of this program."""


_STATUS: tuple[tuple[type[Exception], str], ...] = ((InColour, IN_COLOUR), (Marked, MARKED), (LeftGray, LEFT_GRAY))


def colorize_shard(order: Order, shard: str, colorizer: Colorizer) -> Iterator[list[Status]]:
    """Paint the photos of a shard that have no status yet, and keep their status as it comes.

    Whoever is killed on the way, or comes twice, loses or spoils nothing: what has a status is passed over, an output
    has one name and stands there whole.

    Args:
        order: what is asked for.
        shard: a name of `chromagan.apps.archive.manifest.shards_of`.
        colorizer: that paints.

    Yields:
        The status of every photo of the shard, some at a time, each when it is kept.

    Raises:
        WriteError: the status cannot be kept.
    """
    out, asked = Place(order.out), order.digest(colorizer.mark)
    told = list(read_status(out, shard).values())
    known = {one.id: replace(one, other=one.order != asked) for one in told if _is_final(one, asked, order.overwrite)}
    if known:
        yield list(known.values())
    rows = [row for row in read_shard(out, shard) if row["id"] not in known]
    made = {one.id for one in told if one.status == DONE}
    attempts = Attempts(out, shard)
    if attempts.careful:
        yield from _one_by_one(order, shard, rows, colorizer, attempts, made)
    elif rows:
        with attempts.marked():
            yield from _kept(order, shard, colorize_rows(order, rows, colorizer, made), order.status_seconds)
    attempts.clear()


def _kept(order: Order, shard: str, done: Iterable[Status], seconds: float) -> Iterator[list[Status]]:
    """Rows in lists, each when it is kept."""
    out, kept, since = Place(order.out), list[Status](), time.monotonic()
    for one in done:
        kept.append(one)
        if time.monotonic() - since >= seconds:
            add_status(out, shard, kept)
            yield kept
            kept, since = [], time.monotonic()
    if kept:
        add_status(out, shard, kept)
        yield kept


def _one_by_one(
    order: Order, shard: str, rows: Sequence[Row], colorizer: Colorizer, attempts: Attempts, made: Collection[str]
) -> Iterator[list[Status]]:
    """As `colorize_rows`, kept after each, so that a photo that ends the process is known by its name."""
    for row in rows:
        if attempts.ended(row["id"]):
            told = {"id": row["id"], "uri": row["uri"], "order": order.digest(colorizer.mark), "seconds": time.time()}
            error = ReadError(f"{row['id']}: the process that painted it ended at once; look at the file")
            yield from _kept(order, shard, [_unpainted(told, error)], 0)
            continue
        with attempts.marked(row["id"]):
            yield from _kept(order, shard, colorize_rows(order, [row], colorizer, made), 0)


def colorize_rows(
    order: Order, rows: Sequence[Row], colorizer: Colorizer, made: Collection[str] = ()
) -> Iterator[Status]:
    """Paint photos into the output folder; whatever goes wrong with one of them is in its row.

    Args:
        order: what is asked for.
        rows: uri, id and size of each.
        colorizer: that paints.
        made: ids whose outputs are known to be this program's; other outputs are asked for their mark.

    Yields:
        The status of each photo, as they are done.
    """
    if not rows:
        return
    asked, deliver = order.digest(colorizer.mark), _Deliver(order, Place(order.out), made)
    pool = ThreadPoolExecutor(AHEAD)
    try:
        fetched = ahead(pool, _fetch, rows, AHEAD)
        jobs = (_job(order, row, *found) for row, found in zip(rows, fetched, strict=True))
        for item in photo_pipeline(jobs, lambda: colorizer, deliver, processors=order.processors).stream():
            told = {"order": asked, "seconds": time.time(), **item.job.told}
            yield Status(**told) if item.error is None else _unpainted(told, item.error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _is_final(status: Status, asked: str, overwrite: bool) -> bool:
    return status.status != FAILED and (status.order == asked or not overwrite)


def _fetch(row: Row) -> tuple[bytes, Exception | None]:
    """A photo's file, or why there is none."""
    try:
        fs, path = filesystem(row["uri"])
        if is_local(fs) and not Path(path).is_file():
            return b"", None  # reading it says what it is
        return read_uri(row["uri"]), None
    except Exception as error:
        return b"", error


def _job(order: Order, row: Row, content: bytes, error: Exception | None) -> Job:
    name = Path(row["id"])
    told = {"id": row["id"], "uri": row["uri"], "status": DONE, "output": order.output_name(row["id"])}
    told["read"] = len(content)
    load = partial(_load, order, row, [content], error, told)
    return Job(name, Path(told["output"]), load=load, request=order.request, told=told)


def _load(order: Order, row: Row, box: list[bytes], error: Exception | None, told: dict[str, Any]) -> list[Photo]:
    """A photo's pages, if it is one to be painted; its file leaves the memory."""
    if error is not None:
        said = words_of(error) or type(error).__name__
        raise ReadError(f"{row['id']}: cannot be read ({said}); check the store and run it again") from error
    # 1. What a person sees at once; what is no file at a local path is told by opening it.
    name, content = Path(row["id"]), box.pop()
    if name.suffix.lower() in UNREAD:
        raise ReadError(f"{name}: {UNREAD[name.suffix.lower()]}")
    if not content and "://" not in row["uri"]:
        return read_pages(row["uri"])
    if read_provenance(name, content) is not None:
        raise Marked(f"{name}: it carries the mark of this program")
    # 2. What its pixels say.
    photos = read_pages(name, content=content)
    told["pixels"] = sum(photo.pixels.shape[0] * photo.pixels.shape[1] for photo in photos)
    if not order.recolour and any(map(_is_in_colour, photos)):
        raise InColour(f"{name}: it is in colour")
    return photos


def _is_in_colour(photo: Photo) -> bool:
    """Whether a good part of a photo has colours, and not one tint, as sepia is."""
    if photo.pixels.ndim == 2:
        return False
    return float(np.mean(own_colours(photo.pixels) > 127)) > _COLOURED and not is_tinted(photo.pixels)


@dataclass(frozen=True)
class _Deliver:
    """Puts what is painted into the store; see `chromagan.inference.sinks.Sink`."""

    order: Order
    out: Place
    made: Collection[str]

    def __call__(self, job: Job, pages: Pages, colorizer: Painter) -> None:
        mark = colorizer.mark_of(job.request)
        marks = [None if len(pages) > 1 and lacks_grays(photo) else mark for photo, _ in pages]
        done = [replace(photo, pixels=walk.end(spend=True)) for photo, walk in pages]
        pages.clear()
        data = encode_pages(done, job.output, marks, self.order.keep_metadata, self.order.quality)
        name = str(job.output.as_posix())
        job.told["written"] = len(data)
        known = job.told["id"] in self.made
        if self.out.put(name, data, replace=self.order.overwrite and known):
            return
        there = self._mark_of(name)
        if there is None:  # a photo itself, as where a manifest's ids lead to the inputs
            raise WriteError(f"{self.out.uri}/{name}: a file that this program did not make stands there; move it away")
        if self.order.overwrite:
            self.out.put(name, data)
        # Otherwise someone was faster: a worker that was taken for dead, or one that was killed before it could say so.
        elif _made(there) != _made(mark):
            raise WriteError(
                f"{self.out.uri}/{name}: what other options made stands there; use --overwrite or another -o"
            )

    def _mark_of(self, name: str) -> ProvenanceMark | None:
        try:
            return read_provenance(name, self.out.read(name))
        except ReadError:  # no photo
            return None


def _made(mark: ProvenanceMark) -> tuple[str, str, str]:
    return mark.model, mark.sha256, mark.request


def _unpainted(told: dict[str, Any], error: BaseException) -> Status:
    status = next((word for kind, word in _STATUS if isinstance(error, kind)), FAILED)
    said = words_of(error) if isinstance(error, ChromaganError) else describe(error)
    return Status(**{**told, "status": status, "output": "", "error": said, "written": 0})


def here(order: Order, shards: Iterable[str]) -> Iterator[list[Status]]:
    """Paint shards in this process, one after another: an engine without a cluster, or a task of a Slurm array."""
    colorizer = load_colorizer(order)
    for shard in shards:
        yield from colorize_shard(order, shard, colorizer)


def load_colorizer(order: Order) -> Colorizer:
    """The colorizer that an order asks for, which a worker keeps; PyTorch gets as many threads as it may use."""
    import torch

    torch.set_num_threads(order.processors)
    return Colorizer.from_pretrained(order.model, order.device, batch_size=order.batch_size)
