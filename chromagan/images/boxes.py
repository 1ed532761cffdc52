"""Formats of boxes - JPEG 2000, JPEG XL, HEIF, AVIF - as far as Pillow does not tell what they say."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from chromagan.images import exif as exif_block
from chromagan.images.captions import true_records
from chromagan.images.coding import profile_of_code_points
from chromagan.images.header import Header

_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
    b"JpgTiffExif->JP2": "exif",
}
_LARGEST = 16 << 20
_HEAD = 1 << 16  # HEIF's and AVIF's properties stand in front
_RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and size of the content of each outermost box."""
    at, end = 0, file.seek(0, 2)
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = int.from_bytes(file.read(8), "big"), 16
        size = end - at if size == 0 else size
        if size < head:
            return
        yield kind, at + head, size - head
        at += size


def _content(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(min(size, _LARGEST))


def read_jpeg2000(file: BinaryIO, header: Header) -> None:
    """Bits a channel, XMP, EXIF and IPTC of a JP2; a bare code stream has its bits alone."""
    for kind, start, size in _boxes(file):
        if kind == b"uuid":
            body = _content(file, start, size)
            name = _UUIDS.get(body[:16])
            if name == "exif":
                header.exif = header.exif or exif_block.strip_prefix(body[16:])
            elif name == "iptc":
                header.iptc = header.iptc or true_records(body[16:])
            elif name == "xmp":
                header.xmp = header.xmp or body[16:]
        elif kind == b"xml ":
            header.lost.append("its XML box")
        elif kind == b"jp2c":
            break
    file.seek(0)
    head = file.read(_HEAD)
    size_marker = head.find(b"\xff\x4f\xff\x51")  # start of the code stream, then its sizes
    if size_marker >= 0 and size_marker + 45 <= len(head):
        header.bits = (head[size_marker + 42] & 127) + 1


def read_colours(file: BinaryIO, header: Header) -> None:
    """Of HEIF and AVIF: the colour space that is named by numbers, and an AVIF's bits a channel."""
    file.seek(0)
    head = file.read(_HEAD)
    at = head.find(b"colrnclx")
    if header.icc is None and 0 <= at <= len(head) - 12:
        primaries, transfer = struct.unpack_from(">HH", head, at + 8)
        header.icc = profile_of_code_points(primaries, transfer, header.notes)
    at = head.find(b"av1C")
    if 0 <= at <= len(head) - 7:
        header.bits = 8 + 2 * (head[at + 6] >> 6 & 1) + 2 * (head[at + 6] >> 6 & head[at + 6] >> 5 & 1)


def jpegxl_header(file: BinaryIO) -> Header | None:
    """Size and metadata of a JPEG XL; None where the code stream has no sizes."""
    file.seek(0)
    stream, header = file.read(64), Header("jpegxl", 0, 0)
    if not stream.startswith(b"\xff\x0a"):
        stream = b""
        for kind, start, size in _boxes(file):
            body = _content(file, start, size if kind in (b"Exif", b"xml ") else 64)
            if kind in (b"jxlc", b"jxlp"):
                stream = stream or body[4 if kind == b"jxlp" else 0 :]
            elif kind == b"Exif":
                header.exif = exif_block.strip_prefix(body[4:])
            elif kind == b"xml ":
                header.xmp = body
            elif kind == b"brob":
                header.lost.append("its compressed metadata")
    bits = int.from_bytes(stream[2:18], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    def side() -> int:
        return take((9, 13, 18, 30)[take(2)]) + 1

    small = take(1)
    header.height = (take(5) + 1) * 8 if small else side()
    ratio = take(3)
    if ratio:
        header.width = header.height * _RATIOS[ratio][0] // _RATIOS[ratio][1]
    else:
        header.width = (take(5) + 1) * 8 if small else side()
    return header if stream.startswith(b"\xff\x0a") else None
