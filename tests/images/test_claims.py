"""What XMP, EXIF and IPTC say of pixels: turned with them where it is a place, gone where it is no longer true."""

import io
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from chromagan.images import exif as exif_block
from chromagan.images.metadata import Metadata, ProvenanceMark
from chromagan.images.read import Photo, read_photo
from chromagan.images.write import write_photo

CASES = Path(__file__).parent / "cases"
MARK = ProvenanceMark("m", "s", "t")
SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/", "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#", "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "MP": "http://ns.microsoft.com/photo/1.2/", "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#", "exif": "http://ns.adobe.com/exif/1.0/",
    "acdsee-rs": "http://ns.acdsee.com/regions/", "acdsee-stArea": "http://ns.acdsee.com/sType/Area#",
    "acdsee-stDim": "http://ns.acdsee.com/sType/Dimensions#", "tiff": "http://ns.adobe.com/tiff/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/", "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "Container": "http://ns.google.com/photos/1.0/container/", "Item": "http://ns.google.com/photos/1.0/container/item/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/", "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "HDRGainMap": "http://ns.apple.com/HDRGainMap/1.0/", "darktable": "http://darktable.sf.net/",
    "xmp": "http://ns.adobe.com/xap/1.0/", "xmpNote": "http://ns.adobe.com/xmp/note/",
}  # fmt: skip


def packet(attributes="", elements=""):
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about="" {names} '
            f'dc:source="kept" {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>').encode()  # fmt: skip


def jpeg(path, xmp, orientation=1, size=(160, 120), **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.random.default_rng(0).integers(0, 255, size[::-1], dtype=np.uint8)).save(
        path, exif=exif.tobytes(), xmp=xmp, **options
    )
    return path


# Regions. The oracle is a picture of the region itself, turned by Pillow.

WIDTH, HEIGHT = 160, 120
BOX = (16, 12, 64, 36)  # left, upper, right, lower


def turned_box(orientation):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", exif=exif.tobytes())
    turned = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
    rows, columns = np.flatnonzero(turned.any(1)), np.flatnonzero(turned.any(0))
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), turned.shape[1::-1]


def centre(box, size):
    x0, y0, x1, y1 = box
    return [(x0 + x1) / 2 / size[0], (y0 + y1) / 2 / size[1], (x1 - x0) / size[0], (y1 - y0) / size[1]]


def corner(box, size):
    x, y, w, h = centre(box, size)
    return [x - w / 2, y - h / 2, w, h]


def mwg(style, box, size, dims=(WIDTH, HEIGHT), area="stArea", dimension="stDim", outer="mwg-rs:Regions"):
    x, y, w, h = centre(box, size)
    if style == "attributes":
        inner = f'<rs:Area {area}:x="{x}" {area}:y="{y}" {area}:w="{w}" {area}:h="{h}" {area}:unit="normalized"/>'
        sizes = f'<rs:AppliedToDimensions {dimension}:w="{dims[0]}" {dimension}:h="{dims[1]}"/>'
    else:
        values = {"x": x, "y": y, "w": w, "h": h, "unit": "normalized"}
        if style == "pixels":
            values = {"x": x * size[0], "y": y * size[1], "w": w * size[0], "h": h * size[1], "unit": "pixel"}
        inner = "".join(f"<{area}:{key}>{value}</{area}:{key}>" for key, value in values.items())
        inner = f'<rs:Area rdf:parseType="Resource">{inner}</rs:Area>'
        sizes = (f'<rs:AppliedToDimensions rdf:parseType="Resource"><{dimension}:w>{dims[0]}</{dimension}:w>'
                 f"<{dimension}:h>{dims[1]}</{dimension}:h></rs:AppliedToDimensions>")  # fmt: skip
    text = (f'<{outer} rdf:parseType="Resource">{sizes}<rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">'
            f"<rs:Name>A</rs:Name>{inner}</rdf:li></rdf:Bag></rs:RegionList></{outer}>")  # fmt: skip
    return packet("", text.replace("rs:", f"{outer.partition(':')[0]}:").replace("mwg-mwg-", "mwg-")
                  .replace("acdsee-acdsee-", "acdsee-"))  # fmt: skip


