"""Kinds of files as people have them: read as they are meant, or refused in words that help."""

import io
import logging
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin, features

from chromagan.errors import ReadError
from chromagan.images.coding import profile_of_code_points
from chromagan.images.exif import directories
from chromagan.images.metadata import ProvenanceMark, read_provenance
from chromagan.images.read import Photo, lacks_grays, read_pages, read_photo
from chromagan.images.write import write_pages, write_photo

CASES = Path(__file__).parent / "cases"
MARK = ProvenanceMark("m", "s", "t")
RAMP = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (16, 1))
RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (48, 64, 3), dtype=np.uint16)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(path, pixels, *chunks):
    """A PNG with chunks before its pixels."""
    data = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])[1].tobytes()
    path.write_bytes(data[:33] + b"".join(chunks) + data[33:])
    return path


def decode(code):
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def encode(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


# Where a PNG keeps what it says


def exif():
    block = Image.Exif()
    block[0x010E], block[0x0112] = "Grandmother", 6
    return block.tobytes()


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="attic"/></rdf:RDF></x:xmpmeta>'
)
IPTC = b"\x1c\x02\x78\x00\x04wall"


def raw(name, content):
    return f"\n{name}\n{len(content):8}\n".encode() + content.hex().encode() + b"\n"


def text_chunk(form, keyword, text):
    if form == "tEXt":
        return chunk(b"tEXt", keyword + b"\x00" + text)
    if form == "zTXt":
        return chunk(b"zTXt", keyword + b"\x00\x00" + zlib.compress(text))
    packed = form == "iTXt packed"
    body = zlib.compress(text) if packed else text
    return chunk(b"iTXt", keyword + (b"\x00\x01\x00" if packed else b"\x00\x00\x00") + b"\x00\x00" + body)


FORMS = ["tEXt", "zTXt", "iTXt", "iTXt packed"]
OLD = {"exif": raw("exif", exif()), "APP1": raw("generic profile", exif()),
       "app1": raw("xmp", b"http://ns.adobe.com/xap/1.0/\x00" + XMP),
       "xmp": raw("xmp", XMP), "iptc": raw("iptc", IPTC),
       "8bim": raw("8bim", b"8BIM\x04\x04\x00\x00\x00\x00\x00\x09" + IPTC + b"\x00")}  # fmt: skip


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OLD)
def test_older_forms_of_metadata_are_found_wherever_they_stand(tmp_path, name, form, behind):
    extra = text_chunk(form, b"Raw profile type " + name.encode(), OLD[name])
    data = cv2.imencode(".png", RGB)[1].tobytes()
    at = len(data) - 12 if behind else 33
    (tmp_path / "a.png").write_bytes(data[:at] + extra + data[at:])
    photo = read_photo(tmp_path / "a.png")
    if name in ("exif", "APP1"):
        assert b"Grandmother" in photo.metadata.exif
        assert photo.pixels.shape == (64, 48, 3)  # turned
    elif name in ("xmp", "app1"):
        assert b"attic" in photo.metadata.xmp
    else:
        assert photo.metadata.iptc == IPTC
    assert photo.metadata.texts == ()


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_xmp_and_our_mark_are_found_behind_the_pixels(tmp_path, form, behind):
    write_photo(Photo(RGB), tmp_path / "a.png", MARK)
    packet = Image.open(tmp_path / "a.png").info["xmp"]
    data = cv2.imencode(".png", RGB)[1].tobytes()
    at = len(data) - 12 if behind else 33
    (tmp_path / "b.png").write_bytes(data[:at] + text_chunk(form, b"XML:com.adobe.xmp", packet) + data[at:])
    assert read_provenance(tmp_path / "b.png") == MARK


