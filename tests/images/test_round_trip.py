"""Every format, depth and mode out and in again; other programs' readers see what was written."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, features

from chromagan.errors import UsageError, WriteError
from chromagan.images.metadata import ProvenanceMark, read_provenance
from chromagan.images.read import Photo, read_pages, read_photo, to_photo
from chromagan.images.write import output_suffix, write_pages, write_photo

MARK = ProvenanceMark("chromagan", "ab" * 32, "chromagan 0.1.0")


def smooth(shape, dtype=np.uint8, seed=0):
    """Low-frequency content with all code values near it, so that lossy formats stay close."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((4, 5, *shape[2:]))
    fine = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.rint(np.clip(fine, 0, 1) * np.iinfo(dtype).max).astype(dtype)


def photo_of(dtype, channels, alpha, seed=0):
    shape = (37, 53) if channels == 1 else (37, 53, 3)
    return Photo(smooth(shape, dtype, seed), smooth((37, 53), dtype, seed + 9) if alpha else None)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_lossless_round_trip_is_exact(tmp_path, suffix, dtype, channels, alpha):
    photo = photo_of(dtype, channels, alpha)
    path = tmp_path / f"photo{suffix}"
    write_photo(photo, path, MARK)
    back = read_photo(path)
    # 16-bit gray with alpha is stored as RGBA in PNG
    expected = photo.pixels
    if suffix == ".png" and dtype == np.uint16 and channels == 1 and alpha:
        expected = np.dstack([photo.pixels] * 3)
    np.testing.assert_array_equal(back.pixels, expected)
    assert back.pixels.dtype == dtype
    assert back.pixels.flags.c_contiguous
    assert (back.alpha is None) == (not alpha)
    if alpha:
        np.testing.assert_array_equal(back.alpha, photo.alpha)
    assert read_provenance(path) == MARK


def test_other_readers_see_the_same_16_bits(tmp_path):
    photo = photo_of(np.uint16, 3, False)
    write_photo(photo, tmp_path / "a.png", MARK)
    write_photo(photo, tmp_path / "a.tif", MARK)
    by_opencv = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_array_equal(by_opencv, photo.pixels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), photo.pixels)


