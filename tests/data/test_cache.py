"""Cached photos give the squares that uncached ones give."""

import threading

import cv2
import numpy as np
import pytest
import torch

from chromagan.data import cache as cache_module
from chromagan.data.augmentation import Square, cut_square
from chromagan.data.cache import PhotoCache, free_memory
from chromagan.data.loader import BatchStream
from chromagan.data.photos import find_photos
from chromagan.data.training_photos import TrainingPhotos
from chromagan.errors import DataError

CPU = torch.device("cpu")


@pytest.fixture
def open_photos(make_folder):
    folder = make_folder(6, gray=2, broken=1, height=90, width=130)
    small = make_folder(2, name="small", height=20, width=26)  # enlarged by every square

    def make(device="none", workers=0, seed=2):
        found = find_photos([str(folder), str(small)])
        photos = TrainingPhotos(found, 32, 0.6, 4.0, seed)
        if device != "none":
            photos.fill_cache(CPU if device == "device" else None, workers)
        return photos

    return make


@pytest.mark.parametrize("kind", ["ram", "device"])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_uncached_path(open_photos, kind, workers):
    plain, cached = BatchStream(open_photos(), 5), BatchStream(open_photos(kind, workers), 5, workers)
    one, other = iter(plain), iter(cached)
    for _ in range(6):
        a, b = next(one), next(other)
        assert torch.equal(a.ordinals, b.ordinals)
        assert b.rgb.dtype == torch.uint8
        difference = (a.rgb.float() - b.rgb.float()).abs().mean((1, 2, 3))
        # ram: a square is placed to a whole pixel of the smaller copy
        assert difference.max() < {"ram": 6, "device": 3}[kind]
        assert plain.state == cached.state


def test_a_flip_or_shift_would_be_noticed(open_photos):
    a, b = next(iter(BatchStream(open_photos(), 5))), next(iter(BatchStream(open_photos("device"), 5)))
    assert (a.rgb.float() - b.rgb.float()).abs().mean() < 4 < (a.rgb.float() - b.rgb.flip(3).float()).abs().mean()
    assert (a.rgb.float() - b.rgb.roll(4, 2).float()).abs().mean() > 4


@pytest.mark.parametrize("side", [20, 32, 45, 64, 79])
@pytest.mark.parametrize("flip", [False, True])
def test_device_squares_are_opencvs(tmp_path, side, flip):
    noise = np.random.default_rng(0).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), noise[..., ::-1])
    photos = find_photos([str(tmp_path)])
    held = PhotoCache(photos, 200, 0.0, CPU, np.array([np.nan]))
    square = Square(7, 1, side, flip)
    ours = held.squares([0], [square], 32)[0].permute(1, 2, 0).numpy().astype(int)
    if side >= 32:
        theirs = cut_square(noise, square, 32)
    else:
        theirs = cv2.resize(noise[7 : 7 + side, 1 : 1 + side], (32, 32), interpolation=cv2.INTER_LINEAR)
        theirs = theirs[:, ::-1] if flip else theirs
    assert np.abs(ours - theirs.astype(int)).max() <= 1


def test_a_square_does_not_depend_on_its_neighbours(open_photos):
    photos = open_photos("device")
    usable = [o for o in range(40) if photos.foreseen(o) == 0][:12]
    together = photos.cached_batch(usable)
    alone = torch.cat([photos.cached_batch([ordinal]) for ordinal in usable])
    assert (together.int() - alone.int()).abs().max() <= 1


def test_near_gray_and_unreadable_photos_take_no_room(open_photos):
    held = open_photos("ram").cache
    usable = [index for index in range(11) if held.holds(index)]
    assert len(usable) == 8
    assert len(held.pixels) == sum(held.photo(index).shape[0] * held.photo(index).shape[1] for index in usable)
    assert all(min(held.photo(index).shape[:2]) <= 54 for index in usable)  # 32 / 0.6, rounded up
    assert np.isnan(held.chroma).sum() == 1


def test_too_many_photos_are_refused(open_photos, monkeypatch):
    monkeypatch.setattr(cache_module, "free_memory", lambda device: 1000.0)
    with pytest.raises(DataError, match="--cache ram: .* GB are free; use --cache none"):
        open_photos("ram")


def test_a_low_estimate_is_mended(open_photos, monkeypatch):
    monkeypatch.setattr(cache_module, "_refuse_what_does_not_fit", lambda reader, device: 1.0)
    whole = open_photos("ram").cache
    assert (whole.photo(0) == open_photos("ram").cache.photo(0)).all()
    assert len(whole.pixels) == whole.small.prod(1).sum()


def test_free_memory_is_positive():
    assert 0 < free_memory(CPU) < 1e14


def test_only_gray_photos_are_an_error(make_folder):
    photos = TrainingPhotos(find_photos([str(make_folder(0, gray=2))]), 16, 0.6, 4.0, 1)
    photos.fill_cache(CPU)
    with pytest.raises(DataError, match="no usable photograph"):
        next(iter(BatchStream(photos, 2)))


def test_workers_start_after_opencv_has_used_its_threads(open_photos):
    photo = np.zeros((1500, 2000, 3), np.uint8)
    before = cv2.getNumThreads()
    cv2.setNumThreads(4)  # a worker is a fork, which has the pool but not its threads
    for _ in range(5):
        user = threading.Thread(target=cv2.GaussianBlur, args=(photo, (31, 31), 5))
        user.start()
        user.join()
        open_photos("ram", 2)
    cv2.setNumThreads(before)
