"""FID and KID of colorizers: in one network's features, against the same truths, other truths, or at equal chroma."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chromagan.errors import MetricUnavailable, WriteError
from chromagan.files.cache import cache_folder
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.feature_store import FeatureStore, ReferenceCache, picture_digest
from chromagan.metrics.figure import Figure, disjoint_subsets, interval_from_subsets
from chromagan.metrics.frechet import FeatureStatistics, frechet_distance, frechet_distance_of_features
from chromagan.metrics.inception import FEATURES, InceptionFeatures
from chromagan.metrics.kernel_distance import drawn_subsets, polynomial_mmd
from chromagan.metrics.match_colourfulness import LARGEST_FACTOR, match_colourfulness
from chromagan.metrics.metric import Picture, Resources, SetMetric
from chromagan.metrics.network_files import network_tensors
from chromagan.metrics.registry import register
from chromagan.models.contract import digest

TRUTH = "truth"  # the comparison's own name of the truth's row
KINDS = ("fid", "fid_disjoint", "fid_matched", "kid", "kid_disjoint")
FEW_IMAGES = 2048
KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000
_BATCH = 32
_IN_MEMORY = 4096  # features of a set up to which the distance is computed from them directly
_MATCHED = "\0matched "  # before a method's name; no method is called so
Indices = Sequence[int]


def distance_names(network: str) -> tuple[str, ...]:
    """The figures with one network: `tf` gives `fid_tf`, `fid_tf_disjoint`, `fid_tf_matched`, `kid_tf`, ..."""
    return tuple(f"{kind[:3]}_{network}{kind[3:]}" for kind in KINDS)


class FeatureDistances:
    """FID and KID in the features of one network, as a `chromagan.metrics.metric.Collector`.

    What they are called is the caller's; these are the kinds:

    - `fid`, `kid`: a method's pictures against the truths of the same images, which most papers report.
    - `.._disjoint`: the pictures of one half of the images against the truths of the other half, so that no picture is
      compared with a set that has its own truth in it; the truth's own is the distance of its halves. The halves are
      fixed by the SHA-256 of seed and name.
    - `fid_matched`: the chroma of each picture is first scaled by one factor, so that its colourfulness is that of
      its truth (`match_colourfulness`); what is left is hue and where the colour lies.

    FID is the squared Frechet distance of two Gaussians with unbiased covariances. KID is the mean of the unbiased
    polynomial MMD over 100 random subsets of 1,000 (exact and once where no set is larger).

    Args:
        kinds: of figures by name, such as `{"fid_tf": "fid"}`; see `KINDS`.
        features: (N, 3, H, W) uint8 on `device` to (N, dimensions).
        dimensions: of a feature.
        images: names of all pictures, for the halves and subsets; folders and extensions do not count there.
        device: where `features` runs.
        cache: features of the truths from earlier runs; None keeps none.
        settings: what the features depend on, to be reported.
        seed: of halves and subsets.
    """

    def __init__(
        self,
        kinds: Mapping[str, str],
        features: Callable[[Tensor], Tensor],
        dimensions: int,
        images: Sequence[str],
        device: torch.device | str = "cpu",
        cache: ReferenceCache | None = None,
        settings: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.names, self._kinds = tuple(kinds), dict(kinds)
        self.settings: dict[str, Any] = {
            **(settings or {}), "seed": seed, "kernel_subsets": KID_SUBSETS, "kernel_subset_size": KID_SUBSET_SIZE,
            "matched": f"one factor a picture, at most {LARGEST_FACTOR:g}",
        }  # fmt: skip
        self.warnings: list[str] = []
        self.missing: dict[str, str] = {}
        self._features, self._device, self._cache, self._seed = features, torch.device(device), cache, seed
        # The order decides subsets, its first half and second half are the disjoint sets.
        self._order = sorted(range(len(images)), key=lambda index: _draw(seed, images[index]))
        self._store = FeatureStore(dimensions)
        self._digests: dict[int, bytes] = {}
        self._queues: dict[tuple[str, tuple[int, ...]], list[tuple[int, Picture]]] = {}
        self._in_block: set[int] = set()
        self._target: tuple[int, float] | None = None
        self._statistics: dict[str, tuple[tuple[int, ...], Tensor, Tensor]] = {}
        self._unsaved = False

    def update(self, index: int, method: str, picture: Picture, truth: Picture) -> None:
        """Take one picture of a method; see `Collector`."""
        if index not in self._in_block:
            self._in_block.add(index)
            self._take_truth(index, truth)
        if method == TRUTH:
            if picture is not truth and not np.array_equal(picture, truth):
                raise ValueError("the row named truth must show the truth")
            return  # as colourful as itself, too
        self._enqueue(method, index, picture)
        if any(kind == "fid_matched" for kind in self._kinds.values()):
            if self._target is None or self._target[0] != index:
                self._target = index, colourfulness(truth)
            self._enqueue(_MATCHED + method, index, match_colourfulness(picture, self._target[1]))

    def _take_truth(self, index: int, truth: Picture) -> None:
        digest = picture_digest(truth)
        if self._digests.get(index) == digest and self._store.holds(TRUTH, index):
            return  # of an earlier measurement
        self._digests[index] = digest
        row = self._cache.find(digest) if self._cache is not None else None
        if row is not None:
            self._store.put(TRUTH, [index], row)
            return
        self._unsaved = True
        self._enqueue(TRUTH, index, truth)

    def _enqueue(self, key: str, index: int, picture: Picture) -> None:
        queue = self._queues.setdefault((key, picture.shape), [])
        queue.append((index, picture))
        if len(queue) == _BATCH:
            self._run((key, picture.shape))

    def _run(self, place: tuple[str, tuple[int, ...]]) -> None:
        queue = self._queues.pop(place)
        batch = torch.from_numpy(np.stack([picture for _, picture in queue])).permute(0, 3, 1, 2).contiguous()
        self._store.put(place[0], [index for index, _ in queue], self._features(batch.to(self._device)))

    def flush(self) -> None:
        """Run what waits; see `Collector`."""
        for place in list(self._queues):
            self._run(place)
        self._in_block.clear()

    def state(self) -> dict[str, Any]:
        """Features of all pictures by method (8 KB a picture), and the truths' digests; see `Collector`."""
        self.flush()
        indices = sorted(self._digests)
        digests = np.frombuffer(b"".join(self._digests[i] for i in indices), np.uint8).reshape(-1, 32).copy()
        return {
            "features": self._store.state(),
            "truths": {"indices": torch.tensor(indices, dtype=torch.int64), "digests": torch.from_numpy(digests)},
        }

    def merge(self, states: Sequence[dict[str, Any]]) -> None:
        """Take over what others hold; see `Collector`."""
        for state in states:
            self._store.merge(state["features"])
            truths = state["truths"]
            rows = truths["digests"].numpy()
            self._digests |= {index: bytes(row) for index, row in zip(truths["indices"].tolist(), rows, strict=True)}
        self._unsaved = True

    def compute(self, method: str) -> dict[str, Figure]:
        """The figures of a method; see `Collector`."""
        self.flush()
        self._save_reference()
        figures = {}
        for name, kind in self._kinds.items():
            key = _MATCHED + method if kind == "fid_matched" and method != TRUTH else method
            held = set(self._store.indices(key)) & set(self._store.indices(TRUTH))
            order = [index for index in self._order if index in held]
            half = (len(order) + 1) // 2
            ours, true = (order[:half], order[half:]) if kind.endswith("disjoint") else (order, order)
            figures[name] = (self._fid if kind.startswith("fid") else self._kid)(key, ours, true)
        self._warn(figures)
        return figures

    def _warn(self, figures: dict[str, Figure]) -> None:
        few = [f"{name} ({figure.count:,})" for name, figure in figures.items() if figure.count < FEW_IMAGES]
        text = (
            f"over fewer than {FEW_IMAGES:,} images: {', '.join(few)}; so few raise Frechet distances (compare them "
            "over the same images alone) and scatter kernel distances (look at their intervals)"
        )
        if few and text not in self.warnings:
            self.warnings.append(text)

    def _fid(self, key: str, ours: Indices, true: Indices) -> Figure:
        value = self._frechet(key, ours, true)
        subsets = _paired_subsets(ours, true)
        found = [self._frechet(key, a, b) for a, b in subsets]
        low, high = interval_from_subsets(value, found, [len(a) for a, _ in subsets], len(ours))
        return Figure(value, max(low, 0.0) if low == low else low, high, len(ours))

    def _frechet(self, key: str, ours: Indices, true: Indices) -> float:
        if max(len(ours), len(true)) <= _IN_MEMORY:
            rows = self._store.rows
            return frechet_distance_of_features(rows(key, sorted(ours)), rows(TRUTH, sorted(true)))
        return frechet_distance(*self._gaussian(key, ours), *self._gaussian(TRUTH, true))

    def _gaussian(self, key: str, indices: Indices) -> tuple[Tensor, Tensor]:
        """Mean and covariance; that of the last large set of truths is kept, because every method needs it."""
        wanted = tuple(sorted(indices))
        if key == TRUTH and key in self._statistics and self._statistics[key][0] == wanted:
            return self._statistics[key][1:]
        statistics = FeatureStatistics(self._store.dimensions)
        for rows in self._store.chunks(key, wanted):
            statistics.update(rows)
        found = statistics.mean(), statistics.covariance()
        if key == TRUTH:
            self._statistics[key] = wanted, *found
        return found

    def _kid(self, key: str, ours: Indices, true: Indices) -> Figure:
        if min(len(ours), len(true)) < 2:
            return Figure(math.nan, count=len(ours))
        value = self._kernel_distance(key, sorted(ours), sorted(true))
        subsets = _paired_subsets(ours, true, KID_SUBSET_SIZE)
        found = [self._mmd(key, a, b) for a, b in subsets]
        low, high = interval_from_subsets(value, found, [len(a) for a, _ in subsets], len(ours))
        return Figure(value, low, high, len(ours))

    def _kernel_distance(self, key: str, ours: Indices, true: Indices) -> float:
        """As `chromagan.metrics.kernel_distance.kernel_distance`, which wants all features in memory."""
        if max(len(ours), len(true)) <= KID_SUBSET_SIZE:
            return self._mmd(key, ours, true)
        found = []
        for a, b in drawn_subsets(len(ours), len(true), KID_SUBSETS, KID_SUBSET_SIZE, self._seed):
            found.append(self._mmd(key, [ours[i] for i in a.tolist()], [true[i] for i in b.tolist()]))
        return float(torch.tensor(found, dtype=torch.float64).mean())

    def _mmd(self, key: str, ours: Indices, true: Indices) -> float:
        return polynomial_mmd(self._store.rows(key, ours), self._store.rows(TRUTH, true))

    def _save_reference(self) -> None:
        indices = [index for index in self._store.indices(TRUTH) if index in self._digests]
        if self._cache is None or not self._unsaved or not indices:
            return
        self._unsaved = False
        try:
            self._cache.save([self._digests[i] for i in indices], lambda: self._store.chunks(TRUTH, indices))
        except WriteError as error:  # figures do not depend on it
            self.warnings.append(f"the truths' features were not kept for the next run: {error}")


