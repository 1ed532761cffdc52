"""Kinds of files as people have them: read as they are meant, or refused in words that help."""

import io
import logging
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, features

from chromagan.errors import ReadError
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import Photo, lacks_grays, read_pages, read_photo
from chromagan.images.write import write_pages, write_photo

CASES = Path(__file__).parent / "cases"
MARK = ProvenanceMark("m", "s", "t")
RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (48, 64, 3), dtype=np.uint16)

# Depth


@pytest.mark.parametrize("kind", ["rgb16", "rgba16", "gray16", "rgb12", "codestream"])
def test_deep_jpeg_2000(tmp_path, kind):
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = {"rgba16": np.dstack([DEEP, DEEP[..., 0]]), "gray16": DEEP[..., 0]}.get(kind, DEEP)
    bits = 12 if kind == "rgb12" else 16
    data = imagecodecs.jpeg2k_encode(pixels >> (16 - bits), level=0, reversible=True, bitspersample=bits,
                                     codecformat="j2k" if kind == "codestream" else "jp2")  # fmt: skip
    (tmp_path / "a.jp2").write_bytes(data)
    photo = read_photo(tmp_path / "a.jp2")
    wanted = np.rint((pixels >> (16 - bits)) * (65535 / (2**bits - 1))).astype(np.uint16)
    np.testing.assert_array_equal(photo.pixels, wanted[..., :3] if wanted.ndim == 3 else wanted)
    assert (photo.alpha is not None) == (kind == "rgba16")


def test_a_jpeg_2000_of_people():
    photo = read_photo(CASES / "jp2_rgb16.jp2")
    assert photo.pixels.dtype == np.uint16
    assert len(np.unique(photo.pixels)) > 256 or (photo.pixels % 257 != 0).any()


def test_deep_ppm_and_avif(tmp_path):
    (tmp_path / "a.ppm").write_bytes(cv2.imencode(".ppm", DEEP[..., ::-1])[1].tobytes())
    np.testing.assert_array_equal(read_photo(tmp_path / "a.ppm").pixels, DEEP)
    imagecodecs = pytest.importorskip("imagecodecs")
    if not features.check("avif"):
        pytest.skip("no AVIF")
    smooth = cv2.resize(DEEP[:6, :8], (64, 48), interpolation=cv2.INTER_CUBIC)
    for bits in (10, 12):
        (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(smooth >> (16 - bits), level=100, bitspersample=bits))
        photo = read_photo(tmp_path / "a.avif")
        if photo.pixels.dtype == np.uint8:  # an OpenCV without AVIF
            assert any(f"its {bits} bits" in note for note in photo.notes)
        else:
            assert np.abs(photo.pixels.astype(float) - smooth).mean() < 400


def test_jpeg_xl(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    for pixels in (RGB, DEEP, RGB[..., 0], np.dstack([RGB, RGB[..., 0]])):
        (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))
        photo = read_photo(tmp_path / "a.jxl")
        np.testing.assert_array_equal(photo.pixels, pixels[..., :3] if pixels.ndim == 3 else pixels)
    with pytest.raises(ReadError, match="64 x 48"):
        read_photo(tmp_path / "a.jxl", max_pixels=64 * 48 - 1)
    large = imagecodecs.jpegxl_encode(np.zeros((1000, 400), np.uint8), lossless=True)
    (tmp_path / "b.jxl").write_bytes(large)
    with pytest.raises(ReadError, match="400 x 1000"):
        read_photo(tmp_path / "b.jxl", max_pixels=1000)


@pytest.mark.parametrize("name", ["jpeg_12bit.jpg", "a.jxl"])
def test_what_another_package_reads_is_named(tmp_path, monkeypatch, name):
    path = CASES / name
    if name == "a.jxl":
        imagecodecs = pytest.importorskip("imagecodecs")
        path = tmp_path / name
        path.write_bytes(imagecodecs.jpegxl_encode(RGB))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ReadError, match="pip install imagecodecs") as caught:
        read_photo(path)
    assert "damaged" not in str(caught.value)
    assert "TIFF" in str(caught.value)


