"""What is carried, what is mended, and the mark, seen by Pillow and (where it is installed) by exiftool."""

import io
import json
import shutil
import struct
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps, IptcImagePlugin, features

from chromagan.images import exif as exif_block
from chromagan.images import xmp
from chromagan.images.metadata import Metadata, ProvenanceMark, read_provenance
from chromagan.images.read import Photo, read_pages, read_photo
from chromagan.images.write import write_pages, write_photo

MARK = ProvenanceMark('chromagan <& "test">', "0123456789abcdef" * 4, "chromagan 0.1.0")
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
XMP = b"""<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='uuid:1'
 xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'
 xmlns:odd='http://odd.example/' odd:thing='kept' xmlns:Iptc4xmpExt='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'
 Iptc4xmpExt:DigitalSourceType='http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture'>
<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Stra\xc3\x9fe</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""
IPTC = b"\x1c\x02\x50\x00\x06Atelie\x1c\x02\x78\x00\x04wall"  # by-line, caption


def available():
    for suffix in (".jpg", ".png", ".tif", ".webp", ".avif", ".heic"):
        feature = {".webp": "webp", ".avif": "avif"}.get(suffix)
        if feature is None or features.check(feature):
            yield suffix


def needs(suffix):
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")


def exif_bytes(orientation=1, thumbnail=True, dpi=300):
    """An EXIF block with camera, exposure, position and a thumbnail, made by Pillow and joined by hand."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x8298] = "Maker", "Model 1", orientation, "A. Person"
    exif[282], exif[283], exif[296] = float(dpi), float(dpi), 2
    inner = exif.get_ifd(0x8769)
    inner[0x829A], inner[0x9003] = 0.125, "1999:12:31 23:59:58"
    inner[0xA002], inner[0xA003], inner[0xA001] = 53, 37, 65535
    inner[0x927C] = b"maker note"
    exif.get_ifd(0x8825)[1] = "N"
    block = bytearray(exif.tobytes()[6:])
    if thumbnail:
        order = "<" if block[:2] == b"II" else ">"
        (first,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, first)
        struct.pack_into(order + "I", block, first + 2 + 12 * count, len(block))
        start = len(block) + 2 + 24 + 4
        jpeg = io.BytesIO()
        Image.new("L", (8, 8), 77).save(jpeg, "JPEG")
        block += struct.pack(order + "HHHIIHHIII", 2, 0x201, 4, 1, start, 0x202, 4, 1, len(jpeg.getvalue()), 0)
        block += jpeg.getvalue()
    return bytes(block)


def photo(metadata=None):
    rng = np.random.default_rng(3)
    return Photo(rng.integers(0, 255, (37, 53, 3), dtype=np.uint8), None, metadata or Metadata())


def exiftool(path, *tags):
    if shutil.which("exiftool") is None:
        return None
    out = subprocess.run(["exiftool", "-j", "-G1", "-n", *tags, str(path)], capture_output=True, check=True, text=True)
    return json.loads(out.stdout)[0]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("suffix", list(available()))