def numbers(xmp, space, names):
    """Values by name, attribute or element, wherever they stand first."""
    from xml.etree import ElementTree

    found = {}
    for node in ElementTree.fromstring(xmp.rstrip(b"\x00")).iter():
        for name in names:
            key = f"{{{SPACES[space]}}}{name}"
            value = node.get(key) or (node.text if node.tag == key else None)
            if value and value.strip() and name not in found:
                found[name] = value.strip()
    return found


def after(tmp_path, xmp, orientation):
    """The packet that Pillow finds in the output."""
    photo = read_photo(jpeg(tmp_path / "in.jpg", xmp, orientation))
    write_photo(photo, tmp_path / "out.jpg", MARK)
    assert Image.open(tmp_path / "out.jpg").size == photo.pixels.shape[1::-1]
    return Image.open(tmp_path / "out.jpg").info["xmp"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("style", ["attributes", "elements", "pixels", "acdsee"])
def test_regions_turn_with_the_pixels(tmp_path, orientation, style):
    box, size = turned_box(orientation)
    names = {"area": "stArea", "dimension": "stDim"}
    if style == "acdsee":
        names = {"area": "acdsee-stArea", "dimension": "acdsee-stDim"}
        sent = mwg("elements", BOX, (WIDTH, HEIGHT), outer="acdsee-rs:Regions", **names)
    else:
        sent = mwg(style, BOX, (WIDTH, HEIGHT))
    xmp = after(tmp_path, sent, orientation)
    found = numbers(xmp, names["area"], "xywh")
    wanted = np.array(centre(box, size)) * ([*size, *size] if style == "pixels" else 1)
    np.testing.assert_allclose([float(found[name]) for name in "xywh"], wanted, rtol=1e-5)
    dims = numbers(xmp, names["dimension"], "wh")
    assert (int(dims["w"]), int(dims["h"])) == size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_of_microsoft_and_iptc_and_the_subject(tmp_path, orientation):
    box, size = turned_box(orientation)
    x, y, w, h = corner(BOX, (WIDTH, HEIGHT))
    sent = packet("", (
        f'<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li MPReg:Rectangle="{x}, {y}, {w}, {h}" '
        'MPReg:PersonDisplayName="A"/></rdf:Bag></MPRI:Regions></MP:RegionInfo>'
        '<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:RegionBoundary '
        f'rdf:parseType="Resource"><Iptc4xmpExt:rbUnit>relative</Iptc4xmpExt:rbUnit><Iptc4xmpExt:rbX>{x}'
        f"</Iptc4xmpExt:rbX><Iptc4xmpExt:rbY>{y}</Iptc4xmpExt:rbY><Iptc4xmpExt:rbW>{w}</Iptc4xmpExt:rbW>"
        f"<Iptc4xmpExt:rbH>{h}</Iptc4xmpExt:rbH></Iptc4xmpExt:RegionBoundary></rdf:li></rdf:Bag>"
        "</Iptc4xmpExt:ImageRegion>"
        "<exif:SubjectArea><rdf:Seq><rdf:li>40</rdf:li><rdf:li>24</rdf:li><rdf:li>48</rdf:li><rdf:li>24</rdf:li>"
        "</rdf:Seq></exif:SubjectArea>"
    ))  # fmt: skip
    xmp = after(tmp_path, sent, orientation)
    rectangle = [float(part) for part in numbers(xmp, "MPReg", ["Rectangle"])["Rectangle"].split(",")]
    np.testing.assert_allclose(rectangle, corner(box, size), atol=1e-5)
    found = numbers(xmp, "Iptc4xmpExt", ["rbX", "rbY", "rbW", "rbH"])
    np.testing.assert_allclose([float(found[n]) for n in ("rbX", "rbY", "rbW", "rbH")], corner(box, size), atol=1e-5)
    subject = xmp.decode().partition("SubjectArea")[2].partition("SubjectArea")[0]
    values = [float(part.partition("<")[0]) for part in subject.split("li>")[1::2]]
    np.testing.assert_allclose(values, np.array(centre(box, size)) * [*size, *size], atol=1)


def test_polygons_in_pixels_turn(tmp_path):
    """The unit stands beside the points, not at each of them."""
    points = "".join(f'<rdf:li Iptc4xmpExt:rbX="{x}" Iptc4xmpExt:rbY="{y}"/>' for x, y in ((10, 20), (30, 40)))
    sent = packet("", '<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:RegionBoundary '
                  'Iptc4xmpExt:rbUnit="pixel"><Iptc4xmpExt:rbVertices><rdf:Seq>' + points + "</rdf:Seq>"
                  "</Iptc4xmpExt:rbVertices></Iptc4xmpExt:RegionBoundary></rdf:li></rdf:Bag>"
                  "</Iptc4xmpExt:ImageRegion>")  # fmt: skip
    found = numbers(after(tmp_path, sent, 6), "Iptc4xmpExt", ["rbX", "rbY"])
    assert (float(found["rbX"]), float(found["rbY"])) == (HEIGHT - 20, 10)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_regions_of_the_upright_picture_stay(tmp_path, orientation):
    """Their size says that they were made for the picture as it is shown."""
    xmp = after(tmp_path, mwg("attributes", BOX, (WIDTH, HEIGHT), dims=(HEIGHT, WIDTH)), orientation)
    found = numbers(xmp, "stArea", "xywh")
    np.testing.assert_allclose([float(found[name]) for name in "xywh"], centre(BOX, (WIDTH, HEIGHT)), rtol=1e-5)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_subject_of_exif_turns(order, count):
    """SubjectArea as x, y; x, y, diameter; x, y, width, height - inside the entry or behind an offset."""
    values = (40, 24, 48, 20)[:count]
    inner = 8 + 2 + 12 + 4
    body = struct.pack(f"{order}{count}H", *values)
    area = body.ljust(4, b"\x00") if count == 2 else struct.pack(order + "I", inner + 2 + 12 + 4)
    block = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "I", 8)
    block += struct.pack(order + "HHHII", 1, 0x8769, 4, 1, inner) + bytes(4)
    block += struct.pack(order + "HHHI", 1, 0x9214, 3, count) + area + bytes(4) + (body if count > 2 else b"")
    mended = exif_block.upright(block, HEIGHT, WIDTH, 6)
    exif = Image.Exif()
    exif.load(mended)
    wanted = (HEIGHT - 24, 40, *((20, 48) if count == 4 else (48,) if count == 3 else ()))
    assert tuple(exif.get_ifd(0x8769)[0x9214]) == wanted


