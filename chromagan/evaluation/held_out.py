"""Held-out validation: the comparison with one painter, fast enough for every few thousand training images."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.lab import rgb_to_lab
from chromagan.compute.device import place
from chromagan.compute.threads import default_workers
from chromagan.errors import DataError, UsageError
from chromagan.evaluation.comparison import Column, Comparison, Ranks, Unpainted
from chromagan.evaluation.engine import measure
from chromagan.evaluation.pairs import Pairs
from chromagan.evaluation.protocols import protocol
from chromagan.evaluation.summary import summarize
from chromagan.files.find import find_photo_files
from chromagan.images.enlarge_chroma import ChromaStep
from chromagan.images.read import read_photo
from chromagan.inference.stages import paint
from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.metrics.metric import Metric, Picture, Resources
from chromagan.metrics.network_files import Networks
from chromagan.metrics.registry import choose_metrics, find_metric, get_metric, open_metrics
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look
from chromagan.pretrained.create import load_upsampler

Gather = Callable[[Any], list[Any]]
_NAME = "network"
_ALWAYS = ("psnr", "colourfulness")  # what the gray photo and the truth are told by
SMALLEST_SIDE = 32  # pixels; what the smallest metric networks need
_STEP = 32
_BATCH_PIXELS = 8 * 256 * 256


def check_best_metric(name: str, measured: Sequence[str] | None = None) -> None:
    """Refuse a metric by which a training run cannot choose its best checkpoint.

    Raises:
        UsageError: no such metric, one without a direction, or none of those that are measured (where they are given).
    """
    metric = find_metric(name)
    if metric is None or metric.higher_is_better is None:
        reason = "is neither better high nor low" if metric else "is none of a training run's metrics"
        usable = ", ".join(each.name for each in choose_metrics(["all"]) if each.higher_is_better is not None)
        raise UsageError(f"the best checkpoint cannot be chosen by {name!r}, which {reason}; choose one of {usable}")
    if measured is not None and name not in {each.name for each in choose_metrics(measured)}:
        raise UsageError(f"--best-metric {name} is none of --metrics {' '.join(measured)}; add it there")


def choose_best_metric(name: str, measured: Sequence[str]) -> str:
    """The metric by which a training run chooses its best checkpoint.

    Args:
        name: what was asked for; empty for PSNR where it is measured, or else the first that has a direction.
        measured: names of the metrics that are measured, at least one.

    Raises:
        UsageError: as for `check_best_metric`; or none of those that are measured has a direction.
    """
    if name:
        check_best_metric(name, measured)
        return name
    usable = [each.name for each in choose_metrics(measured) if each.higher_is_better is not None]
    if not usable:
        given = " ".join(measured)
        raise UsageError(f"--metrics {given}: the best checkpoint cannot be chosen by these; add another, such as psnr")
    return "psnr" if "psnr" in usable else usable[0]


class NetworkPainter:
    """A network in training, in evaluation mode, as a painter: with its look and the step that enlarges its ab."""

    names: tuple[str, ...] = (_NAME,)
    whole_blocks = True

    def __init__(self, network: ColorizationNetwork, look: Look, step: ChromaStep, device: torch.device) -> None:
        self.settings: dict[str, dict[str, Any]] = {}
        self._network, self._look, self._step, self._device = network, look, step, device

    @torch.no_grad()
    def paint(self, block: Sequence[Unpainted]) -> list[list[Picture]]:
        """Colour pictures of one size in one batch: see `Painter`."""
        truth = torch.from_numpy(np.stack([one.truth for one in block])).permute(0, 3, 1, 2).to(self._device)
        pictures = paint(self._network, rgb_to_lab(truth.float() / 255)[:, :1], look=self._look, step=self._step)
        return [[picture] for picture in pictures.permute(0, 2, 3, 1).cpu().numpy()]


class HeldOut:
    """A folder of colour photos, and the metrics by which networks are compared on it.

    Every photo is reduced, and painted by its lightness as the product paints it (`chromagan.inference.stages.paint`).

    Args:
        folder: of colour photos, any depth; read once, here.
        size: of their short side; see `reduce_and_crop`.
        metrics: names, see `chromagan.metrics.registry`.
        networks: where the networks of LPIPS, FID and KID are: a folder with files under their published names, or a
            mapping from keys of `chromagan.metrics.network_files.PUBLISHED` to files.
        limit: measure so many photos, evenly spaced; 0 for all.
        device: where the network to be measured is; the metrics' networks go there too.
        download: whether a network that is not found may be downloaded.
        look: how the network's colours are used; `Look(size=size)` unless given.

    Attributes:
        names: files of the photos.
        available: metrics that are computed.
        missing: metrics that are not, with a message that says why and what to do. With several ranks it may grow in
            `evaluate`: a metric that one rank cannot have is left out on all.

    Raises:
        DataError, ReadError: no photos, or one that is too small or cannot be read.
        UsageError: a metric that does not exist, a size or limit out of range, a folder of networks that is not there.
        WeightsError: a metric's network was found and is damaged or another one's.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        size: int = 256,
        metrics: Sequence[str] = ("psnr", "ssim", "colourfulness"),
        networks: Networks = None,
        limit: int = 0,
        device: torch.device | str = "cpu",
        download: bool = True,
        look: Look | None = None,
    ) -> None:
        self.look, self._step = look or Look(size=size), place(load_upsampler(), torch.device(device))
        self.metrics = choose_metrics(metrics)
        self.device = torch.device(device)
        self.names, self.photos = load_held_out(folder, size, limit)
        resources = Resources(self.names, networks, self.device, download, cache=None)
        self._opened = open_metrics(self.metrics, resources)
        self.missing = self._opened.missing
        self._baselines: dict[str, dict[str, Column]] = {}  # measured with the first network: they depend on none

    @property
    def available(self) -> tuple[str, ...]:
        """The metrics that are computed, in the order in which they were asked for."""
        return tuple(metric.name for metric in self.metrics if metric.name not in self.missing)

    def evaluate(
        self, network: ColorizationNetwork, rank: int = 0, world: int = 1, gather: Gather | None = None
    ) -> dict[str, float]:
        """Measure a network; the ranks share the photos and all get the same answer.

        Batches are the same for every `world`, and means are correctly rounded, so the number of ranks changes no
        figure (where each has as many threads: torch's own sums depend on those).

        Args:
            network: in evaluation mode, on `device`.
            rank: of this process.
            world: how many processes share the work. All call this at the same time.
            gather: from one picklable object a rank to the list of all ranks' objects; needed where `world` > 1.

        Returns:
            Each available metric, and what costs nothing: `gray_psnr` (of the gray photos), `true_colourfulness`,
            `photos`, and `left_out`, the photos without a finite PSNR (gray themselves, or reproduced exactly), which
            are in neither PSNR mean. A figure over nothing is NaN.

        Raises:
            ModelError: the network's colours are not finite, or have another shape (on any rank: all ranks raise).
            ValueError: a network in training mode, or ranks that do not fit.
        """
        if network.training:
            raise ValueError("a network is measured in evaluation mode: call eval() first")
        if not 0 <= rank < world or (world > 1 and gather is None):
            raise ValueError(f"rank {rank} of {world} ranks {'with' if gather else 'without'} gather cannot share work")
        ranks = Ranks(rank, world, gather) if gather is not None else Ranks()
        for missing in ranks.gather(dict(self.missing)):
            self.missing |= {name: why for name, why in missing.items() if name not in self.missing}
        comparison = self._comparison(network)
        measured = measure(comparison, ranks)
        self._baselines = self._baselines or {name: measured.values[name] for name in comparison.baselines}
        measured.values |= self._baselines
        own, gray, truth = (row.summary for row in summarize(measured, comparison.metrics))
        found = {name: figure.value for name, figure in own.items()} | self._of_sets(ranks)
        result = {name: found.get(name, math.nan) for name in self.available}
        result |= {"gray_psnr": gray["psnr"].value, "true_colourfulness": truth["colourfulness"].value}
        return result | {"photos": float(len(self.photos)), "left_out": float(own["psnr"].left_out)}

    def _comparison(self, network: ColorizationNetwork) -> Comparison:
        names = dict.fromkeys((*self.available, *_ALWAYS))
        metrics: list[Metric] = [get_metric(name) for name in names]
        return Comparison(
            pairs=Pairs(self.names, [], {}),
            protocol=protocol("folder"),
            painters=[NetworkPainter(network, self.look, self._step, self.device)],
            metrics=metrics,
            networks=self._opened.networks,
            collectors=self._opened.collectors,
            workers=default_workers(),
            device=self.device,
            progress=False,
            truths=self.photos,
            blocks=deal_batches([photo.shape[:2] for photo in self.photos]),
            baselines=() if self._baselines else ("gray", "truth"),
            baselines_in_full=False,
        )

    def _of_sets(self, ranks: Ranks) -> dict[str, float]:
        """Figures of collectors, which the first process has and tells the others."""
        found: dict[str, float] = {}
        if self._opened.collectors:
            if ranks.rank == 0:
                for collector in self._opened.collectors:
                    found |= {name: figure.value for name, figure in collector.compute(_NAME).items()}
            found = ranks.gather(found)[0]
        return found


