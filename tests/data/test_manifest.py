"""The manifest of measured chroma: the same stream with and without it, and it survives a kill."""

import math
from dataclasses import asdict

import pytest
import torch

from chromagan.data import training_photos
from chromagan.data.loader import BatchStream
from chromagan.data.near_gray import ManifestWriter, read_manifest
from chromagan.data.photos import find_photos
from chromagan.data.training_photos import TrainingPhotos
from chromagan.errors import DataError


@pytest.fixture
def stream_of(make_folder, tmp_path):
    folder = make_folder(5, gray=3, broken=1)

    def make(manifest=None, min_chroma=4.0, **options):
        photos = TrainingPhotos(find_photos([str(folder)]), 16, 0.6, min_chroma, 1, manifest)
        return BatchStream(photos, 4, **options)

    return make


def take(stream, count):
    iterator = iter(stream)
    return [(b.rgb, b.ordinals, asdict(stream.state)) for b in (next(iterator) for _ in range(count))]


def same(some, others):
    return all(
        torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and a[2] == b[2] for a, b in zip(some, others, strict=True)
    )


@pytest.mark.parametrize("options", [{}, {"workers": 2}, {"rank": 1, "world": 2}])
def test_batches_and_counts_are_the_same_with_and_without(stream_of, tmp_path, options):
    plain = take(stream_of(**options), 6)
    manifest = tmp_path / "near_gray.csv"
    assert same(take(stream_of(manifest, **options), 6), plain)
    known = read_manifest(manifest)
    assert len(known) == 9
    assert sum(math.isnan(chroma) for chroma in known.values()) == 1
    assert same(take(stream_of(manifest, **options), 6), plain)


def test_known_near_gray_photos_are_not_decoded(stream_of, tmp_path, monkeypatch):
    decoded = []
    real = training_photos.decode_photo
    monkeypatch.setattr(
        training_photos, "decode_photo", lambda photo, side: decoded.append(photo.name[-8:]) or real(photo, side)
    )
    manifest = tmp_path / "m.csv"
    take(stream_of(manifest), 8)  # over three epochs
    gray = [name for name in decoded if name.startswith("g")]
    assert sorted(gray) == ["g000.png", "g001.png", "g002.png"]
    decoded.clear()
    take(stream_of(manifest), 8)
    assert not [name for name in decoded if name.startswith("g")]
    take(stream_of(manifest, min_chroma=0.0), 8)  # the manifest holds the chroma, not the verdict
    assert [name for name in decoded if name.startswith("g")]


def test_a_repaired_photo_is_used_again(make_folder, tmp_path, photo, encoded):
    folder, manifest = make_folder(2, broken=1), tmp_path / "m.csv"

    def stream():
        return BatchStream(TrainingPhotos(find_photos([str(folder)]), 16, 0.6, 4.0, 1, manifest), 4)

    first = stream()
    next(iter(first))
    assert first.state.unreadable
    (folder / "x000.jpg").write_bytes(encoded(photo(77)))
    second = stream()
    next(iter(second))
    assert not second.state.unreadable


def test_a_torn_last_line_is_ignored_and_replaced(tmp_path):
    file = tmp_path / "m.csv"
    names = ["/a/b,c.png", '/a/"quoted".png', "/ä/x.png", "=1+1.png", "-@'+.png", "'=x.png", "'a.png"]
    with ManifestWriter(file) as writer:
        for i, name in enumerate(names):
            writer.add(name, 12.0 + i / 3)
        writer.add("/broken.jpg", math.nan)
    whole = file.read_bytes()
    cells = [line.partition(b",")[2].lstrip(b'"') for line in whole.splitlines()]
    assert not any(cell.startswith((b"=", b"+", b"-", b"@")) for cell in cells), "no name is a formula"
    for cut in range(1, len(b"unreadable,/broken.jpg\n")):
        file.write_bytes(whole[:-cut])
        known = read_manifest(file)
        assert known == {name: 12.0 + i / 3 for i, name in enumerate(names)}
    with ManifestWriter(file) as writer:
        writer.add("/later.png", 5.0)
    assert read_manifest(file) == {**known, "/later.png": 5.0}


def test_ranks_write_their_own_files_and_read_all(tmp_path):
    file = tmp_path / "near_gray.csv"
    for rank in range(3):
        with ManifestWriter(file, rank) as writer:
            writer.add(f"photo{rank}", float(rank))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "near_gray.csv",
        "near_gray.rank1.csv",
        "near_gray.rank2.csv",
    ]
    assert read_manifest(file) == {"photo0": 0.0, "photo1": 1.0, "photo2": 2.0}


def test_another_file_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("name;size\nx;3\n")
    with pytest.raises(DataError, match="m.csv"):
        read_manifest(tmp_path / "m.csv")


def test_only_gray_photos_are_an_error_with_a_manifest_too(make_folder, tmp_path):
    folder = make_folder(0, gray=3)
    for _ in range(2):
        photos = TrainingPhotos(find_photos([str(folder)]), 16, 0.6, 4.0, 1, tmp_path / "m.csv")
        with pytest.raises(DataError, match="no usable photograph"):
            next(iter(BatchStream(photos, 2)))
