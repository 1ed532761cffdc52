"""The training photographs of a run as items of an endless seeded stream: decoded, filtered, cropped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from chromagan.data.augmentation import Square, cut_square, draw_square, square_in_smaller_copy
from chromagan.data.cache import PhotoCache
from chromagan.data.decode import decode_photo, needed_short_side
from chromagan.data.near_gray import ManifestWriter, mean_chroma, read_manifest
from chromagan.data.photos import find_photos
from chromagan.data.source import PackedPhotos, Photo
from chromagan.options import Section, at_least, option

USED, NEAR_GRAY, UNREADABLE = 0, 1, 2


@dataclass(frozen=True)
class DataOptions(Section):
    """The part of a run's configuration that the room of data needs."""

    data: list[str] = option(
        [],
        "training photographs: folders, .tar shards (globs, {000..009}, URLs), .txt lists, "
        "torchvision:NAME?root=DIR, hf:NAME?split=train",
    )
    size: int = option(128, "side of the training squares in pixels", at_least(32))
    smallest_crop: float = option(
        0.6, "random squares have at least this share of the short side", lambda share: 0 < share <= 1
    )
    min_chroma: float = option(4.0, "photos of a smaller mean Lab chroma are left out as near-gray", at_least(0))
    manifest: str = option(
        "", "file that remembers each photo's chroma; near_gray.csv in the run folder by default", free=True
    )
    cache: str = option("none", "keep all photos decoded in memory", choices=("none", "ram", "device"))
    shard_cache: str = option(
        "", "folder for indexes of remote shards, and for shards of servers without byte ranges", free=True
    )
    workers: int = option(1, "processes that decode photographs", at_least(0), free=True)


