"""AVIF and HEIC photos: their colours, upright, from files and shards; a line where nothing reads them."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, features

from chromagan.data import heif
from chromagan.data.decode import decode_photo
from chromagan.data.loader import BatchStream
from chromagan.data.photos import find_photos
from chromagan.data.source import PhotoSource
from chromagan.data.training_photos import TrainingPhotos
from chromagan.errors import DataError
from chromagan.images.read_header import heif_format

needs_avif = pytest.mark.skipif(
    "avif" not in features.modules or not features.check("avif"), reason="no AVIF encoder in Pillow"
)


def avif(rgb, **options):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "AVIF", quality=90, **options)
    return buffer.getvalue()


def halves(height=32, width=48):
    """Red above blue: tells orientation and channel order."""
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2], rgb[height // 2 :] = (220, 30, 30), (30, 30, 220)
    return rgb


def written(path, data):
    path.write_bytes(data)
    return PhotoSource(str(path), path.name)


@needs_avif
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "4:0:0"])
def test_avif_colours(tmp_path, photo, subsampling):
    rgb = np.ascontiguousarray(photo(1, gray=subsampling == "4:0:0")[..., ::-1])
    read = decode_photo(written(tmp_path / "a.avif", avif(rgb, subsampling=subsampling)), 10)
    assert read.shape == rgb.shape
    assert read.dtype == np.uint8
    assert read.flags.writeable
    assert np.abs(read.astype(int) - rgb).mean() < 4


@needs_avif
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_avif_is_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = {1: 0, 3: 2, 6: 1, 8: -1}[orientation]  # how the camera was held
    stored = np.ascontiguousarray(np.rot90(halves(), turns))
    read = decode_photo(written(tmp_path / "a.avif", avif(stored, exif=exif)))
    assert read.shape == (32, 48, 3)
    assert np.abs(read.astype(int) - halves()).mean() < 8


@needs_avif
def test_transparency_is_left_out(tmp_path):
    rgba = np.dstack((halves(), np.full((32, 48), 128, np.uint8)))
    read = decode_photo(written(tmp_path / "a.avif", avif(rgba)))
    assert np.abs(read.astype(int) - halves()).mean() < 8


@needs_avif
def test_avif_shards_are_trained_on(tmp_path, photo, make_shard):
    pictures = [np.ascontiguousarray(photo(i)[..., ::-1]) for i in range(4)]
    shard = make_shard(tmp_path / "x-000.tar", {f"{i}.avif": avif(rgb) for i, rgb in enumerate(pictures)})
    photos = TrainingPhotos(find_photos([str(shard)]), 16, 0.6, 4.0, seed=0)
    for workers in (0, 2):
        stream = BatchStream(photos, 4, workers=workers)
        next(iter(stream))
        assert stream.state.seen == 4
        assert stream.state.unreadable == 0


@needs_avif
def test_every_reader_gives_the_same_picture(photo):
    data = avif(np.ascontiguousarray(photo(2)[..., ::-1]))
    pictures = [read(data) for read in heif.readers("AVIF").values()]
    assert all(np.abs(picture.astype(int) - pictures[0]).max() <= 2 for picture in pictures)


@needs_avif
def test_the_next_reader_takes_what_one_refuses(tmp_path, photo, monkeypatch):
    def refuse(data):
        raise OSError("not for me")

    found = {"a": refuse, **heif.readers("AVIF")}
    monkeypatch.setattr(heif, "readers", lambda kind: found)
    source = written(tmp_path / "a.avif", avif(np.ascontiguousarray(photo(1)[..., ::-1])))
    assert decode_photo(source) is not None


@needs_avif
def test_cut_avif_is_unreadable(tmp_path, photo):
    data = avif(np.ascontiguousarray(photo(1)[..., ::-1]))
    assert decode_photo(written(tmp_path / "a.avif", data[: len(data) // 2])) is None
    assert decode_photo(written(tmp_path / "b.avif", data[:20])) is None


def test_heic_is_read_upright(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    if not pillow_heif.libheif_info().get("HEIF"):
        pytest.skip("no HEIC encoder in pillow-heif")
    pillow_heif.from_pillow(Image.fromarray(halves(64, 96))).save(tmp_path / "a.heic", quality=90)
    (tmp_path / "list.txt").write_text("a.heic")
    (source,) = find_photos([str(tmp_path / "list.txt")])
    assert np.abs(decode_photo(source).astype(int) - halves(64, 96)).mean() < 8


@pytest.mark.parametrize(("kind", "suffix", "install"), [("AVIF", ".avif", "pillow"), ("HEIC", ".HEIC", "pillow-heif")])
def test_a_line_where_nothing_reads_them(tmp_path, photo, encoded, make_shard, monkeypatch, kind, suffix, install):
    monkeypatch.setattr(heif, "readers", lambda kind: {})
    (tmp_path / "list.txt").write_text(f"a{suffix}\nc.png\nb{suffix}")
    with pytest.raises(DataError) as caught:
        find_photos([str(tmp_path / "list.txt")])
    line = str(caught.value)
    assert f"2 {kind} photographs" in line
    assert f'pip install "{install}>=' in line
    assert "\n" not in line
    shard = make_shard(tmp_path / "x.tar", {f"a{suffix}": b"?", "c.png": encoded(photo(1))})
    if kind == "AVIF":
        with pytest.raises(DataError, match="x.tar: 1 AVIF photographs, and nothing installed here reads AVIF"):
            find_photos([str(shard)])
    else:  # shards and folders are not searched for HEIC
        assert len(find_photos([str(shard)])) == 1


def test_readers_are_what_is_installed(monkeypatch):
    monkeypatch.setattr(heif.features, "check", lambda name: False)
    monkeypatch.setattr(heif, "_pillow_heif_reads", lambda kind: False)
    for information, names in (("  AVIF:  NO", []), ("  AVIF:   avif (ver 1.4.2)", ["opencv"]), ("", [])):
        monkeypatch.setattr(cv2, "getBuildInformation", lambda text=information: text)
        heif.readers.cache_clear()
        assert list(heif.readers("AVIF")) == names
        assert list(heif.readers("HEIC")) == []
    heif.readers.cache_clear()


def test_formats_by_their_first_bytes():
    def box(*brands):
        return (12 + 4 * len(brands)).to_bytes(4, "big") + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])

    assert heif_format(box(b"mif1", b"mif1", b"avif")) == "AVIF"
    assert heif_format(box(b"heic", b"mif1")) == "HEIC"
    assert heif_format(box(b"isom", b"mp42")) is None
    assert heif_format(b"\xff\xd8\xff") is None
    assert heif_format(b"") is None