# Claims

UNTRUE = {
    "gray, Photoshop": ('photoshop:ColorMode="1"', "", "ColorMode", ""),
    "samples": ('tiff:SamplesPerPixel="1" tiff:PhotometricInterpretation="1"', "", "SamplesPerPixel", ""),
    "bits": ("", "<tiff:BitsPerSample><rdf:Seq><rdf:li>8</rdf:li></rdf:Seq></tiff:BitsPerSample>", "BitsPerSample", ""),
    "profile": ('photoshop:ICCProfile="Dot Gain 20%"', "", "Dot Gain", ""),
    "thumbnail": ("", '<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"/></rdf:Alt></xmp:Thumbnails>',
                  "Thumbnails", ""),
    "type of the file": ('dc:format="image/tiff"', "", "image/tiff", ""),
    "gray, Lightroom": ('crs:ConvertToGrayscale="True" crs:AlreadyApplied="False" crs:GrayMixerRed="-10"', "",
                        "ConvertToGrayscale", ""),
    "gray, an element": ("", "<crs:ConvertToGrayscale>True</crs:ConvertToGrayscale>", "ConvertToGrayscale", ""),
    "gray, a look": ('crs:Exposure2012="+0.5"', '<crs:Look rdf:parseType="Resource"><crs:Name>B&amp;W 03</crs:Name>'
                     "</crs:Look>", "B&amp;W", ""),
    "gray, inside a look": ("", '<crs:Look rdf:parseType="Resource"><crs:Parameters rdf:parseType="Resource">'
                            "<crs:ConvertToGrayscale>True</crs:ConvertToGrayscale></crs:Parameters></crs:Look>",
                            "ConvertToGrayscale", ""),
    "gray, a profile": ('crs:CameraProfile="Adobe Monochrome"', "", "Monochrome", ""),
    "gray, saturation": ('crs:Saturation="-100"', "", "crs:Saturation", ""),
    "gray, darktable": ("", '<darktable:history><rdf:Seq><rdf:li darktable:operation="monochrome"/></rdf:Seq>'
                        "</darktable:history>", "monochrome", ""),
    "gain map": ('hdrgm:Version="1.0"', "", "hdrgm", "gain map"),
    "gain map, Apple": ('HDRGainMap:HDRGainMapVersion="65536"', "", "HDRGainMapVersion", "gain map"),
    "container": ("", '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item '
                  'Item:Semantic="GainMap" Item:Mime="image/jpeg"/></rdf:li></rdf:Seq></Container:Directory>',
                  "GainMap", "gain map"),
    "container of a clip": ("", '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item '
                            'Item:Semantic="MotionPhoto" Item:Mime="video/mp4"/></rdf:li></rdf:Seq>'
                            "</Container:Directory>", "MotionPhoto", "motion clip"),
    "motion": ('GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"', "", "MotionPhoto", "motion clip"),
    "motion, older": ('GCamera:MicroVideo="1" GCamera:MicroVideoOffset="4000"', "", "MicroVideo", "motion clip"),
    "depth": ('GDepth:Format="RangeInverse"', "", "GDepth", "depth map"),
    "extended": ('xmpNote:HasExtendedXMP="ABCD"', "", "HasExtendedXMP", "stands apart"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNTRUE)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_what_is_no_longer_true_goes(tmp_path, caplog, name, suffix):
    attributes, elements, word, said = UNTRUE[name]
    photo = read_photo(jpeg(tmp_path / "in.jpg", packet(attributes, elements)))
    with caplog.at_level(logging.WARNING):
        write_photo(photo, tmp_path / f"out{suffix}", MARK)
    raw = (tmp_path / f"out{suffix}").read_bytes()
    assert word.encode() not in raw
    assert b"kept" in raw
    lines = [record.getMessage() for record in caplog.records]
    assert [said in line and str(tmp_path / "in.jpg") in line for line in lines] == ([True] if said else [])


@pytest.mark.parametrize("attributes", ['crs:Exposure2012="+0.35" crs:ConvertToGrayscale="False"',
                                        'crs:Saturation="-10"', 'crs:RawFileName="mono.dng"'])  # fmt: skip
def test_settings_that_turn_nothing_gray_stay(tmp_path, attributes):
    assert attributes.split("=")[0].encode() in after(tmp_path, packet(attributes), 1)


@pytest.mark.parametrize("name", ["jpeg_lightroom_bw", "jpeg_photoshop_gray", "jpeg_gain_map"])
def test_files_of_people(tmp_path, name):
    write_photo(read_photo(CASES / f"{name}.jpg"), tmp_path / "a.jpg", MARK)
    image = Image.open(tmp_path / "a.jpg")
    for word in (b"ConvertToGrayscale", b"ColorMode", b"hdrgm", b"SamplesPerPixel", b"GainMap"):
        assert word not in image.info["xmp"]
    assert not {277, 262, 258} & set(image.getexif())
    assert (b"kept" in image.info["xmp"]) == (name == "jpeg_lightroom_bw")


@pytest.mark.parametrize("order", ["<", ">"])
def test_storage_leaves_exif_and_values_stay(order):
    """The entries close their ranks; what they point to does not move."""
    entries = [(258, 3, 1, 8), (259, 3, 1, 6), (262, 3, 1, 1), (270, 2, 9, None), (277, 3, 1, 1),
               (305, 2, 4, b"abc\x00")]  # fmt: skip
    block = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "IH", 8, len(entries))
    start = 8 + 2 + 12 * len(entries) + 4
    for code, kind, count, value in entries:
        field = struct.pack(order + "I", start) if value is None else value
        field = struct.pack(order + "HH", field, 0) if isinstance(field, int) else field
        block += struct.pack(order + "HHI", code, kind, count) + field
    block += bytes(4) + b"Grandma.\x00"
    mended = exif_block.upright(block, 3, 2)
    exif = Image.Exif()
    exif.load(mended)
    assert dict(exif) == {270: "Grandma.", 305: "abc"}
    assert mended.index(b"Grandma") == block.index(b"Grandma")