def test_exif_behind_the_pixels(tmp_path):
    data = cv2.imencode(".png", RGB)[1].tobytes()
    (tmp_path / "a.png").write_bytes(data[:-12] + chunk(b"eXIf", exif().removeprefix(b"Exif\x00\x00")) + data[-12:])
    photo = read_photo(tmp_path / "a.png")
    assert photo.pixels.shape == (64, 48, 3)
    assert b"Grandmother" in photo.metadata.exif


# Captions keep their bytes

CAPTION, ARTIST = "Großmutter Müller".encode() + b"\x00", "Łódź".encode() + b"\x00"


def exif_block(order):
    """ImageDescription, Artist, XPTitle, Rating and a comment in wide characters; both orders of bytes."""
    title = "Wedding ü".encode("utf-16-le") + b"\x00\x00"
    word = "Müller".encode("utf-16-" + ("le" if order == "<" else "be"))
    entries = [(270, 2, CAPTION), (315, 2, ARTIST), (18246, 3, struct.pack(order + "H", 5)), (40091, 1, title)]
    inner = [(37510, 7, b"UNICODE\x00" + word), (33434, 5, struct.pack(order + "II", 1, 125))]
    return b"MM\x00*II*\x00"[4 * (order == "<") :][:4] + struct.pack(order + "I", 8) + layout(entries, inner, order)


def layout(entries, inner, order):
    def directory(rows, at, pointer=None):
        count = len(rows) + (pointer is not None)
        table, values, start = struct.pack(order + "H", count), b"", at + 2 + 12 * count + 4
        for code, kind, value in rows:
            size = {2: 1, 1: 1, 7: 1, 3: 2, 5: 8}[kind]
            field = value.ljust(4, b"\x00") if len(value) <= 4 else struct.pack(order + "I", start + len(values))
            values += value + bytes(len(value) % 2) if len(value) > 4 else b""
            table += struct.pack(order + "HHI", code, kind, len(value) // size) + field
        if pointer is not None:
            table += struct.pack(order + "HHII", 0x8769, 4, 1, pointer)
        return table + bytes(4) + values

    first = directory(entries, 8, 0)
    return directory(entries, 8, 8 + len(first)) + directory(inner, 8 + len(first))


def tag_bytes(path, code):
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[code]
        size = tag.count * {1: 1, 2: 1, 3: 2}[tag.dtype]
        data = path.read_bytes()
        return data[tag.valueoffset : tag.valueoffset + size]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("source", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_accented_captions_reach_a_tiff_with_their_bytes(tmp_path, source, order):
    if source in (".webp", ".avif") and not features.check(source[1:]):
        pytest.skip(f"no {source}")
    path = tmp_path / f"in{source}"
    if source == ".tif":
        value = struct.pack(order + "H", 5)
        tags = [(270, 2, len(CAPTION), CAPTION, True), (315, 2, len(ARTIST), ARTIST, True), (18246, 3, 1, value, True),
                (40091, 1, 20, "Wedding ü".encode("utf-16-le") + b"\x00\x00", True)]  # fmt: skip
        tifffile.imwrite(path, RGB, photometric="rgb", extratags=tags, metadata=None, byteorder=order)
    else:
        Image.fromarray(RGB).save(path, exif=b"Exif\x00\x00" + exif_block(order))
    write_photo(read_photo(path), tmp_path / "out.tif", MARK)
    assert tag_bytes(tmp_path / "out.tif", 270) == CAPTION
    assert tag_bytes(tmp_path / "out.tif", 315) == ARTIST
    assert tag_bytes(tmp_path / "out.tif", 18246) == struct.pack("<H", 5)
    assert tag_bytes(tmp_path / "out.tif", 40091) == "Wedding ü".encode("utf-16-le") + b"\x00\x00"
    write_photo(read_photo(tmp_path / "out.tif"), tmp_path / "again.tif", MARK)
    assert tag_bytes(tmp_path / "again.tif", 270) == CAPTION
    if source != ".tif":
        with tifffile.TiffFile(tmp_path / "again.tif") as file:
            assert file.pages[0].tags[34665].value["ExposureTime"] == (1, 125)
        _, nested = directories(read_photo(tmp_path / "again.tif").metadata.exif)
        assert nested[0x8769][37510].data == b"UNICODE\x00" + "Müller".encode("utf-16-le")


def test_a_bigtiff_keeps_its_exif(tmp_path):
    block = tmp_path / "a.tif"
    write_photo(Photo(RGB), block, None)
    tifffile.imwrite(block, RGB, photometric="rgb", bigtiff=True, metadata=None,
                     extratags=[(270, 2, len(CAPTION), CAPTION, True)])  # fmt: skip
    write_photo(read_photo(block), tmp_path / "b.tif", MARK)
    assert tag_bytes(tmp_path / "b.tif", 270) == CAPTION


# Colour spaces that are named by numbers


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.38, 0.45455])
@pytest.mark.parametrize("shape", ["gray", "rgb"])
@pytest.mark.parametrize("depth", [8, 16])
def test_gamma(tmp_path, gamma, shape, depth):
    top = 2**depth - 1
    values = RAMP if depth == 16 else np.rint(RAMP / 257).astype(np.uint8)
    values = values if shape == "gray" else np.dstack([values] * 3)
    seen = read_photo(png(tmp_path / "a.png", values, chunk(b"gAMA", struct.pack(">I", round(gamma * 100000))))).pixels
    wanted = values if gamma == 0.45455 else top * encode((values / top) ** (1 / (round(gamma * 100000) / 100000)))
    assert np.abs(seen - wanted.astype(float)).max() <= (1.5 if depth == 8 else 2)


