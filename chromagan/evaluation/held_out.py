"""Metrics of a network on a held-out folder, fast enough for every few thousand training images."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.compute.device import place
from chromagan.errors import ChromaganError, MetricUnavailable, ModelError, UsageError
from chromagan.evaluation.held_out_photos import deal_batches, load_held_out
from chromagan.images.join import join_chroma
from chromagan.inference.stages import paint
from chromagan.metrics.ab_error import ab_mse
from chromagan.metrics.ciede2000 import ciede2000
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.frechet import frechet_distance_of_features
from chromagan.metrics.inception import InceptionFeatures
from chromagan.metrics.kernel_distance import kernel_distance
from chromagan.metrics.lpips import LPIPS, load_lpips
from chromagan.metrics.mean_over_photos import MeanOverPhotos
from chromagan.metrics.network_files import Networks, network_tensors
from chromagan.metrics.psnr import psnr
from chromagan.metrics.registry import describe
from chromagan.metrics.ssim import ssim
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look
from chromagan.pretrained.create import load_upsampler

HELD_OUT_METRICS: tuple[str, ...] = (
    "colourfulness", "psnr", "ssim", "delta_colourfulness", "ab_mse", "ab_rmse", "ciede2000", "lpips_alex", "lpips_vgg",
    "lpips_squeeze", "fid_tf", "fid_torchvision", "kid_tf", "kid_torchvision",
)  # fmt: skip
"""Those that a training run can follow on held-out photos."""
Gather = Callable[[Any], list[Any]]
_DISTANCES = ("fid_", "kid_")
# Figures of a photo that other metrics are made of.
_BASES = {"ab_rmse": "ab_mse", "delta_colourfulness": "colourfulness"}
_PER_PICTURE = {"ssim": ssim, "psnr": psnr}


@dataclass
class _Part:
    """What one rank found: figures by photo number, features by network with the numbers of their photos."""

    values: dict[int, dict[str, float]] = field(default_factory=dict)
    features: dict[str, tuple[list[int], Tensor]] = field(default_factory=dict)
    true_features: dict[str, tuple[list[int], Tensor]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    error: str | None = None


def check_metric_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetitions, in their order.

    Raises:
        UsageError: a name that does not exist; the message lists those that do.
    """
    for name in names:
        if name not in HELD_OUT_METRICS:
            raise UsageError(f"there is no metric {name!r}; there are {', '.join(HELD_OUT_METRICS)}")
    return tuple(dict.fromkeys(names))


def check_best_metric(name: str) -> None:
    """Refuse a metric by which a training run cannot choose its best checkpoint.

    Raises:
        UsageError: no such metric, or one without a direction.
    """
    usable = [n for n in HELD_OUT_METRICS if describe(n).higher_is_better is not None]
    if name not in usable:
        reason = "is neither better high nor low" if name in HELD_OUT_METRICS else "is none of a training run's metrics"
        raise UsageError(
            f"the best checkpoint cannot be chosen by {name!r}, which {reason}; choose one of {', '.join(usable)}"
        )


