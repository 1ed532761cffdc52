"""Metadata is found wherever a file keeps it, in older forms too, and captions keep their bytes."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin, features

from chromagan.images.exif import directories
from chromagan.images.metadata import ProvenanceMark, read_provenance
from chromagan.images.read import Photo, read_photo
from chromagan.images.write import write_photo

MARK = ProvenanceMark("m", "s", "t")
RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


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


def test_png_texts_may_be_packed(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Description", "attic", zip=True)
    info.add_itxt("Author", "Łukasz", zip=True)
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=info)
    assert dict(read_photo(tmp_path / "a.png").metadata.texts) == {"Description": "attic", "Author": "Łukasz"}


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
