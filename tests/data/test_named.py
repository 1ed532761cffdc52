"""Places of all kinds, and data sets by name."""

import pickle
import sys
import types

import numpy as np
import pytest
from PIL import Image

from chromagan.data.decode import decode_photo
from chromagan.data.loader import BatchStream
from chromagan.data.photos import find_photos
from chromagan.data.shards import expand_braces
from chromagan.data.source import PackedPhotos
from chromagan.data.training_photos import TrainingPhotos
from chromagan.errors import DataError


def test_braces():
    assert expand_braces("a{008..011}.tar") == ["a008.tar", "a009.tar", "a010.tar", "a011.tar"]
    assert expand_braces("{a,b}/{0..1}.tar") == ["a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"]
    assert expand_braces("plain{x}.tar") == ["plain{x}.tar"]
    with pytest.raises(DataError, match="backwards"):
        expand_braces("a{3..1}.tar")


def test_brace_range_of_local_shards(tmp_path, make_shard, photo, encoded):
    for s in range(3):
        make_shard(tmp_path / f"x-00{s}.tar", {"a/b.png": encoded(photo(s)), "a/b.json": b"{}", "c.jpg": b"?"})
    found = find_photos([str(tmp_path / "x-{000..002}.tar")])
    assert [p.name for p in found] == [f"{tmp_path}/x-00{s}.tar/{n}" for s in range(3) for n in ("a/b.png", "c.jpg")]
    assert found[2].read() == encoded(photo(1))
    with pytest.raises(DataError, match=r"x-003\.tar: not found"):
        find_photos([str(tmp_path / "x-{000..003}.tar")])


def test_lists_are_relative_to_themselves(make_folder, make_shard, tmp_path, monkeypatch, photo, encoded):
    folder = make_folder(2)
    make_shard(tmp_path / "s.tar", {"z.png": encoded(photo(5))})
    listing = tmp_path / "list.txt"
    listing.write_text("photos/a001.png\n\nphotos/a000.png\ns.tar\nphotos/absent.png\n")
    monkeypatch.chdir(folder)
    found = find_photos(["../list.txt"])
    assert [p.name for p in found[:3]] == [f"{folder}/a001.png", f"{folder}/a000.png", f"{tmp_path}/s.tar/z.png"]
    assert [decode_photo(p) is None for p in found] == [False, False, False, True]


def test_names_are_unlike_each_other(make_folder):
    places = [str(make_folder(2, name=name)) for name in ("one", "two")]
    assert len({p.name for p in find_photos(places)}) == 4


def test_packed_photos_are_the_photos(make_folder):
    found = find_photos([str(make_folder(3))])
    packed = PackedPhotos(found)
    assert list(packed) == found
    assert packed[-1] == found[2]
    assert list(pickle.loads(pickle.dumps(packed))) == found
    with pytest.raises(IndexError):
        packed[3]


class FakeFlowers:
    """A data set as torchvision's: PIL images made from files."""

    def __init__(self, root, split: str = "train", small: bool = False, transform=None, download: bool = False):
        if root != "DIR":
            raise RuntimeError("Dataset not found.\nYou can use download=True")
        self.arguments = (root, split, small, download)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        return Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)), index


@pytest.fixture
def torchvision(monkeypatch):
    package, datasets = types.ModuleType("torchvision"), types.ModuleType("torchvision.datasets")
    datasets.FakeFlowers = FakeFlowers
    package.datasets = datasets
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)


def test_torchvision_sets_by_name(torchvision, monkeypatch):
    made = []
    monkeypatch.setattr(FakeFlowers, "__len__", lambda self: made.append(self.arguments) or 4)
    found = find_photos(["torchvision:FakeFlowers?root=DIR&split=val&small=1"])
    assert made == [("DIR", "val", True, False)]  # nothing is downloaded unasked
    assert np.array_equal(decode_photo(found[2]), FakeFlowers("DIR")[2][0])
    assert len(pickle.dumps(found[2])) < 300
    batch = next(iter(BatchStream(TrainingPhotos(found, 16, 0.6, 0.0, 0), 3, workers=1)))
    assert batch.rgb.shape == (3, 3, 16, 16)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("torchvision:Nothing?root=DIR", "has no Nothing"),
        ("torchvision:FakeFlowers?root=DIR&plit=val", "no option plit; it has root, split, small, download"),
        ("torchvision:FakeFlowers?root=OTHER", "Dataset not found. .*download=1 to fetch it"),
        ("torchvision:FakeFlowers", "root"),
    ],
)
def test_wrong_names_and_options_are_told(torchvision, place, message):
    with pytest.raises(DataError, match=message):
        find_photos([place])


def test_the_real_torchvision(tmp_path, photo, encoded):
    try:
        import torchvision.datasets  # noqa: F401
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision cannot be imported here: {error}")
    for i in range(3):
        (tmp_path / "class").mkdir(exist_ok=True)
        (tmp_path / "class" / f"{i}.png").write_bytes(encoded(photo(i)))
    found = find_photos([f"torchvision:ImageFolder?root={tmp_path}"])
    assert [p.read() for p in found] == [encoded(photo(i)) for i in range(3)]  # the files themselves


def test_hugging_face_sets(tmp_path, photo, encoded, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    features = datasets.Features({"label": datasets.Value("int64"), "picture": datasets.Image()})
    rows = {"label": [0, 1, 2], "picture": [{"bytes": encoded(photo(i)), "path": None} for i in range(3)]}
    made = datasets.Dataset.from_dict(rows, features=features)
    made.save_to_disk(str(tmp_path / "plain"))
    datasets.DatasetDict({"train": made, "test": made.select([1])}).save_to_disk(str(tmp_path / "splits"))
    for place, seeds in (("plain", (0, 1, 2)), ("splits?split=test&column=picture", (1,))):
        found = find_photos([f"hf:{tmp_path}/{place}"])
        assert [p.read() for p in found] == [encoded(photo(i)) for i in seeds]
    with pytest.raises(DataError, match="column=NAME, one of label, picture"):
        find_photos([f"hf:{tmp_path}/plain?column=image"])
    with pytest.raises(DataError, match="cannot be opened"):
        find_photos([f"hf:{tmp_path}/splits?split=val"])
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.png").write_bytes(encoded(photo(7)))
    found = find_photos([f"hf:imagefolder?data_dir={files}&cache_dir={tmp_path}/hf"])
    assert [p.read() for p in found] == [encoded(photo(7))]


def test_missing_datasets_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"chromagan\[huggingface\]"):
        find_photos(["hf:someone/something"])
