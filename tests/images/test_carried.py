"""The tables of docs/sampling.md are the test: each input's metadata into each output, seen by programs of others."""

import io
import json
import logging
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin, PngImagePlugin, features

from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import read_pages
from chromagan.images.write import write_pages, write_photo

SUFFIXES = {"PNG": ".png", "TIFF": ".tif", "JPEG": ".jpg", "WebP": ".webp", "AVIF": ".avif", "HEIF": ".heic",
            "JPEG 2000": ".jp2", "GIF": ".gif"}  # fmt: skip
MARK = ProvenanceMark("m", "s", "t")
GRAY = np.tile(np.linspace(20, 230, 64, dtype=np.uint8), (48, 1))
XMP = (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
       b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="attic"/>'
       b"</rdf:RDF></x:xmpmeta>")  # fmt: skip
IPTC = b"\x1c\x01\x5a\x00\x03\x1b%G\x1c\x02\x78\x00\x0bGro\xc3\x9fmutter\x1c\x02\x19\x00\x06family"
DPI = 240


def tables():
    """{name of the first column: {column: cell}} of the two tables, in their order."""
    lines = (Path(__file__).parents[2] / "docs" / "sampling.md").read_text(encoding="utf-8").splitlines()
    for first in ("input", "output"):
        start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
        names = cells(lines[start])[1:]
        rows = {}
        for line in lines[start + 2 :]:
            if not line.startswith("|"):
                break
            name, *values = cells(line)
            rows[name] = dict(zip(names, values, strict=True))
        yield rows


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


INPUTS, OUTPUTS = tables()


def needs(kind):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif")
    if kind in ("WebP", "AVIF") and not features.check(kind.lower()):
        pytest.skip(f"no {kind}")


def exif():
    block = Image.Exif()
    block[0x010E], block[0x010F] = "Wedding, 1931", "Maker"
    block[282], block[283], block[296] = float(DPI), float(DPI), 2
    block.get_ifd(0x8769)[0x9003] = "1931:05:02 10:00:00"
    return block


def resource(iptc):
    return b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)


def jpeg(path):
    Image.fromarray(GRAY).save(path, exif=exif(), xmp=XMP, comment="from the attic", dpi=(DPI, DPI))
    data = path.read_bytes()
    body = b"Photoshop 3.0\x00" + resource(IPTC)
    path.write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + data[2:])


def png(path):
    deep = np.dstack([GRAY.astype(np.uint16) * 257 + 1] * 3 + [np.full(GRAY.shape, 40000, np.uint16)])
    data = cv2.imencode(".png", deep)[1].tobytes()
    buffer, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add_text("Title", "Wedding")
    info.add_itxt("Description", "Großmutter")
    profile = resource(IPTC)
    info.add_text("Raw profile type iptc", f"\niptc\n{len(profile):8}\n{profile.hex()}\n", zip=True)
    Image.new("L", (1, 1)).save(buffer, "PNG", pnginfo=info, exif=exif().tobytes(), dpi=(DPI, DPI))
    extra, at = b"", 8
    while at < len(buffer.getvalue()):  # the chunks of the one between those of the other
        (length,) = struct.unpack_from(">I", buffer.getvalue(), at)
        whole = buffer.getvalue()[at : at + 12 + length]
        extra += b"" if whole[4:8] in (b"IHDR", b"IDAT", b"IEND") else whole
        at += 12 + length
    path.write_bytes(data[:-12] + extra + data[-12:])  # behind the pixels


def tiff(path):
    deep = np.dstack([GRAY.astype(np.uint16) * 257 + 1] * 3 + [np.full(GRAY.shape, 40000, np.uint16)])
    with tifffile.TiffWriter(path) as writer:
        for page in range(2):
            tags = [(700, 1, len(XMP), XMP, True), (33723, 7, len(IPTC), IPTC, True),
                    (271, 2, 6, b"Maker\x00", True), (270, 2, 14, b"Wedding, 1931\x00", True),
                    (36867, 2, 20, b"1931:05:02 10:00:00\x00", True), (18246, 3, 1, 5, True),
                    (40091, 1, 6, "W\u00fc".encode("utf-16-le") + b"\x00\x00", True)]  # fmt: skip
            writer.write(deep, photometric="rgb", extrasamples=["unassalpha"], resolution=(DPI, DPI),
                         resolutionunit="INCH", extratags=tags, metadata=None, software=False,
                         subfiletype=2 if page else 0)  # fmt: skip