def _paired_subsets(ours: Indices, true: Indices, limit: int | None = None) -> list[tuple[list[int], list[int]]]:
    """Disjoint subsets of both; the same images in both where the sets are the same."""
    subsets = disjoint_subsets(min(len(ours), len(true)), limit)
    return [([ours[i] for i in places], [true[i] for i in places]) for places in subsets]


def _draw(seed: int, name: str) -> tuple[bytes, str]:
    """A random order of names that depends on nothing else; the same for photo.png and photo.jpg."""
    plain = re.sub(r"\.\w+$", "", name.replace("\\", "/").rpartition("/")[2])
    return hashlib.sha256(os.fsencode(f"{seed} {plain}")).digest(), name


def _open(network: str, names: Sequence[str], resources: Resources) -> FeatureDistances:
    if len(resources.images) < 2:
        raise MetricUnavailable(f"{names[0]} is left out: it compares sets, and two images are the least; give more")
    key = f"inception_{network}"
    tensors = network_tensors(key, names[0], resources.networks, resources.download)
    sha256 = digest(tensors)
    features = InceptionFeatures(key, tensors).to(resources.device)
    folder = cache_folder("reference") if resources.cache == "" else resources.cache
    # Processors differ in the last bits, so each kind has its own file.
    about = f"{key} {sha256} {torch.device(resources.device).type}"
    cache = None
    if folder is not None:
        cache = ReferenceCache(folder, about, resources.protocol, resources.images, FEATURES)
    settings = {"network": key, "sha256": sha256}
    kinds = dict(zip(distance_names(network), KINDS, strict=True))
    asked = {name: kinds[name] for name in names}
    return FeatureDistances(asked, features, FEATURES, resources.images, resources.device, cache, settings)


_SAME = "of Inception features: answers against the truths of the same images"
_HALVES = "of Inception features: answers of one half of the images against the truths of the other"
_MEASURES = {
    "fid": ("FID", "Frechet distance " + _SAME),
    "fid_disjoint": ("FID", "Frechet distance " + _HALVES),
    "fid_matched": ("FID", "Frechet distance of Inception features: as `fid_{}`, after each answer's colourfulness is "
                    "made its truth's"),
    "kid": ("KID", "kernel distance " + _SAME),
    "kid_disjoint": ("KID", "kernel distance " + _HALVES),
}  # fmt: skip

for _network, _title, _first in (("tf", "TF", 110), ("torchvision", "torchvision", 120)):
    _opener = partial(_open, _network)  # one for all, so that they share their features
    for _place, _kind, _name in zip((0, 1, 2, 5, 6), KINDS, distance_names(_network), strict=True):
        _short, _about = _MEASURES[_kind]
        register(SetMetric(
            name=_name, label=", ".join([_short, f"{_title} Inception", *_kind.split("_")[1:]]), better="lower",
            digits=2 if _short == "FID" else 4, place=_first + _place, about=_about.format(_network),
            needs=(f"inception_{_network}",), open=_opener,
        ))  # fmt: skip