def test_mark_is_in_every_output(tmp_path, suffix, keep):
    needs(suffix)
    path = tmp_path / f"a{suffix}"
    write_photo(photo(Metadata(xmp=XMP)), path, MARK, keep_metadata=keep)
    assert read_provenance(path) == MARK
    raw = path.read_bytes()
    assert SOURCE.encode() in raw  # uncompressed, so that any scanner finds it
    assert MARK.sha256.encode() in raw
    if suffix != ".heic":
        packet = Image.open(path).info["xmp"]
        found = ElementTree.fromstring(packet).iter("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
        assert [element.text for element in found] == [SOURCE]
    seen = exiftool(path, "-XMP-iptcExt:all", "-XMP:all")
    if seen is not None:
        assert seen["XMP-iptcExt:DigitalSourceType"] == SOURCE
        assert MARK.sha256 in seen.values()
        assert ("XMP-dc:Title" in seen) == keep
        assert "XMP-tiff:Orientation" not in seen


@pytest.mark.parametrize("suffix", list(available()))
def test_metadata_is_carried(tmp_path, suffix):
    needs(suffix)
    block = exif_block.upright(exif_bytes(6), 53, 37)
    path = tmp_path / f"a{suffix}"
    write_photo(photo(Metadata(block, XMP, IPTC, (300.0, 150.0))), path, MARK)
    back = read_photo(path)
    exif = Image.Exif()
    exif.load(back.metadata.exif)
    assert (exif[0x010F], exif[0x8298]) == ("Maker", "A. Person")
    assert float(exif.get_ifd(0x8769)[0x829A]) == pytest.approx(0.125)
    assert exif.get_ifd(0x8769)[0x9003] == "1999:12:31 23:59:58"
    assert exif.get_ifd(0x8825)[1] == "N"
    assert exif.get(0x0112, 1) == 1
    assert b"Stra\xc3\x9fe" in back.metadata.xmp
    assert b"odd.example" in back.metadata.xmp
    assert back.metadata.xmp.count(b"DigitalSourceType>") == 2  # one element, opened and closed
    if suffix in (".jpg", ".tif"):
        assert back.metadata.iptc.rstrip(b"\x00") == IPTC
    if suffix in (".jpg", ".png", ".tif"):
        assert back.metadata.dpi == pytest.approx((300, 150), rel=1e-3)
    if suffix == ".jpg":
        assert IptcImagePlugin.getiptcinfo(Image.open(path))[(2, 80)] == b"Atelie"
    seen = exiftool(path, "-all", "-validate", "-warning")
    if seen is not None:
        assert seen["IFD0:Make"] == "Maker"
        assert seen["ExifIFD:ExposureTime"] == pytest.approx(0.125)
        assert "IFD1:ThumbnailOffset" not in seen
        if suffix in (".jpg", ".tif"):
            assert seen["IPTC:By-line"] == "Atelie"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_metadata_can_be_dropped(tmp_path, suffix):
    block = exif_bytes()
    write_photo(photo(Metadata(block, XMP, IPTC, (300.0, 300.0))), tmp_path / f"a{suffix}", MARK, keep_metadata=False)
    raw = (tmp_path / f"a{suffix}").read_bytes()
    assert not any(word in raw for word in (b"Maker", b"A. Person", b"Atelie", b"1999:12", b"odd.example"))
    assert read_photo(tmp_path / f"a{suffix}").metadata.dpi is None


def test_no_mark_where_none_is_given(tmp_path):
    write_photo(photo(Metadata(xmp=XMP)), tmp_path / "a.png", None)
    assert read_provenance(tmp_path / "a.png") is None
    assert b"Stra" in read_photo(tmp_path / "a.png").metadata.xmp


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_agrees_with_pillow(tmp_path, orientation, suffix):
    image = Image.fromarray(photo().pixels)
    path = tmp_path / f"a{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    image.save(path, exif=b"Exif\x00\x00" + exif_bytes(orientation), **options)
    if suffix == ".tif":
        tifffile.imwrite(path, photo().pixels, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    back = read_photo(path)
    assert back.pixels.shape == wanted.shape
    assert np.abs(back.pixels.astype(int) - wanted).max() <= (1 if suffix == ".jpg" else 0)
    out = tmp_path / "out.png"
    write_photo(back, out, MARK)
    assert ImageOps.exif_transpose(Image.open(out)).size == (wanted.shape[1], wanted.shape[0])  # not turned twice
    if suffix != ".tif":
        exif = Image.open(out).getexif()
        assert exif[0x0112] == 1
        inner = exif.get_ifd(0x8769)
        assert (inner[0xA002], inner[0xA003]) == (wanted.shape[1], wanted.shape[0])
        assert inner[0xA001] == 1  # sRGB
        assert inner[0x927C] == b"maker note"


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_heif_is_turned_once(tmp_path, orientation):
    heif = pytest.importorskip("pillow_heif")
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:16, :32] = 255  # top left is white
    image = heif.from_pillow(Image.fromarray(pixels))
    image.save(tmp_path / "a.heic", exif=b"Exif\x00\x00" + exif_bytes(orientation, thumbnail=False), quality=95)
    wanted = {1: pixels, 6: np.rot90(pixels, -1), 8: np.rot90(pixels)}[orientation]
    back = read_photo(tmp_path / "a.heic")
    assert back.pixels.shape == wanted.shape
    assert np.abs(back.pixels.astype(int) - wanted).mean() < 5


def test_orientation_said_by_xmp_alone(tmp_path):
    write_photo(photo(), tmp_path / "a.png", None)
    Image.open(tmp_path / "a.png").save(tmp_path / "b.jpg", xmp=XMP)
    assert read_photo(tmp_path / "b.jpg").pixels.shape == (53, 37, 3)


@pytest.mark.parametrize("thumbnail", [True, False])
def test_thumbnail_is_gone(thumbnail):
    block = exif_bytes(3, thumbnail)
    mended = exif_block.upright(block, 53, 37)
    assert b"\xff\xd8\xff" not in mended
    assert (b"\xff\xd8\xff" in block) == thumbnail
    exif = Image.Exif()
    exif.load(mended)
    assert not exif.get_ifd(1)


@pytest.mark.parametrize("size", [14, 20, 60, 100])
def test_broken_exif_is_dropped(size):
    assert exif_block.upright(exif_bytes()[:size], 5, 5) is None


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><x>&j;</x>"
)
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'