def by_pillow(path):
    alpha = Image.merge("RGBA", [Image.fromarray(GRAY)] * 3 + [Image.new("L", (64, 48), 155)])
    alpha.save(path, exif=exif().tobytes(), xmp=XMP, **({"lossless": True} if path.suffix == ".webp" else {}))


def avif(path):
    pytest.importorskip("imagecodecs")
    by_pillow(path)


def heif(path):
    import pillow_heif

    deep = np.dstack([GRAY.astype(np.uint16) * 257] * 3 + [np.full(GRAY.shape, 40000, np.uint16)])
    image = pillow_heif.from_bytes("RGBA;16", (64, 48), deep.tobytes())
    image.save(path, exif=exif().tobytes(), xmp=XMP, quality=-1, chroma=444)


def jpeg2000(path):
    deep = np.dstack([GRAY.astype(np.uint16) * 257 + 1] * 3)
    imagecodecs = pytest.importorskip("imagecodecs")
    data = imagecodecs.jpeg2k_encode(deep, level=0, codecformat="jp2", reversible=True)
    at = data.index(b"jp2c") - 4
    boxes = b""
    for name, body in (("be7acfcb97a942e89c71999491e3afac", XMP), ("33c7a4d2b81d4723a0baf1a3e097ad38", IPTC),
                       (b"JpgTiffExif->JP2".hex(), exif().tobytes().removeprefix(b"Exif\x00\x00"))):  # fmt: skip
        boxes += struct.pack(">I4s", 24 + len(body), b"uuid") + bytes.fromhex(name) + body
    path.write_bytes(data[:at] + boxes + data[at:])


def gif(path):
    frame = Image.fromarray(GRAY).quantize(32)
    other = Image.fromarray(255 - GRAY).quantize(32)
    frame.save(path, save_all=True, append_images=[other, frame], comment=b"from the attic", transparency=3)


MAKERS = {"JPEG": jpeg, "PNG": png, "TIFF": tiff, "WebP": by_pillow, "AVIF": by_pillow, "HEIF": heif,
          "JPEG 2000": jpeg2000, "GIF": gif}  # fmt: skip


def test_every_row_has_a_maker():
    assert list(INPUTS) == list(MAKERS)
    assert list(OUTPUTS) == [name for name in SUFFIXES if name not in ("JPEG 2000", "GIF")]


class Seen:
    """What Pillow, tifffile and pillow-heif find in a file."""

    def __init__(self, path):
        self.texts, self.iptc, self.dpi, self.pages, self.comments = {}, {}, None, 1, []
        if path.suffix == ".tif":
            with tifffile.TiffFile(path) as file:
                page, self.pages = file.pages[0], len(file.pages)
                self.shape, self.depth = page.shape, page.bitspersample
                self.xmp = page.tags[700].value
                self.dpi = page.get_resolution("INCH")
                self.exif = {code: page.tags[code].value for code in (270, 271, 40091, 18246) if code in page.tags}
                inner = page.tags[34665].value if 34665 in page.tags else {}
                self.date = inner.get("DateTimeOriginal", page.tags.valueof(36867))
                self.iptc = parse_iptc(page.tags[33723].value) if 33723 in page.tags else {}
            return
        if path.suffix == ".heic":
            import pillow_heif

            image = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
            self.shape, self.depth = np.asarray(image).shape, image.info["bit_depth"]
            image.info["xmp"] = image.info.get("xmp")
        else:
            image = Image.open(path)
            image.load()
            self.shape = np.asarray(image).shape
            self.depth = struct.unpack_from("B", path.read_bytes(), 24)[0] if path.suffix == ".png" else 8
            self.dpi = image.info.get("dpi")
        self.xmp = image.info["xmp"]
        block = Image.Exif()
        block.load(image.info.get("exif") or b"")
        self.exif, self.date = dict(block), block.get_ifd(0x8769).get(0x9003) or block.get(36867)
        if path.suffix == ".png":
            self.texts = image.text
            raw = self.texts.get("Raw profile type iptc", "")
            content = bytes.fromhex("".join(raw.split()[2:]))
            self.iptc = parse_iptc(content[12:]) if content else {}
        if path.suffix == ".jpg":
            self.iptc = IptcImagePlugin.getiptcinfo(image) or {}
            self.comments = [image.info["comment"]] if "comment" in image.info else []

    def in_xmp(self, text):
        return text.encode() in self.xmp