def test_a_jpeg_of_12_bits_is_read():
    pytest.importorskip("imagecodecs")
    photo = read_photo(CASES / "jpeg_12bit.jpg")
    assert photo.pixels.dtype == np.uint16
    truth = read_photo(CASES / "jpeg_xmp_unbound.jpg").pixels
    assert np.abs(photo.pixels / 257 - truth).mean() < 3


@pytest.mark.parametrize("kind", [0xC3, 0xC7, 0xCB])
def test_lossless_jpegs_are_not_called_damaged(tmp_path, kind):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    data[data.index(b"\xff\xc0") + 1] = kind
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ReadError, match="not supported; convert it to PNG or TIFF"):
        read_photo(tmp_path / "a.jpg")


def test_strange_tiffs_are_not_called_damaged(tmp_path):
    for name, array, options in (
        ("lab16", DEEP, {"photometric": 8}), ("float", DEEP.astype(np.float32), {"photometric": "rgb"}),
        ("half", (DEEP / 65535).astype(np.float16), {"photometric": "rgb"}),
        ("signed", DEEP[..., 0].astype(np.int16), {}),
        ("long", DEEP[..., 0].astype(np.uint32), {}), ("icclab", RGB, {"photometric": 9}),
    ):  # fmt: skip
        tifffile.imwrite(tmp_path / f"{name}.tif", array, metadata=None, **options)
        with pytest.raises(ReadError, match="not supported; save it as gray or RGB") as caught:
            read_photo(tmp_path / f"{name}.tif")
        assert "damaged" not in str(caught.value)


RAW = "raw photo"
FIRST_BYTES = [(b"FUJIFILMCCD-RAW 0201", RAW), (b"IIRO\x08\x00\x00\x00", RAW), (b"\x00\x00\x00\x18ftypcrx ", RAW),
               (b"II*\x00\x10\x00\x00\x00CR\x02\x00", RAW), (b"\x76\x2f\x31\x01\x02\x00\x00\x00", "OpenEXR"),
               (b"#?RADIANCE\n", "Radiance"), (b"%PDF-1.7\n", "PDF"), (b"\x00\x00\x00\x18ftypqt  ", "film"),
               (b"gimp xcf file", "GIMP")]  # fmt: skip


@pytest.mark.parametrize(("begin", "words"), FIRST_BYTES, ids=range(len(FIRST_BYTES)))
def test_known_kinds_that_are_not_read_are_named(tmp_path, begin, words):
    (tmp_path / "a.jpg").write_bytes(begin + bytes(100))
    with pytest.raises(ReadError, match=words) as caught:
        read_photo(tmp_path / "a.jpg")
    assert "damaged" not in str(caught.value)


def test_a_raw_photo_is_not_its_preview(tmp_path):
    """DNG and its likes are TIFFs: a small picture first, the sensor's numbers in a directory below."""
    with tifffile.TiffWriter(tmp_path / "a.dng") as writer:
        writer.write(RGB, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(DEEP[..., 0], photometric=32803, metadata=None)
    version = [(50706, 1, 4, b"\x01\x04\x00\x00", True)]
    tifffile.imwrite(tmp_path / "b.dng", RGB, photometric="rgb", metadata=None, extratags=version)
    for name in ("a.dng", "b.dng"):
        with pytest.raises(ReadError, match=RAW):
            read_photo(tmp_path / name)


# Byte counts of 0


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("strips", [1, 3])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"planarconfig": "separate"}], ids=str)
def test_byte_counts_of_zero(tmp_path, order, strips, options):
    array = np.moveaxis(DEEP, -1, 0) if "planarconfig" in options else DEEP
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb", "byteorder": order, "rowsperstrip": -(-48 // strips), "metadata": None, **options}
    tifffile.imwrite(path, array, **options)
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[279]
    data = bytearray(path.read_bytes())
    size = tag.count * (2 if tag.dtype == 3 else 4)
    data[tag.valueoffset : tag.valueoffset + size] = bytes(size)
    path.write_bytes(data)
    np.testing.assert_array_equal(read_photo(path).pixels, DEEP)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"tile": (16, 16), "compression": "zlib"}], ids=str)
