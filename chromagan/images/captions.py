"""Captions, keywords and names, from where one format keeps them to where another does: IPTC-IIM, PNG texts, comments.

A PNG's texts and comments are pairs of keyword and text; a comment of a JPEG or a GIF has the keyword "Comment".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from chromagan.images.xmp_claims import Property

Text = tuple[str, str]

# IPTC-IIM, record 2, by data set: the property of XMP that holds it (IPTC Photo Metadata Standard, mapping to IIM).
_IIM = {
    5: ("dc", "title", "Alt"), 10: ("photoshop", "Urgency", ""), 15: ("photoshop", "Category", ""),
    20: ("photoshop", "SupplementalCategories", "Bag"), 25: ("dc", "subject", "Bag"),
    12: ("Iptc4xmpCore", "SubjectCode", "Bag"), 40: ("photoshop", "Instructions", ""),
    55: ("photoshop", "DateCreated", ""), 80: ("dc", "creator", "Seq"), 85: ("photoshop", "AuthorsPosition", ""),
    90: ("photoshop", "City", ""), 92: ("Iptc4xmpCore", "Location", ""), 95: ("photoshop", "State", ""),
    100: ("Iptc4xmpCore", "CountryCode", ""), 101: ("photoshop", "Country", ""),
    103: ("photoshop", "TransmissionReference", ""), 105: ("photoshop", "Headline", ""),
    110: ("photoshop", "Credit", ""), 115: ("photoshop", "Source", ""), 116: ("dc", "rights", "Alt"),
    120: ("dc", "description", "Alt"), 122: ("photoshop", "CaptionWriter", ""),
}  # fmt: skip
_SILENT = {0, 60, 62, 63, 65, 70}  # version, times (beside the dates) and programs
_UNTRUE = {130, 131, *range(200, 203)}  # image type ("monochrome"), orientation, preview
# Keywords of the PNG specification, and "Comment".
_TEXTS = {
    "title": ("dc", "title", "Alt"), "description": ("dc", "description", "Alt"), "author": ("dc", "creator", "Seq"),
    "artist": ("dc", "creator", "Seq"), "copyright": ("dc", "rights", "Alt"), "source": ("dc", "source", ""),
    "comment": ("exif", "UserComment", "Alt"), "software": ("xmp", "CreatorTool", ""),
    "creation time": ("photoshop", "DateCreated", ""), "disclaimer": ("xmpRights", "UsageTerms", "Alt"),
    "warning": ("photoshop", "Instructions", ""),
}  # fmt: skip


def readable(text: str | bytes) -> str:
    """A text of bytes that may be UTF-8 or Latin-1; a `str` holds bytes that are no UTF-8 as surrogates."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def records(iptc: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(record, data set, value) of IIM records, up to the first that is none."""
    at = 0
    while at + 5 <= len(iptc) and iptc[at] == 0x1C:
        _, record, number, size = struct.unpack_from(">BBBH", iptc, at)
        at += 5
        if size & 0x8000:  # an extended data set: the length of its length
            size, at = int.from_bytes(iptc[at : at + (size & 0x7FFF)], "big"), at + (size & 0x7FFF)
        yield record, number, iptc[at : at + size]
        at += size


def iptc_of_resources(content: bytes, lost: list[str]) -> bytes | None:
    """The IIM records among Photoshop's image resources; what else a person put there goes to `lost`."""
    at, found = max(content.find(b"8BIM"), 0), None
    while content[at : at + 4] == b"8BIM" and at + 12 <= len(content):
        code, name = struct.unpack_from(">HB", content, at + 4)
        start = at + 6 + (name + 2) // 2 * 2
        (size,) = struct.unpack_from(">I", content.ljust(start + 4, b"\x00"), start)
        if code == 0x0404:
            found = content[start + 4 : start + 4 + size]
        elif 2000 <= code < 2999 and "its paths" not in lost:
            lost.append("its paths")
        at = start + 4 + size + size % 2
    return true_records(found)


def true_records(iptc: bytes | None) -> bytes | None:
    """IIM records without what a photo in colour makes untrue; as they were where there is no such thing."""
    if not iptc or not any(record in (2, 7, 8, 9) and number in _UNTRUE for record, number, _ in records(iptc)):
        return iptc or None
    kept = [one for one in records(iptc) if not (one[0] in (2, 7, 8, 9) and one[1] in _UNTRUE)]
    return b"".join(struct.pack(">BBBH", 0x1C, record, number, len(value)) + value
                    for record, number, value in kept if len(value) < 0x8000) or None  # fmt: skip


def iptc_properties(iptc: bytes | None) -> tuple[list[Property], list[str]]:
    """IIM records as XMP, and in words what XMP has no place for."""
    values: dict[int, list[str]] = {}
    lost: set[int] = set()
    for record, number, value in records(iptc or b""):
        if record == 2 and number in _IIM:
            values.setdefault(number, []).append(readable(value.rstrip(b"\x00")))
        elif record == 2 and number not in _SILENT:
            lost.add(number)
    if 55 in values:  # CCYYMMDD
        values[55] = ["-".join((day[:4], day[4:6], day[6:])) if day.isdecimal() else day for day in values[55]]
    words = [f"IPTC fields {', '.join(f'2:{number}' for number in sorted(lost))}"] if lost else []
    return [Property(*_IIM[number], found) for number, found in values.items()], words


def text_properties(texts: Iterable[Text]) -> tuple[list[Property], list[str]]:
    """Texts as XMP, and in words what XMP has no place for."""
    found: dict[tuple[str, str, str], list[str]] = {}
    lost = []
    for keyword, text in texts:
        place = _TEXTS.get(keyword.lower())
        if place is None:
            lost.append(f'its text "{keyword}"')
        else:
            found.setdefault(place, []).append(readable(text))
    return [Property(*place, values if place[2] in ("Seq", "Bag") else ["\n".join(values)])
            for place, values in found.items()], lost  # fmt: skip
