"""A photo whose pixels end early is refused as damaged, whatever its format; --accept-truncated takes what is there."""

import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, features

from chromagan.errors import ReadError
from chromagan.images.read import read_photo

COARSE = np.random.default_rng(0).integers(30, 220, (12, 16, 3), dtype=np.uint8)
RGB = cv2.resize(COARSE, (64, 48), interpolation=cv2.INTER_CUBIC)
IMAGE = Image.fromarray(RGB)


def encoded(image, name, **options):
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def half_png(data):
    """Half of the rows, in a PNG that is right in all else."""
    out, pixels, at = [data[:8]], b"", 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"IDAT":
            pixels += body
            continue
        if kind == b"IEND":
            raw = zlib.decompress(pixels)
            out.append(chunk(b"IDAT", zlib.compress(raw[: len(raw) // 2])))
        out.append(chunk(kind, body))
    return b"".join(out)


def pngs():
    gray = IMAGE.convert("L")
    deep = RGB.astype(np.uint16) * 257
    for mode in ("L", "1", "RGB", "RGBA", "LA"):
        yield f"png {mode}", encoded(IMAGE.convert(mode), "PNG")
    yield "png P", encoded(IMAGE.quantize(), "PNG")
    yield "png gray 16", encoded(Image.fromarray(np.asarray(gray).astype(np.uint16) * 257), "PNG")
    yield "png rgb 16", cv2.imencode(".png", deep)[1].tobytes()
    yield "png rgba 16", cv2.imencode(".png", np.dstack([deep, deep[..., 0]]))[1].tobytes()


def half_jpeg(share=0.5, mode="RGB", **options):
    data = encoded(IMAGE.convert(mode).resize((320, 240)), "JPEG", **options)
    return data[: int(len(data) * share)] + b"\xff\xd9"


def jpegs():
    for name, options in {
        "plain": {}, "gray": {"mode": "L"}, "cmyk": {"mode": "CMYK"}, "full chroma": {"subsampling": 0},
        "restarts": {"restart_marker_blocks": 4}, "passes": {"progressive": True},
    }.items():  # fmt: skip
        for share in (0.5, 0.8, 0.95):
            yield f"jpeg {name} {share}", half_jpeg(share, **options)
    yield "jpeg with a trailer", half_jpeg(0.6) + b"a maker's trailer"
    tall = bytearray(encoded(IMAGE, "JPEG"))
    at = tall.find(b"\xff\xc0")
    tall[at + 5 : at + 7] = struct.pack(">H", 96)
    yield "jpeg tall", bytes(tall)


def others():
    def cut(name, tail=b"", **options):
        data = encoded(IMAGE, name, **options)
        return data[: len(data) // 2] + tail

    for name in ("BMP", "PPM", "TGA", "PCX", "SGI", "ICO", "JPEG2000"):
        yield name.lower(), cut(name, **({"sizes": [(48, 48)]} if name == "ICO" else {}))
    yield "gif", cut("GIF", b"\x00;")
    yield "jpeg2000 with its end", cut("JPEG2000", b"\xff\xd9")
    for name in ("webp", "avif"):
        if features.check(name):
            yield name, cut(name.upper())
    tall = bytearray(encoded(IMAGE, "BMP"))
    tall[22:26] = struct.pack("<i", 96)
    yield "bmp tall", bytes(tall)
    yield "ppm tall", encoded(IMAGE, "PPM").replace(b"48", b"96", 1)
    tall = bytearray(encoded(IMAGE, "TGA"))
    tall[14:16] = struct.pack("<H", 96)
    yield "tga tall", bytes(tall)


def set_tag(data, tag, value):
    struct.pack_into("<H" if tag.dtype == 3 else "<I", data, tag.valueoffset, value)


def tiffs():
    kinds = {"raw": {}, "zip": {"compression": "zlib"}, "predicted": {"compression": "zlib", "predictor": True},
             "tiles": {"compression": "zlib", "tile": (16, 16)}}  # fmt: skip
    for name, options in kinds.items():
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, RGB, photometric="rgb", **options)
        tall = bytearray(buffer.getvalue())
        buffer.seek(0)
        with tifffile.TiffFile(buffer) as file:
            tags = file.pages[0].tags
            for code in (257, 278):
                if code in tags:
                    set_tag(tall, tags[code], 96)
            yield f"tiff {name} tall", bytes(tall)
            if name in ("zip", "predicted"):
                short = bytearray(buffer.getvalue())
                set_tag(short, tags[279], file.pages[0].databytecounts[0] // 2)
                yield f"tiff {name} short", bytes(short)
    for name, options in {"jpeg": {"compression": "jpeg"}, "lzw": {"compression": "tiff_lzw"}}.items():
        data = encoded(IMAGE, "TIFF", **options)
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            short = bytearray(data)
            set_tag(short, file.pages[0].tags[279], file.pages[0].databytecounts[0] // 2)
            yield f"tiff {name} short", bytes(short)


HALVES = {**{name: half_png(data) for name, data in pngs()}, **dict(jpegs()), **dict(others()), **dict(tiffs())}


@pytest.mark.parametrize("name", HALVES)
def test_a_half_empty_picture_is_refused(tmp_path, name):
    path = tmp_path / "a.img"
    path.write_bytes(HALVES[name])
    with pytest.raises(ReadError, match="damaged or cut short") as caught:
        read_photo(path)
    assert str(path) in str(caught.value)


ACCEPTED = [name for name in HALVES if name.startswith(("png", "jpeg", "gif", "bmp", "ppm", "tga", "tiff tiles"))]


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_there_can_be_taken(tmp_path, name):
    path = tmp_path / "a.img"
    path.write_bytes(HALVES[name])
    photo = read_photo(path, accept_truncated=True)
    assert any("cut short" in note for note in photo.notes)
    if name.startswith("png") and name not in ("png 1", "png P"):
        truth = np.asarray(IMAGE.convert("L")) if photo.pixels.ndim == 2 else RGB[..., ::-1] if "16" in name else RGB
        scale = 257 if photo.pixels.dtype == np.uint16 else 1
        np.testing.assert_array_equal(photo.pixels[:23] // scale, truth[:23])


def test_a_whole_photo_says_nothing(tmp_path):
    for suffix in ("png", "jpg", "tif", "bmp"):
        IMAGE.save(tmp_path / f"a.{suffix}")
        strict, lenient = (read_photo(tmp_path / f"a.{suffix}", accept_truncated=value) for value in (False, True))
        np.testing.assert_array_equal(strict.pixels, lenient.pixels)
        assert lenient.notes == ()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_jpegs_are_whole(tmp_path, level, options):
    """Gray 128 is what a decoder fills up with."""
    Image.new("L", (200, 150), level).save(tmp_path / "a.jpg", **options)
    assert read_photo(tmp_path / "a.jpg").pixels.shape == (150, 200)
    Image.new("RGB", (200, 150), (level,) * 3).save(tmp_path / "b.jpg", **options)
    assert read_photo(tmp_path / "b.jpg").pixels.shape == (150, 200, 3)


def test_rows_beyond_the_limit_are_not_unpacked(tmp_path):
    """A small picture whose one chunk of pixels unpacks to 300 MB."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    import tracemalloc

    tracemalloc.start()
    with contextlib.suppress(ReadError):
        read_photo(tmp_path / "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_huge_count_or_a_few_strips_of_many_cost_nothing(tmp_path):
    """One strip that claims four gigabytes; a picture of 400 megapixels of which one strip is there."""
    import time

    for name, code, value in (("count", 279, 0xFFFF0000), ("strips", 257, 6_000_000)):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, RGB, photometric="rgb", rowsperstrip=48, metadata=None)
        buffer.seek(0)
        data = bytearray(buffer.getvalue())
        with tifffile.TiffFile(buffer) as file:
            tag = file.pages[0].tags[code]
            struct.pack_into("<HI", data, tag.offset + 2, 4, 1)
            struct.pack_into("<I", data, tag.offset + 8, value)
        path = tmp_path / f"{name}.tif"
        path.write_bytes(data)
        start = time.process_time()
        with contextlib.suppress(ReadError):
            read_photo(path, accept_truncated=True)
        assert time.process_time() - start < 5