def test_byte_counts_that_are_missing(tmp_path, options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP, photometric="rgb", metadata=None, **options)
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        tag = tags[325 if "tile" in options else 279]
    data = bytearray(path.read_bytes())
    if "tile" in options:
        size = tag.count * (2 if tag.dtype == 3 else 4)
        data[tag.valueoffset : tag.valueoffset + size] = bytes(size)
    else:
        struct.pack_into("<H", data, tag.offset, 280)  # a tag of another meaning
    path.write_bytes(data)
    np.testing.assert_array_equal(read_photo(path).pixels, DEEP)


# Several pictures in a file


def several(kind, path):
    frames = [Image.fromarray(np.roll(RGB, 5 * i, 0)) for i in range(3)]
    more = {"save_all": True, "append_images": frames[1:]}
    if kind == "gif":
        frames = [frame.quantize(16) for frame in frames]
        frames[0].save(path, save_all=True, append_images=frames[1:], optimize=False)
    elif kind == "mpo":
        frames[0].save(path, "MPO", **more)
    elif kind == "heic":
        import pillow_heif

        file = pillow_heif.from_pillow(frames[0])
        for frame in frames[1:]:
            file.add_from_pillow(frame)
        file.save(path)
    else:
        frames[0].save(path, **more)


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "avif", "mpo", "heic"])
def test_the_first_of_several_is_told(tmp_path, caplog, kind):
    if kind in ("webp", "avif") and not features.check(kind):
        pytest.skip(f"no {kind}")
    if kind == "heic":
        pytest.importorskip("pillow_heif")
    several(kind, tmp_path / f"a.{kind}")
    photo = read_photo(tmp_path / f"a.{kind}")
    off = [np.abs(photo.pixels - np.roll(RGB, 5 * i, 0).astype(float)).mean() for i in range(3)]
    assert off[0] < 0.8 * min(off[1:])  # it is the first
    with caplog.at_level(logging.WARNING):
        write_photo(photo, tmp_path / "out.png", MARK)
    assert f"{tmp_path / f'a.{kind}'}: this is the first of 3 pictures; the others are left out" in caplog.text


def test_an_animation_whose_still_picture_is_apart(tmp_path):
    """An APNG may have a picture for programs that know no animations; it is the photo."""
    frames = [Image.fromarray(np.roll(RGB, 5 * i, 0)) for i in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=True)
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.pixels, RGB)
    assert any("this is the first of 3 pictures" in note for note in photo.notes)


def test_the_first_of_several_pages_is_told(tmp_path):
    write_pages([Photo(RGB), Photo(RGB[::2])], tmp_path / "a.tif", MARK)
    assert any("first of 2 pages" in note for note in read_photo(tmp_path / "a.tif").notes)
    assert all(page.notes == () for page in read_pages(tmp_path / "a.tif"))


# Without grays


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_black_and_white_alone(depth):
    top = np.iinfo(depth).max
    bits = (np.random.default_rng(0).random((50, 60)) > 0.5).astype(depth) * top
    for pixels in (np.zeros((9, 9), depth), np.full((9, 9), top, depth), bits, np.dstack([bits] * 3)):
        assert lacks_grays(Photo(pixels))
    gray = bits.copy()
    gray[:5] = top // 2
    red = np.zeros((9, 9, 3), depth)
    red[..., 0] = top
    for pixels in (gray, np.full((9, 9), top // 2, depth), red):
        assert not lacks_grays(Photo(pixels))


def test_a_little_gray_in_a_large_picture_is_found():
    pixels = np.zeros((1000, 1000), np.uint8)
    pixels[501:540, 501:540] = 128
    assert not lacks_grays(Photo(pixels))


def test_a_dithered_fax_lacks_grays():
    assert lacks_grays(read_photo(CASES / "tiff_fax_dithered.tif"))