LOSSY = [
    (".jpg", 3.0),
    pytest.param(".webp", 6.0, marks=pytest.mark.skipif(not features.check("webp"), reason="no WebP")),
    pytest.param(".avif", 4.0, marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF")),
]


@pytest.mark.parametrize(("suffix", "worst"), LOSSY)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_formats_stay_close_and_are_marked(tmp_path, suffix, worst, dtype, channels):
    photo = photo_of(dtype, channels, alpha=suffix != ".jpg")
    path = tmp_path / f"photo{suffix}"
    write_photo(photo, path, MARK)
    wanted = photo.pixels if dtype == np.uint8 else np.rint(photo.pixels / 257)
    pillow = Image.open(path)
    seen = np.asarray(pillow.convert("L" if channels == 1 else "RGB")).astype(float)
    assert np.abs(seen - wanted).mean() < worst / 2
    back = read_photo(path)
    assert back.pixels.dtype == np.uint8
    mine = back.pixels if back.pixels.ndim == seen.ndim else back.pixels[..., 0]
    assert np.abs(mine.astype(float) - seen).max() <= 1
    if suffix != ".jpg":
        alpha = photo.alpha if dtype == np.uint8 else photo.alpha / 257
        assert np.abs(back.alpha.astype(float) - alpha).max() <= worst
    assert read_provenance(path) == MARK


def test_webp_at_quality_100_is_lossless(tmp_path):
    photo = photo_of(np.uint8, 3, True)
    write_photo(photo, tmp_path / "a.webp", MARK, quality=100)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.webp").pixels, photo.pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_heif(tmp_path, dtype):
    pytest.importorskip("pillow_heif")
    shape = (64, 48, 3)
    photo = Photo(smooth(shape, dtype))
    path = tmp_path / "a.heic"
    write_photo(photo, path, MARK)
    back = read_photo(path)
    assert back.format == "heif"
    assert back.pixels.dtype == dtype
    error = np.abs(back.pixels.astype(float) - photo.pixels) / np.iinfo(dtype).max
    assert error.mean() < 0.01
    assert read_provenance(path) == MARK


def test_jpeg_is_written_with_full_chroma_and_alpha_over_white(tmp_path):
    photo = Photo(np.full((16, 16, 3), (200, 30, 30), np.uint8), np.zeros((16, 16), np.uint8))
    photo.alpha[:, :8] = 255
    write_photo(photo, tmp_path / "a.jpg", MARK)
    image = Image.open(tmp_path / "a.jpg")
    assert all(layer[1:3] == (1, 1) for layer in image.layer)
    seen = np.asarray(image).astype(int)
    assert np.abs(seen[:, :7] - (200, 30, 30)).max() < 6
    assert seen[:, 9:].min() > 250


def test_gray_jpeg_is_decoded_as_gray_and_as_pillow_decodes_it(tmp_path):
    gray = smooth((70, 90))
    Image.fromarray(gray).save(tmp_path / "g.jpg", quality=85)
    Image.fromarray(smooth((70, 90, 3))).save(tmp_path / "c.jpg", quality=85, progressive=True)
    for name in ("g.jpg", "c.jpg"):
        mine, pillow = read_photo(tmp_path / name).pixels, np.asarray(Image.open(tmp_path / name))
        assert mine.shape == pillow.shape
        assert np.abs(mine.astype(int) - pillow).max() <= 1


def test_jpeg_with_a_trailer_is_read(tmp_path):
    Image.fromarray(smooth((40, 40))).save(tmp_path / "g.jpg")
    (tmp_path / "t.jpg").write_bytes((tmp_path / "g.jpg").read_bytes() + b"maker's trailer")
    np.testing.assert_array_equal(read_photo(tmp_path / "t.jpg").pixels, np.asarray(Image.open(tmp_path / "g.jpg")))


def modes():
    rgb = Image.fromarray(smooth((20, 30, 3)))
    palette = rgb.quantize(64)
    clear = palette.copy()
    clear.info["transparency"] = 3
    gray = Image.fromarray(smooth((20, 30)))
    yield "palette.png", palette, palette.convert("RGB"), None
    yield "clear.png", clear, clear.convert("RGBA"), None
    yield "gray_palette.gif", gray, gray, None
    yield "bits.png", gray.convert("1"), gray.convert("1").convert("L"), None
    yield "bits.tif", gray.convert("1"), gray.convert("1").convert("L"), {"compression": "group4"}
    yield "la.png", Image.merge("LA", (gray, gray)), Image.merge("LA", (gray, gray)), None
    yield "palette.tif", palette, palette.convert("RGB"), None
    yield "lzw.tif", rgb, rgb, {"compression": "tiff_lzw"}
    yield "rgba.tif", rgb.convert("RGBA"), rgb.convert("RGBA"), None
    yield "photo.bmp", rgb, rgb, None
    yield "photo.ppm", rgb, rgb, None
    yield "photo.tga", rgb, rgb, None
    yield "key.png", rgb, None, {"transparency": tuple(int(v) for v in np.asarray(rgb)[0, 0])}


@pytest.mark.parametrize(
    ("name", "image", "expected", "options"), list(modes()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_modes_agree_with_pillow(tmp_path, name, image, expected, options):
    image.save(tmp_path / name, **(options or {}))
    if name == "clear.png":
        image.save(tmp_path / name, transparency=3)
        expected = Image.open(tmp_path / name).convert("RGBA")
    if expected is None:
        expected = Image.open(tmp_path / name).convert("RGBA")
    back = read_photo(tmp_path / name)
    wanted = np.asarray(expected)
    if expected.mode in ("LA", "RGBA"):
        np.testing.assert_array_equal(back.alpha, wanted[..., -1])
        wanted = wanted[..., 0] if expected.mode == "LA" else wanted[..., :3]
    else:
        assert back.alpha is None
    np.testing.assert_array_equal(back.pixels, wanted)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_without_profile(tmp_path, suffix):
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[:4, :, 0], ink[4:, :, 3] = 255, 128  # cyan above, half black below
    Image.fromarray(ink, "CMYK").save(tmp_path / f"a{suffix}")
    back = read_photo(tmp_path / f"a{suffix}").pixels.astype(int)
    assert np.abs(back[1, 1] - (0, 255, 255)).max() <= 6
    assert np.abs(back[6, 6] - 127).max() <= 6


def test_16_bit_keyed_png_and_gray_alpha(tmp_path):
    deep = smooth((9, 11, 3), np.uint16)
    assert cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    plain = (tmp_path / "a.png").read_bytes()
    body = b"tRNS" + struct.pack(">3H", *deep[2, 3])
    chunk = struct.pack(">I", 6) + body + struct.pack(">I", zlib.crc32(body))
    at = plain.index(b"IDAT") - 4
    (tmp_path / "b.png").write_bytes(plain[:at] + chunk + plain[at:])
    back = read_photo(tmp_path / "b.png")
    np.testing.assert_array_equal(back.pixels, deep)
    np.testing.assert_array_equal(back.alpha == 0, (deep == deep[2, 3]).all(-1))


@pytest.mark.parametrize("kind", ["lzw", "planar", "white", "tiled", "12bit", "big_endian", "bigtiff"])
def test_16_bit_tiff_variants(tmp_path, kind):
    deep = smooth((64, 48, 3), np.uint16)
    path, wanted = tmp_path / "a.tif", deep
    if kind == "lzw":
        assert cv2.imwrite(str(path), deep[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    elif kind == "planar":
        tifffile.imwrite(path, np.moveaxis(deep, -1, 0), photometric="rgb", planarconfig="separate")
    elif kind == "white":
        wanted = deep[..., 0]
        tifffile.imwrite(path, 65535 - wanted, photometric="miniswhite")
    elif kind == "tiled":
        tifffile.imwrite(path, deep, photometric="rgb", tile=(32, 32), compression="zlib")
    elif kind == "12bit":
        pytest.importorskip("imagecodecs")
        tifffile.imwrite(path, deep >> 4, photometric="rgb", bitspersample=12)
        wanted = np.rint((deep >> 4) * (65535 / 4095)).astype(np.uint16)
    else:
        options = {"byteorder": ">"} if kind == "big_endian" else {"bigtiff": True}
        tifffile.imwrite(path, deep, photometric="rgb", **options)
    np.testing.assert_array_equal(read_photo(path).pixels, wanted)


def test_pages_keep_depth_size_and_order(tmp_path):
    pages = [photo_of(np.uint8, 1, False, 1), photo_of(np.uint16, 3, True, 2), Photo(smooth((5, 7, 3), seed=3))]
    write_pages(pages, tmp_path / "a.tif", MARK)
    back = read_pages(tmp_path / "a.tif")
    assert len(back) == 3
    for one, other in zip(pages, back, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(pages[1].alpha, back[1].alpha)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels, pages[0].pixels)
    with pytest.raises(WriteError, match="only TIFF"):
        write_pages(pages, tmp_path / "a.png", MARK)


def test_bilevel_pages_and_previews(tmp_path):
    gray = smooth((32, 32))
    first, second = Image.fromarray(gray).convert("1"), Image.fromarray(gray[::-1].copy()).convert("1")
    first.save(tmp_path / "fax.tif", save_all=True, append_images=[second], compression="group4")
    back = read_pages(tmp_path / "fax.tif")
    np.testing.assert_array_equal(back[1].pixels, np.asarray(second.convert("L")))
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:
        writer.write(gray)
        writer.write(gray[::2, ::2], subfiletype=1)
    assert len(read_pages(tmp_path / "pyramid.tif")) == 1


@pytest.mark.parametrize(
    "array",
    [
        np.array([[True, False]]),
        np.array([[0.0, 0.5, 1.0]]),
        np.zeros((3, 4, 1), np.uint8),
        np.ones((3, 4, 2), np.uint16),
        np.zeros((3, 4, 3), np.float32),
        np.zeros((3, 4, 4), np.uint8),
    ],
)
def test_arrays(array):
    photo = to_photo(array)
    assert photo.pixels.shape[:2] == array.shape[:2]
    assert photo.pixels.dtype == (np.uint8 if array.dtype in (bool, np.uint8) else np.uint16)
    assert (photo.alpha is not None) == (array.ndim == 3 and array.shape[2] in (2, 4))
    top = np.iinfo(photo.pixels.dtype).max
    if array.dtype.kind in "bf":
        first = array if array.ndim == 2 else array[..., :3]
        np.testing.assert_array_equal(photo.pixels, np.rint(first.astype(float) * top))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.full((2, 2), 2.0),
        np.full((2, 2), np.nan),
        np.zeros((2, 2), np.int64),
        np.zeros((0, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_photo(array):
    with pytest.raises(UsageError):
        to_photo(array)


def test_pillow_images_carry_over(tmp_path):
    image = Image.fromarray(smooth((6, 8, 3)))
    image.info["transparency"] = tuple(int(v) for v in np.asarray(image)[0, 0])
    exif = image.getexif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif.tobytes())
    photo = to_photo(Image.open(buffer))
    assert photo.pixels.shape == (8, 6, 3)
    assert photo.alpha is not None
    assert b"Maker" in photo.metadata.exif
    assert to_photo(Image.fromarray(smooth((6, 8)))).format == "png"


def test_output_suffix_rules():
    assert output_suffix("jpeg", None, 8) == ".jpg"
    assert output_suffix("jpeg", None, 16) == ".png"
    assert output_suffix("tiff", None, 16) == ".tif"
    assert {output_suffix(name, None, 8) for name in ("gif", "bmp", "jpeg2000", "ppm")} == {".png"}
    assert output_suffix("png", "JPG", 16) == ".jpg"
    assert output_suffix("jpeg", ".tiff", 8) == ".tif"
    with pytest.raises(UsageError, match="bmp"):
        output_suffix("jpeg", "bmp", 8)