def reduce_and_crop(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle of a photo (H, W, 3) uint8 at a working size.

    The short side becomes `size` by area averaging of the 8-bit values, the aspect kept; a smaller photo keeps its
    size. The long side is cropped at both ends to at most twice the short one, and further by less than 32 pixels, so
    that the sides differ by a multiple of 32: photos then share few sizes and run in batches.
    """
    short = min(pixels.shape[:2])
    pixels = _middle(pixels, 2 * short)
    if short > size:
        height, width = (round(side * size / short) for side in pixels.shape[:2])
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        short = size
    longest = max(pixels.shape[:2])
    return np.ascontiguousarray(_middle(pixels, longest - (longest - short) % _STEP))


def _middle(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    rows, columns = min(height, longest), min(width, longest)
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[top : top + rows, left : left + columns]


def load_held_out(
    folder: str | os.PathLike[str], size: int, limit: int = 0
) -> tuple[list[str], list[NDArray[np.uint8]]]:
    """Read and reduce the colour photos of a folder of any depth: file names and (h, w, 3) uint8 photos.

    With a limit above 0 so many are taken, evenly spaced over the list (folders are often sorted by class).

    Raises:
        DataError: no photos there, or one too small.
        ReadError: one cannot be read. Leaving it out silently would make figures over another set.
        UsageError: a size under 32 or a negative limit.
    """
    if size < SMALLEST_SIDE or limit < 0:
        raise UsageError(f"held-out photos need a size of at least {SMALLEST_SIDE} and a limit of 0 or more")
    paths = find_photo_files(folder)
    if 0 < limit < len(paths):
        paths = [paths[i * len(paths) // limit] for i in range(limit)]

    def load(path: Path) -> NDArray[np.uint8]:
        photo = reduce_and_crop(to_8bit_rgb(read_photo(path).pixels), size)
        if min(photo.shape[:2]) < SMALLEST_SIDE:
            raise DataError(f"{path}: a side under {SMALLEST_SIDE} pixels is too small to measure; take it away")
        return photo

    with ThreadPoolExecutor(min(8, torch.get_num_threads())) as pool:
        photos = list(pool.map(load, paths))
    return [str(path) for path in paths], photos


def deal_batches(shapes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Batches of photos of equal size (height, width), largest first, as lists of their numbers.

    They are the same for any number of ranks, which take whole ones: a network's answer depends in its last bits on
    what shares its batch.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for number, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(number)
    batches = []
    for (height, width), numbers in groups.items():
        most = max(1, _BATCH_PIXELS // (height * width))
        batches += [numbers[i : i + most] for i in range(0, len(numbers), most)]
    return sorted(batches, key=lambda batch: (-len(batch) * shapes[batch[0]][0] * shapes[batch[0]][1], batch[0]))
