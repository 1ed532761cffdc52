"""EXIF: the block of a photo mended in place, and TIFF directories as raw entries, whose bytes nobody interprets.

The pixels are upright and in colour now, so what says otherwise goes. Nothing else is moved inside a block: maker notes
hold absolute offsets, and a rewritten block would break them. Only what goes into a TIFF or comes out of one is written
anew: Pillow and tifffile would turn text that is not ASCII, and tags that they do not know, into something else.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

PREFIX = b"Exif\x00\x00"  # what JPEG (and some WebP and HEIF writers) put before the block
EXIF_IFD, GPS_IFD = NESTED = 0x8769, 0x8825

_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0x0100, 0x0101
_PIXEL_WIDTH, _PIXEL_HEIGHT, _COLOR_SPACE = 0xA002, 0xA003, 0xA001
_SUBJECTS = (0x9214, 0xA214)  # SubjectArea, SubjectLocation: pixels of the stored picture
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_SHORT, _LONG = 3, 4
_SRGB = 1
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])")
# How a file stores its pixels: samples, strips, tiles, compression, thumbnails, raw data. Never true of an output.
_STORAGE = {254, 255, *range(258, 267), 273, *range(277, 282), 284, *range(288, 294), 317, *range(320, 331),
            *range(332, 348), *range(512, 522), 529, 530, 532, 37724}  # fmt: skip
_ELSEWHERE = {_WIDTH, _HEIGHT, _ORIENTATION, 282, 283, 296, 301, 318, 319, 531, 700, 33723, 34377, EXIF_IFD, 34675,
              GPS_IFD, 0xA005}  # fmt: skip
# Described: names, texts, dates, Windows' tags, TIFF/EP, GeoTIFF. Of tags that nobody knows, text alone is understood.
_DESCRIBED = {*range(269, 273), *range(285, 288), 297, 300, 305, 306, 315, 316, 18246, 18249, 33432, 33434, 33437,
              33550, 33922, 34264, 34735, 34736, 34737, 36867, 37510, *range(40091, 40096), 42112, 42113, 50708,
              50735}  # fmt: skip
_UNITS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}  # bytes of a number, by type
_KINDS = {*range(1, 13), 16, 17, 18}  # of values; 13 is the place of a directory
LARGEST = 1 << 20  # bytes of an entry


class Entry(NamedTuple):
    """A tag's type, and its value in little-endian order."""

    kind: int
    data: bytes

    @property
    def length(self) -> int:
        """How many numbers, characters or bytes."""
        return len(self.data) // size_of(self.kind)


def size_of(kind: int) -> int:
    """Bytes of one value of a type."""
    return _UNITS.get(kind, 1) * (2 if kind in (5, 10) else 1)


def entry(kind: int, raw: bytes, order: str, code: int = 0) -> Entry:
    """An entry of bytes in a file's order, "<" or ">"."""
    unit = 2 if code == 37510 and raw[:8] == b"UNICODE\x00" else _UNITS.get(kind, 1)  # EXIF's comment: wide characters
    head = 8 if code == 37510 else 0
    if order == ">" and unit > 1:
        whole = raw[: len(raw) - (len(raw) - head) % unit]
        raw = raw[:head] + np.frombuffer(whole, f">u{unit}", offset=head).astype(f"<u{unit}").tobytes()
    return Entry(kind, raw)


def read_directory(file: BinaryIO, offset: int, order: str, big: bool = False) -> dict[int, Entry]:
    """The entries of the directory at an offset of a TIFF or BigTIFF; those whose values are not there are left out."""

    def get(at: int, form: str) -> tuple[int, ...]:
        file.seek(at)
        return struct.unpack(order + form, file.read(struct.calcsize(order + form)))

    found: dict[int, Entry] = {}
    (count,), room = get(offset, "Q" if big else "H"), 8 if big else 4
    for i in range(min(count, 4096)):
        at = offset + (8 + 20 * i if big else 2 + 12 * i)
        code, kind, number = get(at, "HHQ" if big else "HHI")
        size, where = number * size_of(kind), at + 4 + room
        if size > LARGEST:
            continue
        if size > room:
            (where,) = get(where, "Q" if big else "I")
        file.seek(where)
        raw = file.read(size)
        if len(raw) == size and size and kind in _KINDS:
            found[code] = entry(kind, raw, order, code)
    return found


