"""The engine of every evaluation: pairs -> paint -> metrics, streamed through threads and shared over processes.

Images are dealt in blocks. Within a process, threads read ahead and measure; networks (painters, those of metrics) run
in the main thread. Memory holds a few images for each thread, whatever their number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from chromagan.compute.threads import ahead
from chromagan.errors import ChromaganError, DataError
from chromagan.evaluation.baselines import as_rgb, constant_colour, gray_of_8bit, mean_ab, mean_of_means
from chromagan.evaluation.comparison import Comparison, Measured, Ranks, Unpainted
from chromagan.evaluation.store import Digests, SetStates, Store, files_digest, settings_digest
from chromagan.images.read import read_photo
from chromagan.metrics.eight_bit import lab_of_8bit, to_8bit_rgb
from chromagan.metrics.metric import NetworkMetric, Pair, Picture, PictureMetric, Shown, measure_pair


@dataclass(frozen=True)
class _Wanted:
    """What is not known of an image: methods whose figures are missing, and methods that collectors do not hold."""

    index: int
    figures: Sequence[str]
    collected: Sequence[str]


@dataclass
class _Image:
    """One image on its way: pictures by method, then figures by method (none where they are known already)."""

    wanted: _Wanted
    truth: Shown
    gray: Shown
    gray_plane: NDArray[np.uint8]
    pictures: dict[str, Picture]
    figures: dict[str, dict[str, float]]

    @property
    def index(self) -> int:
        return self.wanted.index


def read_picture(path: Path) -> Picture:
    """A photo file as metrics compare it, (H, W, 3) uint8."""
    return to_8bit_rgb(read_photo(path).pixels)


def measure(comparison: Comparison, ranks: Ranks | None = None) -> Measured:
    """Measure every picture of every method; every process (of torchrun unless given) calls this, and all get the same.

    Collectors hold everything in the first process afterwards.

    Raises:
        ChromaganError: a picture cannot be read or has another size than its truth, a model fails, the store is of
            another configuration. Where one process raises, all do.
    """
    ranks = ranks or Ranks.of_torch()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # images are what threads share here
    with contextlib.ExitStack() as stack:
        stack.callback(cv2.setNumThreads, threads)
        with _together(ranks):  # First pass: what is shared by all, and the mean colour of the truths.
            engine = _Engine(comparison, ranks)
            stack.callback(engine.close)
            engine.find_mean_ab()
        engine.share_mean_ab()
        with _together(ranks):  # Second pass: every picture painted and measured.
            engine.run()
        return engine.share()


@contextlib.contextmanager
def _together(ranks: Ranks) -> Iterator[None]:
    """A process that fails tells the others, which would wait for it for ever."""
    error: ChromaganError | None = None
    try:
        yield
    except ChromaganError as problem:
        error = problem
    found = [other for other in ranks.gather(error) if other is not None]
    if found:
        raise error or found[0]


class _Engine:
    def __init__(self, comparison: Comparison, ranks: Ranks) -> None:
        self.comparison, self.pairs, self.ranks = comparison, comparison.pairs, ranks
        figures = comparison.figures.values()
        self._of_pairs = [figure for figure in figures if isinstance(figure, PictureMetric)]
        self._by_network = [figure for figure in figures if isinstance(figure, NetworkMetric)]
        # What networks and collectors look at.
        self._seen = comparison.methods if comparison.baselines_in_full else comparison.own_methods
        count = len(self.pairs.images)
        self.values = {
            method: {
                name: np.full(count, np.nan)
                for name, figure in comparison.figures.items()
                if method in self._seen or isinstance(figure, PictureMetric)
            }
            for method in comparison.methods
        }
        self.sizes = np.zeros((count, 2), np.int64)
        self.ab = (0.0, 0.0)
        self._blocks = comparison.dealt_blocks()[ranks.rank :: ranks.world]
        self._mine = [index for block in self._blocks for index in block]
        self._mean_ab: dict[int, tuple[float, float]] = {}
        self._digests: Digests = {}
        self._store: Store | None = None
        if comparison.out is not None:
            self._store = Store(comparison.out, comparison.settings, ranks.rank, comparison.origins)
        methods = comparison.settings.get("methods", {})
        self._settings_digests = {name: " " + settings_digest(settings) for name, settings in methods.items()}
        self._sets = SetStates(comparison.collectors, comparison.out, ranks)
        self._pool = ThreadPoolExecutor(comparison.workers)
        self._depth = 2 * comparison.workers

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._store is not None:
            self._store.close()

    # The mean colour, in a pass over the truths, which are kept for the second one.

    def find_mean_ab(self) -> None:
        if "mean ab" not in self.comparison.baselines:
            return
        with self._bar("mean colour") as bar:
            for index, ab, size, digest, known in ahead(self._pool, self._mean_ab_of, self._mine, self._depth):
                self._mean_ab[index], self.sizes[index] = ab, size
                if self._store is not None and not known:
                    content = {"digest": digest, "ab": list(ab), "size": list(size)}
                    self._store.add("truth", self.pairs.images[index], content)
                bar.update()

    def _mean_ab_of(self, index: int) -> tuple[int, tuple[float, float], tuple[int, int], str, bool]:
        digest = ""
        if self._store is not None:
            digest = files_digest([self.pairs.truth[index]])
            for known in self._store.find("truth", self.pairs.images[index]):
                if known["digest"] == digest:
                    return index, tuple(known["ab"]), tuple(known["size"]), digest, True
        truth = self._read_truth(index)
        return index, mean_ab(lab_of_8bit(truth)), truth.shape[:2], digest, False

    def share_mean_ab(self) -> None:
        if "mean ab" in self.comparison.baselines:
            found = {index: ab for part in self.ranks.gather(self._mean_ab) for index, ab in part.items()}
            self.ab = mean_of_means(found[index] for index in range(len(self.pairs.images)))

    # The figures.

    def run(self) -> None:
        self._colours = constant_colour(self.ab)
        # What an earlier run has measured is not loaded again.
        wanted = self._wanted()
        with self._bar("images") as bar:
            bar.update(len(self._mine) - len(wanted))
            # Threads read, this one runs networks, threads measure; without networks an image stays with its thread.
            if self.comparison.painters or self.comparison.collectors or self._by_network:
                loaded = ahead(self._pool, self._load, wanted, self._depth)
                images = ahead(self._pool, self._measure, self._in_main_thread(loaded), self._depth)
            else:
                images = ahead(self._pool, lambda one: self._measure(self._load(one)), wanted, self._depth)
            for image in images:
                self._record(image)
                bar.update()
        self._sets.save()

    def _wanted(self) -> list[_Wanted]:
        """Images to load, each with the methods to measure."""
        methods, seen = self.comparison.methods, self._seen if self.comparison.collectors else ()
        if self._store is None:
            return [_Wanted(index, methods, seen) for index in self._mine]
        everything = range(len(self.pairs.images)) if self.comparison.collectors else self._mine
        self._digests = {index: self._digests_of(index) for index in everything}
        held = self._sets.restore(self._digests)
        wanted = []
        for block in self._blocks:
            # What collectors do not hold of a block they are shown of all its images, whatever is known of them.
            collected = [method for method in seen if not all((index, method) in held for index in block)]
            for index in block:
                unknown = self._unknown(index)
                if unknown or collected:
                    wanted.append(_Wanted(index, unknown, collected))
        return wanted

    def _digests_of(self, index: int) -> dict[str, str]:
        """By method, a digest of all that its figures of an image depend on besides the shared settings."""
        truth, predictions = self.pairs.truth[index], self.pairs.predictions
        found = dict.fromkeys(self.comparison.methods, files_digest([truth]))
        found |= {method: files_digest([truth, made[index]]) for method, made in predictions.items()}
        if "mean ab" in found:
            found["mean ab"] += f" {self.ab}"
        return {method: digest + self._settings_digests.get(method, "") for method, digest in found.items()}

    def _unknown(self, index: int) -> list[str]:
        """The methods without figures of an image; known figures are taken over."""
        assert self._store is not None
        unknown = dict.fromkeys(self.comparison.methods)
        for content in self._store.find("image", self.pairs.images[index]):
            for method, figures in content["figures"].items():
                if method in unknown and content["of"][method] == self._digests[index][method]:
                    del unknown[method]
                    for name, column in self.values[method].items():
                        column[index] = figures[name]
        return list(unknown)

    def _load(self, wanted: _Wanted) -> _Image:
        index = wanted.index
        truth = self._read_truth(index)
        gray = gray_of_8bit(truth)
        pictures = {}
        for method, made in self.pairs.predictions.items():
            if method in wanted.figures or method in wanted.collected:
                pictures[method] = self._keep(method, index, self._prepare(read_picture(made[index])))
                self._check(index, method, pictures[method], truth)
        figures: dict[str, dict[str, float]] = {method: {} for method in wanted.figures}
        return _Image(wanted, Shown(truth), Shown(self._prepare(as_rgb(gray))), gray, pictures, figures)

    def _in_main_thread(self, images: Iterable[_Image]) -> Iterator[_Image]:
        """Runs networks on every image; blocks come whole where there are collectors."""
        blocks = {block[-1]: block for block in self._blocks}
        for group in self._grouped(images, set(blocks)):
            self._paint(group)
            self._judge(group)
            for image in group:
                for collector in self.comparison.collectors:
                    for method in image.wanted.collected:
                        collector.update(image.index, method, self._picture(image, method), image.truth.pixels)
            if self.comparison.collectors and group[-1].index in blocks:
                for collector in self.comparison.collectors:
                    collector.flush()
                self._sets.block_done(blocks[group[-1].index], group[-1].wanted.collected, self._digests)
            yield from group

    def _grouped(self, images: Iterable[_Image], last: set[int]) -> Iterator[list[_Image]]:
        """What painters are shown at once: a block where one of them wants that, else an image."""
        whole = any(painter.whole_blocks for painter in self.comparison.painters)
        group: list[_Image] = []
        for image in images:
            group.append(image)
            if not whole or image.index in last:
                yield group
                group = []
        if group:
            yield group

    def _paint(self, group: list[_Image]) -> None:
        for painter in self.comparison.painters:
            names = set(painter.names)
            missing = [one for one in group if not names.isdisjoint((*one.wanted.figures, *one.wanted.collected))]
            if not missing:
                continue
            shown = [Unpainted(one.gray_plane, one.truth.pixels, self.pairs.images[one.index]) for one in missing]
            for image, answers in zip(missing, painter.paint(shown), strict=True):
                for name, answer in zip(painter.names, answers, strict=True):
                    image.pictures[name] = self._keep(name, image.index, self._prepare(answer))
                    self._check(image.index, name, image.pictures[name], image.truth.pixels)

    def _judge(self, group: list[_Image]) -> None:
        """The figures of metrics with a network; pictures of a group are of one size."""
        places = [(image, method) for image in group for method in self._seen if method in image.figures]
        if not places:
            return
        for metric in self._by_network:
            if min(group[0].truth.pixels.shape[:2]) < metric.smallest_side:
                figures = [float("nan")] * len(places)
            else:
                sides = [[self._picture(*place) for place in places], [image.truth.pixels for image, _ in places]]
                batches = [torch.from_numpy(np.stack(side)).permute(0, 3, 1, 2) for side in sides]
                answer = self.comparison.networks[metric.name](*(side.to(self.comparison.device) for side in batches))
                figures = answer.tolist()
            for (image, method), figure in zip(places, figures, strict=True):
                image.figures[method][metric.name] = figure

    def _measure(self, image: _Image) -> _Image:
        for method in image.figures:
            known = {"truth": image.truth, "gray": image.gray}
            pair = Pair(known.get(method) or Shown(self._picture(image, method)), image.truth, image.gray)
            image.figures[method] |= measure_pair(pair, self._of_pairs)
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
        self.sizes[image.index] = image.truth.pixels.shape[:2]
        if not image.figures:
            return
        for method, figures in image.figures.items():
            for name, column in self.values[method].items():
                column[image.index] = figures[name]
        if self._store is not None:
            content = {"of": {method: self._digests[image.index][method] for method in image.figures}}
            self._store.add("image", self.pairs.images[image.index], {**content, "figures": image.figures})

    def share(self) -> Measured:
        """Bring together what the processes found."""
        mine = np.array(self._mine, np.int64)
        rows = {method: {name: column[mine] for name, column in row.items()} for method, row in self.values.items()}
        # Every process gets all figures.
        parts = self.ranks.gather((mine, rows, self.sizes[mine]))
        if sum(len(indices) for indices, _, _ in parts) != len(self.sizes):
            raise ValueError("not every image was measured once: gather lost some")
        for indices, found, sizes in parts:
            self.sizes[indices] = sizes
            for method, row in found.items():
                for name, column in row.items():
                    self.values[method][name][indices] = column
        self._sets.share()
        return Measured(self.comparison.figures, self.values, self.sizes, self.ab)

    def _read_truth(self, index: int) -> Picture:
        """A true picture; each file is decoded once."""
        if self.comparison.truths is not None:
            return self.comparison.truths[index]
        kept = self.comparison.pictures.get("truth", index)
        if kept is None:
            kept = self._prepare(read_picture(self.pairs.truth[index]))
            self.comparison.pictures.put("truth", index, kept)
        return kept

    def _keep(self, method: str, index: int, picture: Picture) -> Picture:
        if self.comparison.out is not None:  # a report will show some
            self.comparison.pictures.put(method, index, picture)
        return picture

    def _prepare(self, picture: Picture) -> Picture:
        return np.ascontiguousarray(self.comparison.protocol.prepare(picture))

    def _check(self, index: int, method: str, picture: Picture, truth: Picture) -> None:
        if picture.shape != truth.shape:
            raise DataError(
                f"{method}: {self.pairs.images[index]} has {picture.shape[0]} x {picture.shape[1]} pixels and its "
                f"truth {truth.shape[0]} x {truth.shape[1]}; give pictures of the same size"
            )

    def _bar(self, what: str) -> tqdm:
        shown = self.comparison.progress and self.ranks.rank == 0
        return tqdm(total=len(self._mine), desc=what, unit="image", disable=None if shown else True, leave=False)
