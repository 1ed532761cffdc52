import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from chromagan.errors import DataError, WriteError
from chromagan.files.cache import cache_folder
from chromagan.metrics.feature_store import FeatureStore, ReferenceCache, picture_digest

IMAGES = ["a.png", "b.png", "c.png"]
ROWS = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 7
DIGESTS = [picture_digest(np.full((2, 2, 3), value, np.uint8)) for value in range(3)]


def made(folder, **other):
    return ReferenceCache(**{"folder": folder, "network": "net 1f", "protocol": "folder/1", "images": IMAGES,
                             "dimensions": 4, **other})  # fmt: skip


@pytest.fixture
def cache(tmp_path):
    found = made(tmp_path)
    found.save(DIGESTS, lambda: iter([ROWS[:2], ROWS[2:]]))
    return found


def test_rows_come_back_bit_for_bit(cache, tmp_path):
    again = made(tmp_path)
    assert len(again) == 3
    for digest, row in zip(DIGESTS, ROWS, strict=True):
        assert torch.equal(again.find(digest)[0], row)
    assert again.find(picture_digest(np.zeros((3, 2, 3), np.uint8))) is None


def test_the_file_is_safetensors(cache):
    assert torch.equal(load_file(cache.path)["features"], ROWS)
    with safe_open(cache.path, framework="pt") as file:
        assert file.metadata()["network"] == "net 1f"


@pytest.mark.parametrize("place", [-1, -20, 700, 12])
def test_a_damaged_file_is_refused(cache, tmp_path, place):
    data = bytearray(cache.path.read_bytes())
    data[place % len(data)] ^= 1
    cache.path.write_bytes(data)
    with pytest.raises(DataError, match="cached reference features are") as caught:
        made(tmp_path)
    assert str(cache.path) in str(caught.value)
    assert "delete the file" in str(caught.value)


def test_a_file_cut_short_is_refused(cache, tmp_path):
    for length in (0, 5, 100, -1):
        data = cache.path.read_bytes()
        cache.path.write_bytes(data[:length])
        with pytest.raises(DataError, match="delete the file"):
            made(tmp_path)
        cache.path.write_bytes(data)


@pytest.mark.parametrize("other", [{"network": "net 2e"}, {"protocol": "folder/2"}, {"images": IMAGES[:2]}])
def test_another_network_protocol_or_list_has_another_file(cache, tmp_path, other):
    found = made(tmp_path, **other)
    assert found.path != cache.path
    assert len(found) == 0
    found.path.write_bytes(cache.path.read_bytes())  # renamed by hand
    with pytest.raises(DataError, match="of something else"):
        made(tmp_path, **other)


def test_nothing_is_written_twice(cache):
    before = cache.path.stat().st_mtime_ns
    cache.save(DIGESTS[1:], lambda: pytest.fail("asked for rows that are on disk"))
    assert cache.path.stat().st_mtime_ns == before


def test_a_disk_that_refuses_leaves_nothing(tmp_path):
    cache = made(tmp_path)

    def failing():
        yield ROWS[:1]
        raise OSError(28, "No space left on device")

    with pytest.raises((WriteError, OSError)):
        cache.save(DIGESTS, failing)
    assert not list(tmp_path.iterdir())


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("CHROMAGAN_CACHE", str(tmp_path))
    assert cache_folder("reference") == tmp_path / "reference"
    monkeypatch.delenv("CHROMAGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("reference") == tmp_path / "chromagan" / "reference"


def test_digests_tell_shapes_apart():
    flat = np.arange(12, dtype=np.uint8)
    assert picture_digest(flat.reshape(2, 2, 3)) != picture_digest(flat.reshape(1, 4, 3))
    assert picture_digest(flat.reshape(2, 2, 3)) == picture_digest(np.asfortranarray(flat.reshape(2, 2, 3)))


def test_feature_store_replaces_and_orders():
    store = FeatureStore(4)
    store.put("m", [5, 2], ROWS[:2])
    store.put("n", [5], ROWS[2:])
    store.put("m", [5], ROWS[2:])
    assert store.indices("m") == [2, 5]
    assert torch.equal(store.rows("m", [2, 5]), ROWS[1:])
    assert store.rows("m", []).shape == (0, 4)
    other = FeatureStore(4)
    other.merge(store.state())
    assert sorted(other.keys()) == ["m", "n"]
    assert torch.equal(other.rows("m", [5, 2]), ROWS[1:].flip(0))
    with pytest.raises(ValueError, match="features are"):
        store.put("m", [1], ROWS)