def directory(entries: dict[int, Entry], offset: int) -> bytes:
    """A little-endian directory that will stand at an even `offset`, its values behind it."""
    table, values = struct.pack("<H", len(entries)), b""
    start = offset + 2 + 12 * len(entries) + 4
    for code, one in sorted(entries.items()):
        small = one.data.ljust(4, b"\x00") if len(one.data) <= 4 else struct.pack("<I", start + len(values))
        values += one.data + bytes(len(one.data) % 2) if len(one.data) > 4 else b""
        table += struct.pack("<HHI", code, one.kind, one.length) + small
    return table + bytes(4) + values


def directories(block: bytes) -> tuple[dict[int, Entry], dict[int, dict[int, Entry]]]:
    """What a block's first directory describes, and its EXIF and GPS directories by the tag that points to them.

    Nothing of a block that ends within its first directory.
    """
    order, file = _order(block), io.BytesIO(block)
    try:
        first = read_directory(file, _number(block, order, _LONG, 4), order)
    except struct.error:
        return {}, {}
    return {code: one for code, one in first.items() if describes(code, one)}, inner(first, file, order)


def inner(first: dict[int, Entry], file: BinaryIO, order: str, big: bool = False) -> dict[int, dict[int, Entry]]:
    """The EXIF and GPS directories that a first one points to; nested ones (interoperability) say nothing."""
    found = {}
    for code in NESTED:
        if code in first and len(first[code].data) in (4, 8):
            with contextlib.suppress(struct.error):  # nothing is there
                entries = read_directory(file, int.from_bytes(first[code].data, "little"), order, big)
                found[code] = {code: one for code, one in entries.items() if code not in _ELSEWHERE}
    return {code: entries for code, entries in found.items() if entries}


def describes(code: int, one: Entry) -> bool:
    """Whether a tag of a first directory tells of the photo, and can be understood without its file."""
    return code in _DESCRIBED or (one.kind == 2 and code not in _STORAGE | _ELSEWHERE)


def is_private(code: int, one: Entry) -> bool:
    """Whether a tag tells something that nobody can say what it is, and that is not carried."""
    return not describes(code, one) and code not in _STORAGE | _ELSEWHERE


def build(described: dict[int, Entry], nested: dict[int, dict[int, Entry]]) -> bytes | None:
    """A block of directories; None where they are empty."""
    if not described and not nested:
        return None
    block = b""
    for _ in range(2):  # the first pass finds out where the inner ones come to stand
        pointers, body = {}, b""
        for code, entries in nested.items():
            pointers[code] = Entry(_LONG, struct.pack("<I", 8 + len(block) + len(body)))
            body += directory(entries, 8 + len(block) + len(body))
        block = directory(described | pointers, 8)
    return b"II*\x00\x08\x00\x00\x00" + block + body


def resolution(block: bytes | None) -> tuple[float, float] | None:
    """Dots an inch as a block has them."""
    if not block:
        return None
    try:
        first = read_directory(io.BytesIO(block), _number(block, _order(block), _LONG, 4), _order(block))
        pairs = [struct.unpack("<2I", first[code].data) for code in (282, 283)]
        factor = 2.54 if 296 in first and first[296].data[:1] == b"\x03" else 1.0
        return factor * pairs[0][0] / pairs[0][1], factor * pairs[1][0] / pairs[1][1]
    except (struct.error, KeyError, ZeroDivisionError):
        return None