@pytest.mark.parametrize(
    "packet",
    [
        BOMB.encode(),
        BOMB.encode("utf-16"),
        FILE.encode(),
        b"<x" * 1000,
        b"<a>" * 5000 + b"</a>" * 5000,
        b"\xff\xfe\x00",
        b"",
        b"\x00" * 50,
        b"<a/>",
        b"<a>" + b" " * (5 << 20) + b"</a>",
    ],
    ids=range(10),
)
def test_hostile_xmp_is_replaced(packet):
    built = xmp.build_packet(packet, ("m", "s", "t", "0", ""))
    assert xmp.find_mark(built) == ("m", "s", "t", "0", "")
    assert len(built) < 2000
    assert xmp.build_packet(packet, None) is None


def test_a_second_run_leaves_one_mark():
    first = xmp.build_packet(XMP, ("old", "1", "a", "0", ""))
    second = xmp.build_packet(first, ("new", "2", "b", "7", "d1"))
    assert xmp.find_mark(second) == ("new", "2", "b", "7", "d1")
    assert second.count(b"<Iptc4xmpExt:DigitalSourceType>") == 1
    assert b"digitalCapture" not in second


def test_large_xmp_leaves_the_mark_in_a_jpeg(tmp_path):
    large = XMP.replace(b"kept", b"k" * 70000)
    write_photo(photo(Metadata(xmp=large)), tmp_path / "a.jpg", MARK)
    assert read_provenance(tmp_path / "a.jpg") == MARK
    write_photo(photo(Metadata(xmp=large)), tmp_path / "a.png", MARK)
    assert b"k" * 70000 in read_photo(tmp_path / "a.png").metadata.xmp


def test_each_page_keeps_its_own_metadata(tmp_path):
    pages = [photo(Metadata(exif_block.upright(exif_bytes(), 53, 37), dpi=(200.0, 200.0))), photo(Metadata(iptc=IPTC))]
    write_pages(pages, tmp_path / "a.tif", MARK)
    first, second = read_pages(tmp_path / "a.tif")
    assert b"Maker" in first.metadata.exif
    assert first.metadata.dpi == (200, 200)
    assert second.metadata.exif is None
    assert second.metadata.iptc.rstrip(b"\x00") == IPTC
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert all(SOURCE.encode() in page.tags[700].value for page in file.pages)
