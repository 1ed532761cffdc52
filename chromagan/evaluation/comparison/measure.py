"""The engine of a comparison: streams images through threads, keeps numbers alone, and shares work over processes.

Images are dealt in blocks. Within a process, threads read ahead and measure; networks (models to be measured, LPIPS,
those of collectors) run in the main thread. Memory holds a few images for each thread, whatever their number.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from chromagan.compute.distributed import gather, rank, world_size
from chromagan.errors import ChromaganError, DataError
from chromagan.evaluation.baselines import as_rgb, constant_colour, gray_of_8bit, mean_ab, mean_of_means
from chromagan.evaluation.comparison.journal import Journal, files_digest
from chromagan.evaluation.comparison.plan import Measured, Plan
from chromagan.evaluation.comparison.set_states import SetStates
from chromagan.images.read import read_photo
from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.metrics.lab_8bit import lab_of_8bit
from chromagan.metrics.metric import NetworkMetric, Pair, Picture, PictureMetric, Shown, measure_pair

T = TypeVar("T")
U = TypeVar("U")
BLOCK = 16
"""Images that go to one process together; a constant, so that batches do not depend on the number of processes."""


@dataclass
class _Image:
    """One image on its way: pictures by method, then figures by method."""

    index: int
    digest: str
    truth: Shown
    gray: Shown
    gray_plane: NDArray[np.uint8]
    pictures: dict[str, Picture]
    figures: dict[str, dict[str, float]]


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


def measure(plan: Plan) -> Measured:
    """Measure every picture of every method; every process calls this, and all get the same figures.

    Collectors hold everything in the first process afterwards.

    Raises:
        ChromaganError: a picture cannot be read or has another size than its truth, a model fails, the journal is of
            another configuration. Where one process raises, all do.
    """
    engine: _Engine | None = None
    error: ChromaganError | None = None
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # images are what threads share here
    try:
        try:
            engine = _Engine(plan)
            engine.find_mean_ab()
        except ChromaganError as problem:
            error = problem
        _raise_together(error)
        assert engine is not None
        engine.ab = engine.share_mean_ab()
        try:
            engine.run()
        except ChromaganError as problem:
            error = problem
        _raise_together(error)
        return engine.share()
    finally:
        cv2.setNumThreads(threads)
        if engine is not None:
            engine.close()


def _raise_together(error: ChromaganError | None) -> None:
    """A process that fails tells the others, which would wait for it for ever."""
    messages = gather(None if error is None else str(error))
    if error is not None:
        raise error
    found = [message for message in messages if message is not None]
    if found:
        raise DataError(found[0])


class _Engine:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.pairs = plan, plan.pairs
        count = len(self.pairs.images)
        figures = plan.figures.values()
        self.figures = tuple(plan.figures)
        self._plain = [figure for figure in figures if isinstance(figure, PictureMetric)]
        self._by_network = [figure for figure in figures if isinstance(figure, NetworkMetric)]
        self.values = {method: np.full((count, len(self.figures)), np.nan) for method in plan.methods}
        self.sizes = np.zeros((count, 2), np.int64)
        self.ab = (0.0, 0.0)
        blocks = [list(range(start, min(start + BLOCK, count))) for start in range(0, count, BLOCK)]
        self._blocks = blocks[rank() :: world_size()]
        self._mean_ab: dict[int, tuple[float, float]] = {}
        self._journal = Journal(plan.out, plan.settings, rank()) if plan.out is not None else None
        self._sets = SetStates(plan.collectors, plan.out, rank())
        self._pool = ThreadPoolExecutor(plan.workers)
        self._depth = 2 * plan.workers

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._journal is not None:
            self._journal.close()

    # The mean colour, in a pass over the truths.

    def find_mean_ab(self) -> None:
        mine = [index for block in self._blocks for index in block]
        with self._bar(len(mine), "mean colour") as bar:
            for index, ab, size, digest, known in ahead(self._pool, self._mean_ab_of, mine, self._depth):
                self._mean_ab[index], self.sizes[index] = ab, size
                if self._journal is not None and not known:
                    content = {"ab": list(ab), "size": list(size)}
                    self._journal.add("truth", self.pairs.images[index], digest, content)
                bar.update()

    def _mean_ab_of(self, index: int) -> tuple[int, tuple[float, float], tuple[int, int], str, bool]:
        path = self.pairs.truth[index]
        digest = files_digest([path])
        known = self._journal.find("truth", self.pairs.images[index], digest) if self._journal is not None else None
        if known is not None:
            return index, tuple(known["ab"]), tuple(known["size"]), digest, True
        truth = self._read(path)
        return index, mean_ab(lab_of_8bit(truth)), truth.shape[:2], digest, False

    def share_mean_ab(self) -> tuple[float, float]:
        found = {index: ab for part in gather(self._mean_ab) for index, ab in part.items()}
        return mean_of_means(found[index] for index in range(len(self.pairs.images)))

    # The figures.

    def run(self) -> None:
        self._colours = constant_colour(self.ab)
        jobs, digests = self._todo()
        with self._bar(sum(len(block) for block in self._blocks), "images") as bar:
            bar.update(sum(len(block) for block in self._blocks) - len(jobs))
            if self._needs_main_thread():
                loaded = ahead(self._pool, self._load, jobs, self._depth)
                images = ahead(self._pool, self._measure, self._in_main_thread(loaded, digests), self._depth)
            else:
                images = ahead(self._pool, lambda job: self._measure(self._load(job)), jobs, self._depth)
            for image in images:
                self._record(image)
                bar.update()
        self._sets.save(digests)

    def _todo(self) -> tuple[list[tuple[int, str, bool]], dict[int, str]]:
        """Images to load, each with its digest and whether its figures are needed; and the digests of all."""
        jobs = []
        digests: dict[int, str] = {}
        everything = range(len(self.pairs.images)) if self.plan.collectors else [i for b in self._blocks for i in b]
        for index in everything:
            files = [self.pairs.truth[index], *(made[index] for made in self.pairs.predictions.values())]
            digests[index] = files_digest(files)
        held = self._sets.restore(digests, self.ab)
        for block in self._blocks:
            again = not set(block) <= held if self.plan.collectors else False
            for index in block:
                known = self._known(index, digests[index])
                if again or not known:
                    jobs.append((index, digests[index], not known))
        return jobs, digests

    def _known(self, index: int, digest: str) -> bool:
        image = self.pairs.images[index]
        content = None if self._journal is None else self._journal.find("image", image, digest)
        if content is None or tuple(content["mean_ab"]) != self.ab:
            return False
        for method, values in content["figures"].items():
            self.values[method][index] = [values[name] for name in self.figures]
        return True

    def _needs_main_thread(self) -> bool:
        return bool(self.plan.painters or self.plan.collectors or self._by_network)

    def _load(self, job: tuple[int, str, bool]) -> _Image:
        index, digest, needed = job
        truth = self._read(self.pairs.truth[index])
        gray = gray_of_8bit(truth)
        pictures = {method: self._read(made[index]) for method, made in self.pairs.predictions.items()}
        for method, picture in pictures.items():
            self._check(index, method, picture, truth)
        shown = Shown(self._prepare(as_rgb(gray)))
        image = _Image(index, digest, Shown(truth), shown, gray, pictures, {})
        if needed:
            image.figures = {method: {} for method in self.plan.methods}
        return image

    def _in_main_thread(self, images: Iterable[_Image], digests: dict[int, str]) -> Iterator[_Image]:
        """Runs networks on every image; blocks come whole where there are collectors."""
        last = {block[-1] for block in self._blocks}
        for image in images:
            for painter in self.plan.painters:
                answers = painter.paint(image.gray_plane, image.truth.pixels, self.pairs.images[image.index])
                for name, answer in zip(painter.names, answers, strict=True):
                    image.pictures[name] = self._prepare(answer)
                    self._check(image.index, name, image.pictures[name], image.truth.pixels)
            if image.figures:
                self._judge(image)
            for collector in self.plan.collectors:
                for method in self.plan.methods:
                    collector.update(image.index, method, self._picture(image, method), image.truth.pixels)
            if self.plan.collectors and image.index in last:
                for collector in self.plan.collectors:
                    collector.flush()
                block = range(image.index - image.index % BLOCK, image.index + 1)
                self._sets.block_done(block, digests)
            yield image

    def _judge(self, image: _Image) -> None:
        for metric in self._by_network:
            if min(image.truth.pixels.shape[:2]) < metric.smallest_side:
                distances = [float("nan")] * len(self.plan.methods)
            else:
                pictures = np.stack([self._picture(image, method) for method in self.plan.methods])
                batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).to(self.plan.device)
                truth = torch.from_numpy(image.truth.pixels).permute(2, 0, 1).to(self.plan.device)
                distances = self.plan.networks[metric.name](batch, truth.expand_as(batch)).tolist()
            for method, distance in zip(self.plan.methods, distances, strict=True):
                image.figures[method][metric.name] = distance

    def _measure(self, image: _Image) -> _Image:
        for method in image.figures:
            known = {"truth": image.truth, "gray": image.gray}
            pair = Pair(known.get(method) or Shown(self._picture(image, method)), image.truth, image.gray)
            image.figures[method] |= measure_pair(pair, self._plain)
        return image

    def _picture(self, image: _Image, method: str) -> Picture:
        if method == "truth":
            return image.truth.pixels
        if method == "gray":
            return image.gray.pixels
        if method == "mean ab":
            return self._prepare(self._colours[image.gray_plane])
        return image.pictures[method]

    def _record(self, image: _Image) -> None:
        if not image.figures:
            return
        for method, values in image.figures.items():
            self.values[method][image.index] = [values[name] for name in self.figures]
        if self._journal is not None:
            content = {"mean_ab": list(self.ab), "figures": image.figures}
            self._journal.add("image", self.pairs.images[image.index], image.digest, content)

    def share(self) -> Measured:
        """Bring together what the processes found."""
        mine = np.array([index for block in self._blocks for index in block], np.int64)
        parts = gather((mine, {method: values[mine] for method, values in self.values.items()}, self.sizes[mine]))
        for indices, values, sizes in parts:
            self.sizes[indices] = sizes
            for method, rows in values.items():
                self.values[method][indices] = rows
        self._sets.share()
        return Measured(self.plan.figures, self.values, self.sizes, self.ab)

    def _read(self, path: Path) -> Picture:
        return self._prepare(to_8bit_rgb(read_photo(path).pixels))

    def _prepare(self, picture: Picture) -> Picture:
        return np.ascontiguousarray(self.plan.protocol.prepare(picture))

    def _check(self, index: int, method: str, picture: Picture, truth: Picture) -> None:
        if picture.shape != truth.shape:
            raise DataError(
                f"{method}: {self.pairs.images[index]} has {picture.shape[0]} x {picture.shape[1]} pixels and its "
                f"truth {truth.shape[0]} x {truth.shape[1]}; give pictures of the same size"
            )

    def _bar(self, total: int, unit: str) -> tqdm:
        shown = self.plan.progress and rank() == 0
        return tqdm(total=total, desc=unit, unit="image", disable=None if shown else True, leave=False)