@pytest.mark.parametrize("kind", [0, 13, 14, 99])
def test_entries_of_no_kind_do_not_reach_a_tiff(tmp_path, kind):
    block = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 2)
    block += struct.pack("<HHI4s", 270, 2, 4, b"abc\x00") + struct.pack("<HHII", 315, kind, 1, 5) + bytes(4)
    photo = Photo(np.zeros((4, 4, 3), np.uint8), metadata=Metadata(exif=block))
    write_photo(photo, tmp_path / "a.tif", MARK)
    exif = Image.open(tmp_path / "a.tif").getexif()
    assert exif[270] == "abc"
    assert 315 not in exif


def test_iptc_that_speaks_of_gray_goes(tmp_path):
    iptc = b"\x1c\x02\x78\x00\x04wall" + b"\x1c\x02\x82\x00\x021M" + b"\x1c\x02\x83\x00\x01L"
    write_photo(Photo(np.zeros((4, 4, 3), np.uint8), metadata=Metadata(iptc=iptc)), tmp_path / "a.jpg", None)
    from PIL import IptcImagePlugin

    write_photo(read_photo(tmp_path / "a.jpg"), tmp_path / "b.jpg", MARK)
    assert IptcImagePlugin.getiptcinfo(Image.open(tmp_path / "b.jpg")) == {(2, 120): b"wall"}