class TrainingPhotos(Dataset[tuple[Tensor, int, int, float]]):
    """Decodes, filters and crops; item `ordinal` depends on (seed, ordinal) alone, whichever worker makes it.

    Args:
        photos: the photos, in an order that is the same in every run.
        size: side of the squares in pixels.
        smallest_crop: a square has at least this share of the photo's short side.
        min_chroma: photos of a smaller mean Lab chroma are near-gray.
        seed: of order and crops.
        manifest: file of measured chromas, read here; `BatchStream` appends to it. None keeps no file.

    Attributes:
        chroma: (photos,) measured so far, NaN elsewhere.
        unreadable: index and name of those that could not be read.
        cache: the decoded photos, after `fill_cache`.
        cuts_on_device: whether squares are cut where the cache lies, a batch at a time.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        size: int,
        smallest_crop: float,
        min_chroma: float,
        seed: int,
        manifest: Path | None = None,
    ) -> None:
        self.photos = PackedPhotos(photos)
        self.size, self.smallest_crop = size, smallest_crop
        self.min_chroma, self.seed, self.manifest = min_chroma, seed, manifest
        self.cache: PhotoCache | None = None
        self.cuts_on_device = False
        self.chroma = np.full(len(self.photos), np.nan)
        self.unreadable: dict[int, str] = {}
        self._short_side = needed_short_side(size, smallest_crop)
        self._orders: dict[int, np.ndarray] = {}
        known = read_manifest(manifest) if manifest is not None else {}
        for index, photo in enumerate(self.photos if known else ()):
            if photo.name in known:
                self.chroma[index] = known[photo.name]
                if math.isnan(known[photo.name]):
                    self.unreadable[index] = photo.name

    def fill_cache(self, device: torch.device | None, workers: int = 0, rank: int = 0) -> None:
        """Decode all photos once into memory, in so many `workers`; `DataError` where they would not fit.

        Squares are cut where the memory of `device` lies; None is ordinary memory, from which the workers cut them.
        """
        known = self.chroma.copy()
        place, self.cuts_on_device = device or torch.device("cpu"), device is not None
        self.cache = PhotoCache(self.photos, self._short_side, self.min_chroma, place, known, workers)
        with ManifestWriter(self.manifest, rank) as writer:
            for index in np.flatnonzero(np.isnan(known)):
                self.learn(int(index), float(self.cache.chroma[index]), writer)

    def learn(self, index: int, chroma: float, writer: ManifestWriter) -> None:
        """Keep what was measured of a photo (NaN: it could not be read), and write it down the first time."""
        if math.isnan(chroma):
            if index not in self.unreadable:
                self.unreadable[index] = self.photos[index].name
                writer.add(self.unreadable[index], chroma)
        elif math.isnan(self.chroma[index]):
            self.chroma[index] = chroma
            writer.add(self.photos[index].name, chroma)

    def index_of(self, ordinal: int) -> int:
        """Which photo comes at a place of the endless stream: a new permutation every epoch."""
        epoch, place = divmod(ordinal, len(self.photos))
        if epoch not in self._orders:
            while len(self._orders) > 1:  # two: reading ahead crosses into the next epoch
                del self._orders[min(self._orders)]
            self._orders[epoch] = np.random.default_rng((self.seed, epoch)).permutation(len(self.photos))
        return int(self._orders[epoch][place])

    def foreseen(self, ordinal: int) -> int:
        """The status of a place as far as it is known without decoding. Unreadable files are always tried again."""
        index = self.index_of(ordinal)
        if self.chroma[index] < self.min_chroma:
            return NEAR_GRAY
        return UNREADABLE if self.cache is not None and not self.cache.holds(index) else USED

    def has_hope(self) -> bool:
        """Whether any photo is of use, as far as it is known without decoding."""
        if self.cache is not None:
            return bool(self.cache.small[:, 0].any())
        return not bool((self.chroma < self.min_chroma).all())

    def square_of(self, ordinal: int, height: int, width: int) -> Square:
        """The random square that a place of the stream takes from its photo."""
        return draw_square(height, width, self.smallest_crop, np.random.default_rng((self.seed, ordinal, 1)))

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, ordinal: int) -> tuple[Tensor, int, int, float]:
        """The photo at a place of the stream: (3, size, size) uint8, status, ordinal, chroma (NaN: unreadable)."""
        index = self.index_of(ordinal)
        if self.cache is not None:
            return self._cached(ordinal, index)
        nothing = torch.zeros(3, self.size, self.size, dtype=torch.uint8)
        rgb = decode_photo(self.photos[index], self._short_side)
        if rgb is None:
            return nothing, UNREADABLE, ordinal, math.nan
        chroma = mean_chroma(rgb)
        if chroma < self.min_chroma:
            return nothing, NEAR_GRAY, ordinal, chroma
        square = cut_square(rgb, self.square_of(ordinal, *rgb.shape[:2]), self.size)
        return torch.from_numpy(square).permute(2, 0, 1), USED, ordinal, chroma

    def _cached(self, ordinal: int, index: int) -> tuple[Tensor, int, int, float]:
        assert self.cache is not None
        rgb, (height, width) = self.cache.photo(index), self.cache.full[index].tolist()
        square = square_in_smaller_copy(self.square_of(ordinal, height, width), (height, width), rgb.shape[:2])
        cut = cut_square(rgb, square, self.size)
        return torch.from_numpy(cut).permute(2, 0, 1), USED, ordinal, float(self.cache.chroma[index])

    def cached_batch(self, ordinals: Sequence[int]) -> Tensor:
        """The squares of these places, cut where the cache lies: (N, 3, size, size) uint8."""
        assert self.cache is not None
        indices = [self.index_of(ordinal) for ordinal in ordinals]
        full = self.cache.full[indices].tolist()
        squares = [self.square_of(ordinal, *sides) for ordinal, sides in zip(ordinals, full, strict=True)]
        return self.cache.squares(indices, squares, self.size)


def open_training_photos(
    options: DataOptions,
    seed: int = 0,
    folder: Path | None = None,
    device: torch.device | None = None,
    rank: int = 0,
    found: Sequence[Photo] | None = None,
) -> TrainingPhotos:
    """Find the photographs of a run, with their manifest and, if asked for, their cache.

    Args:
        options: which they are.
        seed: of order and crops.
        folder: the run folder, which holds the manifest unless `options.manifest` names one.
        device: where training runs, for `cache="device"`; the CPU by default.
        rank: of this process, for the name of its manifest.
        found: the photographs, where they were listed already.

    Raises:
        DataError: photographs that are not there, a damaged manifest, a cache that does not fit.
    """
    manifest = Path(options.manifest) if options.manifest else folder / "near_gray.csv" if folder is not None else None
    found = find_photos(options.data, options.shard_cache) if found is None else found
    photos = TrainingPhotos(found, options.size, options.smallest_crop, options.min_chroma, seed, manifest)
    if options.cache != "none":
        place = (device or torch.device("cpu")) if options.cache == "device" else None
        photos.fill_cache(place, options.workers, rank)
    return photos