def parse_iptc(data):
    found, at = {}, 0
    data = bytes(data)
    while data[at : at + 1] == b"\x1c":
        record, number, size = struct.unpack_from(">BBH", data, at + 1)
        found[record, number] = data[at + 5 : at + 5 + size]
        at += 5 + size
    return found


def exiftool(path):
    if shutil.which("exiftool") is None:
        return None
    out = subprocess.run(["exiftool", "-j", "-n", str(path)], capture_output=True, check=True)
    return json.loads(out.stdout)[0]


@pytest.mark.parametrize("target", OUTPUTS)
@pytest.mark.parametrize("source", INPUTS)
def test_what_is_carried(tmp_path, caplog, source, target):  # noqa: C901
    needs(source)
    needs(target)
    given, held = INPUTS[source], OUTPUTS[target]
    path, out = tmp_path / f"in{SUFFIXES[source]}", tmp_path / f"out{SUFFIXES[target]}"
    MAKERS[source](path)
    pages = read_pages(path)
    for page in pages:  # as if in colour
        page.pixels = page.pixels if page.pixels.ndim == 3 else np.dstack([page.pixels] * 3)
    with caplog.at_level(logging.WARNING):
        if len(pages) > 1 and held["pages"] == "yes":
            write_pages(pages, out, MARK)
        else:
            write_photo(pages[0], out, MARK)
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.startswith(f"{path}: ") for line in lines)
    said, seen, tool = " ".join(lines), Seen(out), exiftool(out)

    assert len(pages) == (2 if given["pictures"] == "all" else 1)
    assert seen.pages == (len(pages) if held["pages"] == "yes" else 1)
    assert ("this is the first of" in said) == (source == "GIF")
    if given["EXIF"] == "yes":
        assert held["EXIF"] == "yes"
        assert seen.exif[271].rstrip("\x00") == "Maker"
        assert seen.exif[270].rstrip("\x00") == "Wedding, 1931"
        assert str(seen.date).rstrip("\x00") == "1931:05:02 10:00:00"
        assert tool is None or (tool["Make"], tool["DateTimeOriginal"]) == ("Maker", "1931:05:02 10:00:00")
    if source == "TIFF":  # Windows' tags
        assert seen.exif[18246] == 5
        assert bytes(seen.exif[40091]) == "W\u00fc".encode("utf-16-le") + b"\x00\x00"
    if given["XMP"] == "yes" and source != "GIF":  # which Pillow does not write
        assert held["XMP"] == "yes"
        assert seen.in_xmp("attic")
    if given["IPTC"] == "yes":
        if held["IPTC"].startswith("yes"):
            assert seen.iptc[2, 120] == "Großmutter".encode()
            assert tool is None or tool["Caption-Abstract"] == "Großmutter"
        if "in XMP" in held["IPTC"]:
            assert seen.in_xmp("Großmutter")
            assert seen.in_xmp("family")
        assert tool is None or "family" in (tool.get("Keywords"), *as_list(tool.get("Subject")))
    if given["texts"] == "yes":
        if held["texts"] == "yes":
            assert (seen.texts["Title"], seen.texts["Description"]) == ("Wedding", "Großmutter")
        else:
            assert seen.in_xmp("Wedding")
            assert tool is None or tool["Title"] == "Wedding"
    if given["texts"] == "comments" and source != "JPEG 2000":
        if held["texts"] == "yes":
            assert seen.texts["Comment"] == "from the attic"
        elif held["texts"].startswith("comments"):
            assert seen.comments == [b"from the attic"]
        else:
            assert seen.in_xmp("from the attic")
        assert tool is None or "from the attic" in (tool.get("Comment"), tool.get("UserComment"))
    if given["resolution"] != "-" and source != "JPEG 2000":
        found = seen.dpi if held["resolution"] == "yes" else (seen.exif[282], seen.exif[283])
        np.testing.assert_allclose(np.array(found, float), DPI, rtol=1e-3)
    deep = {"yes": True, "-": False}.get(given["16 bits"], False) and source != "AVIF"
    assert (pages[0].pixels.dtype == np.uint16) == deep
    assert not deep or np.max(seen.depth) in {"yes": (16,), "said": (8,), "10 bits": (10, 12)}[held["16 bits"]]
    assert ("its 16 bits" in said) == (deep and held["16 bits"] == "said")
    alpha = given["alpha"] == "yes" and source != "JPEG 2000"
    assert (pages[0].alpha is not None) == alpha
    assert seen.shape[2] == (4 if alpha and held["alpha"] == "yes" else 3)
    assert ("its transparency" in said) == (alpha and held["alpha"] == "said")


