"""PNG: the metadata of its chunks, wherever they stand and in older forms too, and whether all pixels are there."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from chromagan.images import exif as exif_block
from chromagan.images.captions import iptc_of_resources, true_records
from chromagan.images.coding import profile_of_code_points, profile_of_gamma
from chromagan.images.header import Header, broken, sane_dpi

_LONGEST = 16 << 20  # bytes of a text, packed or not
_XMP = "XML:com.adobe.xmp"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk; the file stands at its content meanwhile. Ends where the file does."""
    at = 8
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        (length,) = struct.unpack_from(">I", head)
        yield head[4:], length
        at += 12 + length


def read_metadata(file: BinaryIO, header: Header) -> None:
    """Put what the chunks say into a header."""
    colour: dict[bytes, bytes] = {}
    for kind, length in _chunks(file):
        if kind == b"IDAT" or length > _LONGEST:
            continue
        body = file.read(length)
        with contextlib.suppress(struct.error, zlib.error, ValueError):
            if kind in (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"):
                colour[kind] = body
            elif kind == b"eXIf":
                header.exif = exif_block.strip_prefix(body) or header.exif
            elif kind == b"pHYs" and body[8:9] == b"\x01":
                header.dpi = sane_dpi([value * 0.0254 for value in struct.unpack_from(">II", body)])
            elif kind == b"acTL":
                header.pictures = struct.unpack_from(">I", body)[0]
            elif kind == b"caBX":
                header.lost.append("its content credentials (C2PA)")
            elif kind in (b"tEXt", b"zTXt", b"iTXt"):
                _text(kind, body, header)
    with contextlib.suppress(struct.error, zlib.error):
        header.icc = _profile(colour, header.notes) or header.icc


def _profile(colour: dict[bytes, bytes], notes: list[str]) -> bytes | None:
    """By the order of precedence of the specification, third edition."""
    if b"cICP" in colour:
        primaries, transfer = struct.unpack_from(">2B", colour[b"cICP"])
        return profile_of_code_points(primaries, transfer, notes)
    if b"iCCP" in colour:
        return _inflate(colour[b"iCCP"].partition(b"\x00")[2][1:])
    if b"sRGB" in colour or b"gAMA" not in colour:
        return None
    (gamma,) = struct.unpack_from(">I", colour[b"gAMA"])
    corners = struct.unpack(">8I", colour[b"cHRM"]) if b"cHRM" in colour else None
    return profile_of_gamma(gamma / 100000, [value / 100000 for value in corners] if corners else None)


def _inflate(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, _LONGEST)


def _text(kind: bytes, body: bytes, header: Header) -> None:
    key, _, rest = body.partition(b"\x00")
    keyword = key.decode("latin-1")
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\x01", rest[2:].partition(b"\x00")[2].partition(b"\x00")[2]
        raw = _inflate(rest) if packed else rest
        text = raw.decode("utf-8", "replace")
    else:
        raw = _inflate(rest[1:]) if kind == b"zTXt" else rest
        text = raw.decode("latin-1")
    if keyword == _XMP:
        header.xmp = raw
    elif keyword.startswith("Raw profile type "):
        _raw_profile(keyword.rpartition(" ")[2].lower(), raw, header)
    elif keyword and not keyword.startswith("Thumb::"):
        header.texts.append((keyword, text))


def _raw_profile(name: str, text: bytes, header: Header) -> None:
    """ImageMagick's older form, in lines: none, a name, the number of bytes, and the bytes in hexadecimal digits."""
    content = bytes.fromhex(text.split(b"\n", 3)[-1].decode("ascii"))
    if name in ("exif", "app1") and content.startswith((b"Exif", b"II*", b"MM\x00*")):
        header.exif = header.exif or exif_block.strip_prefix(content)
    elif name == "xmp" or content.startswith(b"http://ns.adobe.com/xap/"):
        header.xmp = header.xmp or content[content.find(b"<") :]
    elif name in ("iptc", "8bim"):
        header.iptc = header.iptc or (
            true_records(content) if content[:1] == b"\x1c" else iptc_of_resources(content, header.lost)
        )
    elif name in ("icc", "icm"):
        header.icc = header.icc or content


def check(data: bytes, name: str, animated: bool) -> tuple[int, bytes | None, bool]:
    """Colour type and tRNS of a PNG with all chunks and right checksums, and whether Pillow has to decode it.

    Pillow fills up rows that are missing with black: they are counted. OpenCV refuses.

    Raises:
        ReadError: damaged.
    """
    depth, colour = data[24], data[25]
    by_pillow = animated or depth < 8 or colour == 3 or (depth == 8 and colour == 4)
    at, ended, key, missing = 8, False, None, _size(data)
    view, inflater = memoryview(data), zlib.decompressobj()
    while not ended:
        length, kind = struct.unpack_from(">I4s", data, at) if at + 12 <= len(data) else (len(data), b"")
        if at + 12 + length > len(data):
            raise broken(name, "its end is missing")
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if kind[:1].isupper() and zlib.crc32(view[at + 4 : at + 8 + length]) != checksum:
            raise broken(name, f"wrong checksum in {kind!r}")
        if kind == b"tRNS":
            key, by_pillow = data[at + 8 : at + 8 + length], by_pillow or depth == 8
        if kind == b"IDAT" and by_pillow:
            try:
                missing -= sum(map(len, _inflated(inflater, view[at + 8 : at + 8 + length], missing)))
            except zlib.error as error:
                raise broken(name, error) from error
        ended = kind == b"IEND"
        at += 12 + length
    if missing > 0 and by_pillow:
        raise broken(name, "rows of pixels are missing")
    return colour, key, by_pillow


def padded(data: bytes) -> bytes:
    """A PNG of what is there of another: black where its rows are missing."""
    at, kept, size = 8, [data[:8]], _size(data)
    inflater, pixels = zlib.decompressobj(), bytearray()
    while at + 8 < len(data) and len(pixels) < size:
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            with contextlib.suppress(zlib.error):
                for part in _inflated(inflater, body, size - len(pixels)):
                    pixels += part
        elif kind in (b"IHDR", b"PLTE", b"tRNS"):
            kept.append(chunk(kind, body))
        at += 12 + length
    return b"".join([*kept, chunk(b"IDAT", zlib.compress(pixels.ljust(size, b"\x00"), 1)), chunk(b"IEND", b"")])


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _inflated(inflater: zlib._Decompress, packed: bytes | memoryview, most: int) -> Iterator[bytes]:
    """What a chunk of pixels holds, up to `most` bytes, a megabyte at a time."""
    while packed and most > 0 and not inflater.eof:
        part = inflater.decompress(packed, min(most, 1 << 20))
        packed, most = inflater.unconsumed_tail, most - len(part)
        yield part


def _size(data: bytes) -> int:
    """Bytes of all rows, each with its filter."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * _SAMPLES.get(colour, 1)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)
