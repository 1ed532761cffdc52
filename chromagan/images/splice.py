"""Metadata put between the segments of an encoded JPEG or the chunks of an encoded PNG; pixels are not touched."""

from __future__ import annotations

import struct
import zlib

from chromagan.images.captions import readable
from chromagan.images.exif import PREFIX
from chromagan.images.metadata import Metadata
from chromagan.images.png import chunk


def fits_jpeg(block: bytes | None) -> bool:
    """Whether a block of EXIF, XMP or IPTC fits one JPEG segment (64 KiB with its name)."""
    return block is None or len(block) <= 65533 - 64


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def splice_jpeg(encoded: bytes | memoryview, icc: bytes, kept: Metadata) -> list[bytes | memoryview]:
    """Put metadata behind the start marker of a JPEG.

    Args:
        encoded: a JPEG that begins with a JFIF segment, as OpenCV writes it.
        icc: profile, below 64 KiB.
        kept: blocks that fit a segment each; of its texts the comments.

    Returns:
        Pieces to be written one after the other; the last is a view of `encoded`.
    """
    data = memoryview(encoded).cast("B")
    at = 2
    if data[2:4].tobytes() == b"\xff\xe0":
        at += 2 + struct.unpack_from(">H", data, 4)[0]
    unit, x, y = (1, *map(round, kept.dpi)) if kept.dpi else (0, 1, 1)
    jfif = struct.pack(">5sHBHHBB", b"JFIF\x00", 0x0101, unit, x, y, 0, 0)
    pieces: list[bytes | memoryview] = [b"\xff\xd8", _segment(0xE0, jfif)]
    if kept.exif:
        pieces.append(_segment(0xE1, PREFIX + kept.exif))
    if kept.xmp:
        pieces.append(_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + kept.xmp))
    pieces.append(_segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + icc))
    if kept.iptc:
        pieces.append(_segment(0xED, b"Photoshop 3.0\x00" + _resource(kept.iptc)))
    for _, text in kept.texts:
        pieces.append(_segment(0xFE, text.encode("utf-8", "surrogateescape")))
    pieces.append(data[at:])
    return pieces


def _resource(iptc: bytes) -> bytes:
    return struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def _text(keyword: str, text: str) -> bytes:
    key = keyword.encode("latin-1", "replace")[:79] + b"\x00"
    try:
        return chunk(b"tEXt", key + text.encode("latin-1").replace(b"\x00", b""))
    except UnicodeEncodeError:
        return chunk(b"iTXt", key + b"\x00\x00\x00\x00" + text.encode().replace(b"\x00", b""))


def splice_png(encoded: bytes | memoryview, kept: Metadata) -> list[bytes | memoryview]:
    """Put sRGB, resolution, EXIF and XMP chunks behind the header of a PNG.

    Args:
        encoded: a PNG whose first chunk is its header (they all begin so) and which carries none of these chunks.
        kept: what to carry; IPTC goes into the form that ImageMagick gave it.

    Returns:
        Pieces to be written one after the other; the last is a view of `encoded`.
    """
    data = memoryview(encoded).cast("B")
    pieces: list[bytes | memoryview] = [data[:33], chunk(b"sRGB", b"\x00")]  # perceptual intent
    if kept.dpi:
        pieces.append(chunk(b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in kept.dpi), 1)))
    if kept.exif:
        pieces.append(chunk(b"eXIf", kept.exif))
    if kept.xmp:
        pieces.append(chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + kept.xmp))
    if kept.iptc:
        digits = _resource(kept.iptc).hex()
        lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
        profile = f"\niptc\n{len(digits) // 2:8}\n{lines}\n".encode()
        pieces.append(chunk(b"zTXt", b"Raw profile type iptc\x00\x00" + zlib.compress(profile)))
    pieces += [_text(keyword, readable(text)) for keyword, text in kept.texts]
    pieces.append(data[33:])
    return pieces
