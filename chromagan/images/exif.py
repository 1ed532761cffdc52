"""The EXIF block of a photo, mended in place: the pixels are upright now, the thumbnail would still be gray.

Nothing is moved inside the block: maker notes hold absolute offsets, and a rewritten block would break them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

PREFIX = b"Exif\x00\x00"  # what JPEG (and some WebP and HEIF writers) put before the block

_ORIENTATION, _WIDTH, _HEIGHT, _EXIF_IFD = 0x0112, 0x0100, 0x0101, 0x8769
_PIXEL_WIDTH, _PIXEL_HEIGHT, _COLOR_SPACE = 0xA002, 0xA003, 0xA001
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_SHORT, _LONG = 3, 4
_SRGB = 1
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])")


def strip_prefix(block: bytes | None) -> bytes | None:
    """The TIFF block alone, from its byte order on; None for anything else."""
    if not block:
        return None
    block = block[len(PREFIX) :] if block.startswith(PREFIX) else block
    return block if len(block) >= 14 and block[:4] in (b"II*\x00", b"MM\x00*") else None


def _entries(block: bytes | bytearray, order: str, offset: int) -> Iterator[tuple[int, int, int]]:
    """Tag, type and position of the value field of each entry of the directory at `offset`."""
    (count,) = struct.unpack_from(order + "H", block, offset)
    for i in range(count):
        at = offset + 2 + 12 * i
        tag, kind = struct.unpack_from(order + "HH", block, at)
        struct.unpack_from("4s", block, at + 8)  # the whole entry lies inside the block, or struct.error
        yield tag, kind, at + 8


def _number(block: bytes | bytearray, order: str, kind: int, at: int) -> int:
    return int(struct.unpack_from(order + ("H" if kind == _SHORT else "I"), block, at)[0])


def _set_number(block: bytearray, order: str, kind: int, at: int, value: int) -> None:
    if kind == _SHORT and value < 65536:
        struct.pack_into(order + "HH", block, at, value, 0)
    elif kind == _LONG:
        struct.pack_into(order + "I", block, at, value)


def _order(block: bytes | bytearray) -> str:
    return "<" if block[:2] == b"II" else ">"


def orientation(block: bytes | None, xmp: bytes | None = None) -> int:
    """EXIF orientation 1 to 8 (1 where there is none); XMP's tiff:Orientation where EXIF is silent, as Pillow does."""
    if block:
        order = _order(block)
        try:
            for tag, kind, at in _entries(block, order, _number(block, order, _LONG, 4)):
                if tag == _ORIENTATION:
                    value = _number(block, order, kind, at)
                    return value if 1 <= value <= 8 else 1
        except struct.error:
            return 1
    match = _XMP_ORIENTATION.search(xmp or b"")
    return int(match[1]) if match else 1


def upright(block: bytes | None, width: int, height: int) -> bytes | None:
    """The block for pixels that are upright, sRGB and `width` x `height`, without its thumbnail.

    Args:
        block: TIFF block without the "Exif" prefix, or None.
        width: columns of the photo as it is written.
        height: rows of the photo as it is written.

    Returns:
        The mended block, or None where there is none or its directories are broken.
    """
    if not block:
        return None
    mended, order = bytearray(block), _order(block)
    values = {_ORIENTATION: 1, _WIDTH: width, _HEIGHT: height}
    inner = {_PIXEL_WIDTH: width, _PIXEL_HEIGHT: height, _COLOR_SPACE: _SRGB}
    try:
        first = _number(block, order, _LONG, 4)
        end = first + 2
        for tag, kind, at in _entries(block, order, first):
            end = at + 4
            if tag in values:
                _set_number(mended, order, kind, at, values[tag])
            elif tag == _EXIF_IFD:
                for sub_tag, sub_kind, sub_at in _entries(block, order, _number(block, order, _LONG, at)):
                    if sub_tag in inner:
                        _set_number(mended, order, sub_kind, sub_at, inner[sub_tag])
        return bytes(_without_thumbnail(mended, order, end))
    except struct.error:
        return None


def _without_thumbnail(block: bytearray, order: str, link: int) -> bytearray:
    """Cut the chain to the second directory, at `link`, and blank the thumbnail that it points to."""
    if link + 4 > len(block):  # some writers leave out the last link
        return block
    second = _number(block, order, _LONG, link)
    struct.pack_into(order + "I", block, link, 0)
    if not 8 <= second < len(block) - 2:
        return block
    where = {tag: _number(block, order, kind, at) for tag, kind, at in _entries(block, order, second)}
    start, size = where.get(_THUMBNAIL_OFFSET, 0), where.get(_THUMBNAIL_LENGTH, 0)
    if start < 8 or not 0 < size <= len(block) - start:
        return block
    if start + size >= len(block) - 1:
        return block[:start]
    block[start : start + size] = bytes(size)
    return block
