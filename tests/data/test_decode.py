"""Reduced decoding changes little, and keeps what the EXIF orientation says."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from chromagan.data.decode import decode_photo, jpeg_size, needed_short_side, reduce_to
from chromagan.data.source import PhotoSource


@pytest.fixture
def jpeg(tmp_path, photo):
    def make(height, width, orientation=1, **options):
        image = Image.fromarray(photo(4, height, width)[..., ::-1])
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{height}x{width}-{orientation}.jpg"
        image.save(path, quality=95, exif=exif, **options)
        return PhotoSource(str(path), path.name)

    return make


@pytest.mark.parametrize(("height", "width"), [(400, 600), (37, 91), (1, 1)])
@pytest.mark.parametrize("progressive", [False, True])
def test_size_is_that_of_pillow(jpeg, height, width, progressive):
    data = jpeg(height, width, progressive=progressive).read()
    assert jpeg_size(data) == Image.open(io.BytesIO(data)).size[::-1]


def test_size_of_what_is_no_jpeg(encoded, photo):
    assert jpeg_size(encoded(photo(1))) is None
    assert jpeg_size(b"") is None
    assert jpeg_size(b"\xff\xd8\xff\xe0\x00") is None
    assert jpeg_size(b"\xff\xd8\xff\xe0\x00\x00" * 5) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_photos_are_upright_and_hardly_different(jpeg, orientation):
    source = jpeg(400, 640, orientation)
    whole, reduced = decode_photo(source), decode_photo(source, 90)
    assert min(reduced.shape[:2]) == 100
    assert (whole.shape[0] > whole.shape[1]) == (reduced.shape[0] > reduced.shape[1]) == (orientation >= 5)
    shrunk = cv2.resize(whole, reduced.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - reduced).mean() < 1


@pytest.mark.parametrize(("short", "factor"), [(400, 1), (201, 1), (200, 2), (101, 2), (100, 4), (50, 8), (7, 8)])
def test_never_smaller_than_needed(jpeg, short, factor):
    assert decode_photo(jpeg(400, 640), short).shape == (400 // factor, 640 // factor, 3)


def test_needed_side_never_enlarges_the_smallest_square():
    for size in range(16, 300, 7):
        for smallest in (0.25, 0.5, 0.6, 0.9, 1.0):
            assert round(needed_short_side(size, smallest) * smallest) >= size


def test_other_formats_and_other_files(tmp_path, encoded, photo):
    for suffix in (".png", ".webp", ".bmp", ".tif"):
        (tmp_path / f"a{suffix}").write_bytes(encoded(photo(1), suffix))
        rgb = decode_photo(PhotoSource(str(tmp_path / f"a{suffix}"), "a"), 10)
        assert np.abs(rgb.astype(int) - photo(1)[..., ::-1]).mean() < 4
    assert decode_photo(PhotoSource(str(tmp_path / "absent.png"), "absent")) is None
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert decode_photo(PhotoSource(str(tmp_path / "empty.jpg"), "empty")) is None


def test_copies_are_never_enlarged(photo):
    assert reduce_to(photo(1, 40, 60), 40).shape == (40, 60, 3)
    assert reduce_to(photo(1, 80, 120), 40).shape == (40, 60, 3)