@pytest.mark.parametrize(("behind", "said"), [(b"\x00\x00\x00\x18ftypmp42" + bytes(50), "its motion clip"),
                                              (b"\xff\xd8\xff\xe0" + bytes(50), "a picture behind it"),
                                              (b"a maker's words", None)])  # fmt: skip
def test_what_stands_behind_a_jpeg_is_told(tmp_path, caplog, behind, said):
    path = jpeg(tmp_path / "in.jpg", packet('GCamera:MotionPhoto="1"' if said == "its motion clip" else ""))
    path.write_bytes(path.read_bytes() + behind)
    with caplog.at_level(logging.WARNING):
        write_photo(read_photo(path), tmp_path / "out.jpg", MARK)
    wanted = [f"{path}: not carried: {said}"] if said else []
    assert [record.getMessage() for record in caplog.records] == wanted


# Broken XMP

TITLE = "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Stra\u00dfe</rdf:li></rdf:Alt></dc:title>"
WHOLE = packet('xmp:Rating="5"', TITLE)
BROKEN = {
    "unbound": (WHOLE.replace(b'xmlns:xmp="http://ns.adobe.com/xap/1.0/"', b""), False),
    "unbound and unknown": (WHOLE.replace(b"<dc:title>", b"<odd:thing>1</odd:thing><dc:title>"), False),
    "ampersand": (WHOLE.replace(b"kept", b"kept & well"), False),
    "entity": (WHOLE.replace(b"kept", b"kept&nbsp;well"), False),
    "control character": (WHOLE.replace(b"kept", b"kept\x02"), False),
    "behind its end": (WHOLE + b"<more/>", False),
    "latin-1": (WHOLE.replace("ß".encode(), b"\xdf"), False),
    "without its wrapper": (WHOLE[WHOLE.index(b"<rdf:RDF") : WHOLE.index(b"</x:xmpmeta>")], False),
    "cut": (WHOLE[: WHOLE.index(b"</rdf:Alt>")], True),
    "crossed": (WHOLE.replace(b"</rdf:li></rdf:Alt>", b"</rdf:Alt></rdf:li>"), True),
}


@pytest.mark.parametrize("name", BROKEN)
def test_of_a_broken_packet_what_can_be_read_is_kept(tmp_path, caplog, name):
    sent, told = BROKEN[name]
    photo = read_photo(jpeg(tmp_path / "in.jpg", sent))
    with caplog.at_level(logging.WARNING):
        write_photo(photo, tmp_path / "out.png", MARK)
    written = Image.open(tmp_path / "out.png").info["xmp"]
    assert "Straße".encode() in written
    assert b"kept" in written
    lines = [record.getMessage() for record in caplog.records]
    assert [str(tmp_path / "in.jpg") in line for line in lines] == [True] * told


@pytest.mark.parametrize("sent", [b"no XML", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", b"<!DOCTYPE a><x/>", b"<" * 90])
def test_a_packet_that_cannot_be_read_is_told_with_its_file(tmp_path, caplog, sent):
    photo = read_photo(jpeg(tmp_path / "in.jpg", sent))
    with caplog.at_level(logging.WARNING):
        write_photo(photo, tmp_path / "out.png", MARK)
    (record,) = caplog.records
    assert str(tmp_path / "in.jpg") in record.getMessage()
    assert "its XMP, which cannot be read" in record.getMessage()