def with_resolution(block: bytes | None, dpi: tuple[float, float]) -> bytes:
    """A block that says the resolution too; its first directory moves to its end, all else stays where it is."""
    block = block or b"II*\x00\x08\x00\x00\x00" + bytes(6)
    order = _order(block)
    first = _number(block, order, _LONG, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    rows = {block[first + 2 + 12 * i : first + 4 + 12 * i]: block[first + 2 + 12 * i : first + 14 + 12 * i]
            for i in range(count)}  # fmt: skip
    start = len(block) + len(block) % 2
    values = start + 2 + 12 * (len(rows) + 3) + 4
    for code, kind, value in ((282, 5, values), (283, 5, values + 8), (296, _SHORT, 2)):
        field = struct.pack(order + ("I" if kind == 5 else "HH"), value, *([0] if kind == _SHORT else []))
        rows[struct.pack(order + "H", code)] = struct.pack(order + "HHI", code, kind, 1) + field
    ranks = [row for _, row in sorted(rows.items(), key=lambda one: struct.unpack(order + "H", one[0]))]
    table = struct.pack(order + "H", len(ranks)) + b"".join(ranks) + bytes(4)
    numbers = struct.pack(order + "4I", round(dpi[0] * 100), 100, round(dpi[1] * 100), 100)
    return (
        block[:4]
        + struct.pack(order + "I", start)
        + block[8:].ljust(start - 8, b"\x00")
        + (table.ljust(values - start, b"\x00") + numbers)
    )


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


def turned(x: float, y: float, turn: int, width: float = 1, height: float = 1) -> tuple[float, float]:
    """Where a point of a stored picture of `width` x `height` lies once EXIF orientation `turn` is applied."""
    x = width - x if turn in (2, 3, 7, 8) else x
    y = height - y if turn in (3, 4, 6, 7) else y
    return (y, x) if turn >= 5 else (x, y)


def upright(block: bytes | None, width: int, height: int, turn: int = 1) -> bytes | None:
    """The block for pixels that are upright, sRGB and `width` x `height`, without its thumbnail.

    Args:
        block: TIFF block without the "Exif" prefix, or None.
        width: columns of the photo as it is written.
        height: rows of the photo as it is written.
        turn: the orientation that was applied, for places in the picture.

    Returns:
        The mended block, or None where there is none or its directories are broken.
    """
    if not block:
        return None
    mended, order = bytearray(block), _order(block)
    values = {_ORIENTATION: 1, _WIDTH: width, _HEIGHT: height}
    inside = {_PIXEL_WIDTH: width, _PIXEL_HEIGHT: height, _COLOR_SPACE: _SRGB}
    stored = (height, width) if turn >= 5 else (width, height)
    try:
        first = _number(block, order, _LONG, 4)
        end = first + 2
        for tag, kind, at in _entries(block, order, first):
            end = at + 4
            if tag in values:
                _set_number(mended, order, kind, at, values[tag])
            elif tag == EXIF_IFD:
                for sub_tag, sub_kind, sub_at in _entries(block, order, _number(block, order, _LONG, at)):
                    if sub_tag in inside:
                        _set_number(mended, order, sub_kind, sub_at, inside[sub_tag])
                    elif sub_tag in _SUBJECTS and sub_kind == _SHORT and turn != 1:
                        _turn_subject(mended, order, sub_at, turn, stored)
        mended = _without_thumbnail(mended, order, end)
        _remove_storage(mended, order, first)
        return bytes(mended)
    except struct.error:
        return None


def _turn_subject(block: bytearray, order: str, at: int, turn: int, stored: tuple[int, int]) -> None:
    """Turn x, y, and width and height where there are four numbers."""
    count = _number(block, order, _LONG, at - 4)
    where = at if count <= 2 else _number(block, order, _LONG, at)
    x, y, *size = struct.unpack_from(f"{order}{min(count, 4)}H", block, where)
    place = (round(v) for v in turned(x, y, turn, *stored))
    size = size[::-1] if turn >= 5 else size
    struct.pack_into(f"{order}{min(count, 4)}H", block, where, *(min(max(v, 0), 65535) for v in (*place, *size)))


def _remove_storage(block: bytearray, order: str, first: int) -> None:
    """Close the gaps that tags of stored pixels leave in the first directory; values stay where they are."""
    (count,) = struct.unpack_from(order + "H", block, first)
    rows = [bytes(block[first + 2 + 12 * i : first + 14 + 12 * i]) for i in range(count)]
    kept = [row for row in rows if struct.unpack(order + "H", row[:2])[0] not in _STORAGE]
    end = first + 2 + 12 * count
    whole = struct.pack(order + "H", len(kept)) + b"".join(kept) + bytes(block[end : end + 4])
    block[first : end + 4] = whole.ljust(len(block[first : end + 4]), b"\x00")


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
