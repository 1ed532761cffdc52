"""Pictures come back as they were put, and what does not fit is simply not held."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chromagan.evaluation.picture_store import PictureStore


def picture(seed, height=9, width=7):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_pictures_come_back_from_any_thread():
    store = PictureStore()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: store.put("a" if i % 2 else "b", i, picture(i, 5 + i % 3)), range(60)))
        found = list(pool.map(lambda i: store.get("a" if i % 2 else "b", i), range(60)))
    for i, pixels in enumerate(found):
        np.testing.assert_array_equal(pixels, picture(i, 5 + i % 3))
    assert store.get("a", 0) is None
    assert store.get("c", 1) is None


def test_a_full_store_keeps_the_latest_image_alone():
    size = picture(0).nbytes
    store = PictureStore(limit=2 * size)
    for index in range(4):
        store.put("truth", index, picture(index))
        store.put("made", index, picture(9 + index))
    assert store.get("truth", 1) is None
    assert store.get("made", 2) is None
    for method, index, seed in (("truth", 0, 0), ("made", 0, 9), ("truth", 3, 3), ("made", 3, 12)):
        np.testing.assert_array_equal(store.get(method, index), picture(seed))


def test_a_disk_that_refuses_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    store = PictureStore()
    store.put("truth", 0, picture(0))
    store.put("truth", 1, picture(1))
    assert store.get("truth", 0) is None