class HeldOut:
    """A folder of colour photos, and the metrics by which networks are compared on it.

    Every photo is reduced, and painted by its lightness as the product paints it (`chromagan.inference.stages.paint`).

    Args:
        folder: of colour photos, any depth; read once, here.
        size: of their short side; see `chromagan.evaluation.held_out_photos.reduce_and_crop`.
        metrics: names from `HELD_OUT_METRICS`.
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
        self.metrics = check_metric_names(metrics)
        self.device = torch.device(device)
        self.missing: dict[str, str] = {}
        self.names, photos = load_held_out(folder, size, limit)
        self._photos = [torch.from_numpy(photo).permute(2, 0, 1) for photo in photos]
        self._lpips: dict[str, LPIPS] = {}
        self._inception: dict[str, InceptionFeatures] = {}
        self._free: dict[int, dict[str, float]] = {}  # figures of the truth alone, by photo, as they are needed
        self._true_features: dict[str, Tensor] = {}
        for metric in self.metrics:
            try:
                self._prepare(metric, networks, download)
            except MetricUnavailable as error:
                self.missing[metric] = str(error)

    @property
    def available(self) -> tuple[str, ...]:
        """The metrics that are computed, in the order in which they were asked for."""
        return tuple(metric for metric in self.metrics if metric not in self.missing)

    def _prepare(self, metric: str, networks: Networks, download: bool) -> None:
        if metric.startswith("lpips_"):
            self._lpips[metric] = load_lpips(metric.removeprefix("lpips_"), networks, download).to(self.device)
        elif metric.startswith(_DISTANCES):
            if len(self._photos) < 2:
                raise MetricUnavailable(f"{metric} is left out: it compares sets, and there is one photo; give more")
            name = _inception_of(metric)
            if name not in self._inception:
                tensors = network_tensors(name, metric, networks, download)
                self._inception[name] = InceptionFeatures(name, tensors).to(self.device)

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
        part = _Part(missing=dict(self.missing))
        try:
            self._measure(network, rank, world, part)
        except ChromaganError as error:  # told to the other ranks first, which would wait for this one for ever
            part.error = str(error)
        parts: list[_Part] = gather(part) if gather is not None else [part]
        for other in parts:
            if other.error is not None:
                raise ModelError(other.error)
            self.missing |= {name: why for name, why in other.missing.items() if name not in self.missing}
        return self._summary(parts)

    @torch.no_grad()
    def _measure(self, network: ColorizationNetwork, rank: int, world: int, part: _Part) -> None:
        shapes = [(photo.shape[1], photo.shape[2]) for photo in self._photos]
        networks = {_inception_of(metric) for metric in self.available if metric.startswith(_DISTANCES)}
        features: dict[str, list[Tensor]] = {name: [] for name in networks}
        true_features: dict[str, list[Tensor]] = {name: [] for name in networks - set(self._true_features)}
        order: list[int] = []
        for numbers in deal_batches(shapes, rank, world):
            truth = torch.stack([self._photos[number] for number in numbers]).to(self.device)
            lab = rgb_to_lab(truth.float() / 255)
            pictures = paint(network, lab[:, :1], look=self.look, step=self._step)
            for number, figures in zip(numbers, self._figures(pictures, truth, lab), strict=True):
                if number not in self._free:
                    self._free[number] = _free_figures(self._photos[number], lab[numbers.index(number), :1])
                part.values[number] = figures | self._free[number]
            order += numbers
            for name, found in features.items():
                found.append(self._inception[name](pictures).cpu())
            for name, found in true_features.items():
                found.append(self._inception[name](truth).cpu())
        part.features = {name: (order, torch.cat(found)) for name, found in features.items() if found}
        part.true_features = {name: (order, torch.cat(found)) for name, found in true_features.items() if found}

    def _figures(self, pictures: Tensor, truth: Tensor, lab: Tensor) -> list[dict[str, float]]:
        """The figures of each photo of a batch that the available metrics are made of."""
        wanted = {_BASES.get(metric, metric) for metric in self.available} | {"psnr"}
        columns: dict[str, list[float]] = {}
        if wanted & {"ab_mse", "ciede2000"}:
            ours = rgb_to_lab(pictures.float() / 255)
            if "ab_mse" in wanted:
                columns["ab_mse"] = ab_mse(ours, lab).tolist()
            if "ciede2000" in wanted:
                columns["ciede2000"] = ciede2000(ours, lab).mean(dim=(1, 2)).tolist()
        for metric in wanted & set(self._lpips):
            columns[metric] = self._lpips[metric](pictures, truth).tolist()
        made, true = (images.permute(0, 2, 3, 1).contiguous().cpu().numpy() for images in (pictures, truth))
        for metric in wanted & set(_PER_PICTURE):
            columns[metric] = [_PER_PICTURE[metric](*pair) for pair in zip(made, true, strict=True)]
        if "colourfulness" in wanted:
            columns["colourfulness"] = [colourfulness(picture) for picture in made]
        return [{name: column[i] for name, column in columns.items()} for i in range(len(pictures))]

    def _summary(self, parts: list[_Part]) -> dict[str, float]:
        values = {number: figures for part in parts for number, figures in part.values.items()}
        if sorted(values) != list(range(len(self._photos))):
            raise ValueError(f"the ranks measured {len(values)} of {len(self._photos)} photos: gather lost some")
        photos = [values[number] for number in range(len(values))]
        # In pairs, so that a gain over gray compares means over the same photos.
        compared = [p for p in photos if math.isfinite(p["psnr"]) and math.isfinite(p["gray_psnr"])]
        result: dict[str, float] = {}
        for metric in self.available:
            if not metric.startswith(_DISTANCES):
                result[metric] = _mean(compared if metric == "psnr" else photos, _BASES.get(metric, metric))
        true_colourfulness = _mean(photos, "true_colourfulness")
        if "ab_rmse" in result:  # the root of the mean, not the mean of roots
            result["ab_rmse"] = math.sqrt(result["ab_rmse"])
        if "delta_colourfulness" in result:
            result["delta_colourfulness"] = abs(result["delta_colourfulness"] - true_colourfulness)
        result |= self._distances(parts)
        result = {metric: result[metric] for metric in self.available}
        result |= {"gray_psnr": _mean(compared, "gray_psnr"), "true_colourfulness": true_colourfulness}
        return result | {"photos": float(len(photos)), "left_out": float(len(photos) - len(compared))}

    def _distances(self, parts: list[_Part]) -> dict[str, float]:
        metrics = [metric for metric in self.available if metric.startswith(_DISTANCES)]
        result = {}
        for name in {_inception_of(metric) for metric in metrics}:
            if name not in self._true_features:
                self._true_features[name] = _in_order([part.true_features for part in parts], name)
            sets = _in_order([part.features for part in parts], name), self._true_features[name]
            for metric in metrics:
                if _inception_of(metric) == name:
                    fid = metric.startswith("fid_")
                    result[metric] = frechet_distance_of_features(*sets) if fid else kernel_distance(*sets)[0]
        return result


def _free_figures(truth: Tensor, L: Tensor) -> dict[str, float]:
    """What a photo's truth says by itself: PSNR of its gray version, and colourfulness."""
    gray = join_chroma(L[0].cpu().numpy(), np.zeros((2, 1, 1), np.float32))
    true = np.ascontiguousarray(truth.permute(1, 2, 0).numpy())
    return {"gray_psnr": psnr(gray, true), "true_colourfulness": colourfulness(true)}


def _inception_of(metric: str) -> str:
    return "inception_" + metric.split("_", 1)[1]


def _mean(photos: Sequence[dict[str, float]], figure: str) -> float:
    mean = MeanOverPhotos()
    mean.update([photo[figure] for photo in photos])
    return mean.compute()


def _in_order(parts: Sequence[dict[str, tuple[list[int], Tensor]]], network: str) -> Tensor:
    """The ranks' features in the order of the photos."""
    found = [part[network] for part in parts if network in part]
    numbers = torch.tensor([number for part, _ in found for number in part])
    return torch.cat([features for _, features in found])[numbers.argsort()]