@pytest.mark.parametrize("extra", ["sRGB", "iCCP"])
def test_gamma_gives_way_to_what_says_more(tmp_path, extra):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = chunk(b"sRGB", b"\x00") if extra == "sRGB" else chunk(b"iCCP", b"x\x00\x00" + zlib.compress(profile))
    gamma = chunk(b"gAMA", struct.pack(">I", 100000))
    np.testing.assert_array_equal(read_photo(png(tmp_path / "a.png", RGB, gamma, more)).pixels, RGB)


# Linear light of Display P3 and of Rec. 2020 to that of sRGB (CSS Color 4's matrices)
TO_SRGB = {
    12: [[1.2249401763, -0.2249401763, 0], [-0.0420569547, 1.0420569547, 0],
         [-0.0196375546, -0.0786360456, 1.0982736001]],
    9: [[1.6604910021, -0.5876411388, -0.0728498633], [-0.1245504745, 1.1328998971, -0.0083494226],
        [-0.0181507634, -0.1005788980, 1.1187296614]],
}  # fmt: skip


@pytest.mark.parametrize("primaries", TO_SRGB)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("by", ["cICP", "cHRM"])
def test_primaries(tmp_path, primaries, depth, by):
    calm = (RGB // 3 + 80).astype(np.uint8)  # colours that sRGB has
    pixels = calm if depth == 8 else calm.astype(np.uint16) * 257
    corners = {12: (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000),
               9: (31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)}[primaries]  # fmt: skip
    light = decode(calm / 255)
    chunks = [chunk(b"cICP", bytes([primaries, 13, 0, 1]))]
    if by == "cHRM":
        chunks = [chunk(b"gAMA", struct.pack(">I", 100000)), chunk(b"cHRM", struct.pack(">8I", *corners))]
        light = calm / 255
    seen = read_photo(png(tmp_path / "a.png", pixels, *chunks)).pixels / (2**depth - 1)
    wanted = encode(np.clip(light @ np.array(TO_SRGB[primaries]).T, 0, 1))
    assert np.abs(seen - wanted).max() * 255 < 2


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_comes_down_with_a_line(tmp_path, caplog, transfer, name):
    """A gray ramp keeps its order, its middle is as bright as it is meant, and reference white is nearly white."""
    path = png(tmp_path / "a.png", np.dstack([RAMP] * 3), chunk(b"cICP", bytes([9, transfer, 0, 1])))
    photo = read_photo(path)
    row = photo.pixels[0, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    signal = np.linspace(0, 1, 64)
    if transfer == 16:  # ST 2084, in cd/m2
        power = signal ** (1 / 78.84375)
        nits = 10000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        light = nits / 203
    else:  # 75 % of HLG is reference white
        upper = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = np.where(signal <= 0.5, signal**2 / 3, upper) / 0.265
    dark = light < 0.75
    np.testing.assert_allclose(row[dark] / 65535, encode(light[dark]), atol=0.01)
    assert row[np.argmin(np.abs(light - 1))] > 0.9 * 65535
    with caplog.at_level(logging.WARNING):
        write_photo(photo, tmp_path / "out.png", MARK)
    assert f"its HDR brightness ({name})" in caplog.text
    assert str(path) in caplog.text


def test_hlg_in_heif_is_the_picture_that_it_was_made_of():
    pytest.importorskip("pillow_heif")
    photo = read_photo(CASES / "hlg.heic")
    truth = read_photo(CASES / "jpeg_xmp_unbound.jpg").pixels  # the same picture, in sRGB
    assert np.abs(photo.pixels[..., 0] / 257 - truth).mean() < 3
    assert any("HLG" in note for note in photo.notes)


def test_nclx_of_avif(tmp_path):
    if not features.check("avif"):
        pytest.skip("no AVIF")
    imagecodecs = pytest.importorskip("imagecodecs")
    calm = cv2.resize(RGB[:6, :8], (64, 48), interpolation=cv2.INTER_CUBIC) // 3 + 80
    data = bytearray(imagecodecs.avif_encode(calm, level=100))
    at = data.index(b"colrnclx")
    data[at + 8 : at + 12] = struct.pack(">HH", 12, 13)
    (tmp_path / "a.avif").write_bytes(data)
    wanted = encode(np.clip(decode(calm / 255) @ np.array(TO_SRGB[12]).T, 0, 1)) * 255
    assert np.abs(read_photo(tmp_path / "a.avif").pixels - wanted).mean() < 2


def test_code_points_of_srgb_and_television_change_nothing():
    assert all(profile_of_code_points(*pair, []) is None for pair in ((1, 13), (1, 1), (2, 2), (1, 6), (0, 200)))


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


def test_psd(tmp_path):
    """The flattened picture of 8 bits, with what Photoshop's resources say."""
    resources = b"".join(
        b"8BIM" + struct.pack(">HHI", code, 0, len(body)) + body + bytes(len(body) % 2)
        for code, body in ((0x0404, IPTC), (0x0424, XMP), (0x0422, exif().removeprefix(b"Exif\x00\x00")))
    )
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 48, 64, 8, 3)
    planes = np.moveaxis(RGB, -1, 0).tobytes()
    parts = [head, bytes(4), struct.pack(">I", len(resources)), resources, bytes(4), bytes(2), planes]
    (tmp_path / "a.psd").write_bytes(b"".join(parts))
    photo = read_photo(tmp_path / "a.psd")
    assert photo.metadata.iptc == IPTC
    assert b"attic" in photo.metadata.xmp
    assert b"Grandmother" in photo.metadata.exif
    assert sorted(photo.pixels.shape) == [3, 48, 64]


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
    with caplog.at_level(logging.WARNING):
        write_photo(photo, tmp_path / "out.png", MARK)
    assert f"{tmp_path / f'a.{kind}'}: this is the first of 3 pictures" in caplog.text


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


def test_png_texts_may_be_packed(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Description", "attic", zip=True)
    info.add_itxt("Author", "Łukasz", zip=True)
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=info)
    assert dict(read_photo(tmp_path / "a.png").metadata.texts) == {"Description": "attic", "Author": "Łukasz"}