def as_list(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("target", OUTPUTS)
def test_nothing_is_said_of_a_plain_photo(tmp_path, caplog, target):
    needs(target)
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    with caplog.at_level(logging.WARNING):
        write_photo(read_pages(tmp_path / "a.png")[0], tmp_path / f"out{SUFFIXES[target]}", MARK)
    assert not caplog.records


def test_what_has_no_place_is_said(tmp_path, caplog):
    info = PngImagePlugin.PngInfo()
    info.add_text("Parameters", "steps 20")
    Image.fromarray(GRAY).save(tmp_path / "a.png", pnginfo=info)
    iptc = b"\x1c\x02\x07\x00\x04hold"  # EditStatus
    Image.fromarray(GRAY).save(tmp_path / "b.jpg")
    data, body = (tmp_path / "b.jpg").read_bytes(), b"Photoshop 3.0\x00" + resource(iptc)
    (tmp_path / "b.jpg").write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + data[2:])
    tifffile.imwrite(tmp_path / "c.tif", GRAY, extratags=[(65001, 4, 1, 7, True)], metadata=None)
    Image.fromarray(GRAY).save(tmp_path / "d.png", exif=b"Exif\x00\x00II*\x00\xff\xff\x00\x00" + bytes(8))
    for name, words in (("a.png", 'its text "Parameters"'), ("b.jpg", "IPTC fields 2:7"),
                        ("c.tif", "its TIFF tags 65001"), ("d.png", "its EXIF, which is damaged")):  # fmt: skip
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            write_photo(read_pages(tmp_path / name)[0], tmp_path / "out.webp", MARK)
        (record,) = caplog.records
        assert record.getMessage() == f"{tmp_path / name}: not carried: {words}"


def test_pages_have_one_line_together(tmp_path, caplog):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for _ in range(3):
            writer.write(GRAY, extratags=[(65001, 4, 1, 7, True)], metadata=None)
    with caplog.at_level(logging.WARNING):
        write_pages(read_pages(tmp_path / "a.tif"), tmp_path / "b.tif", MARK)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'a.tif'}: not carried: its TIFF tags 65001"
    ]


def test_content_credentials_are_said(tmp_path, caplog):
    Image.fromarray(GRAY).save(tmp_path / "a.jpg")
    data, body = (tmp_path / "a.jpg").read_bytes(), b"JP\x00\x01\x00\x00\x00\x01\x00\x00\x00\x20jumb" + bytes(20)
    (tmp_path / "a.jpg").write_bytes(data[:2] + b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body + data[2:])
    Image.fromarray(GRAY).save(tmp_path / "b.png")
    data = (tmp_path / "b.png").read_bytes()
    chunk = struct.pack(">I", 8) + b"caBX" + bytes(8) + struct.pack(">I", zlib.crc32(b"caBX" + bytes(8)))
    (tmp_path / "b.png").write_bytes(data[:33] + chunk + data[33:])
    with caplog.at_level(logging.WARNING):
        for name in ("a.jpg", "b.png"):
            write_photo(read_pages(tmp_path / name)[0], tmp_path / "out.png", MARK)
    assert ["content credentials" in record.getMessage() for record in caplog.records] == [True, True]
