"""The XMP packet of an output: what the photo carried, and the mark that says a network coloured it.

A packet comes from a stranger: one with a document type (so with entities), too deep, too large or malformed is not
parsed any further, and the output then carries our packet alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

MARK = ("Model", "WeightsSha256", "Software", "Seed", "Request")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_NOTE = "http://ns.adobe.com/xmp/note/"
_OURS = "http://ns.chromagan/1.0/"
_PREFIXES = {
    "rdf": _RDF, "x": _META, "Iptc4xmpExt": _IPTC_EXT, "xmp": _XMP, "tiff": _TIFF, "exif": _EXIF, "xmpNote": _NOTE,
    "chromagan": _OURS, "dc": "http://purl.org/dc/elements/1.1/", "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/", "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#", "lr": "http://ns.adobe.com/lightroom/1.0/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#", "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/", "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}  # fmt: skip
for _prefix, _uri in _PREFIXES.items():
    ElementTree.register_namespace(_prefix, _uri)

_MAX_BYTES = 4 << 20
_MAX_DEPTH = 100
# What describes the pixels of the source and would be wrong (or would show the gray photo) in the output.
_STALE = {
    f"{{{_TIFF}}}Orientation", f"{{{_TIFF}}}ImageWidth", f"{{{_TIFF}}}ImageLength", f"{{{_EXIF}}}PixelXDimension",
    f"{{{_EXIF}}}PixelYDimension", f"{{{_EXIF}}}ColorSpace", f"{{{_XMP}}}Thumbnails", f"{{{_NOTE}}}HasExtendedXMP",
    "{http://ns.adobe.com/photoshop/1.0/}ICCProfile",
}  # fmt: skip
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = '\n<?xpacket end="w"?>'

log = logging.getLogger(__name__)


class _ShallowBuilder(ElementTree.TreeBuilder):
    """A tree builder that gives up on trees too deep for a recursive writer."""

    _depth = 0

    def start(self, tag: Any, attrs: Any) -> Any:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: Any) -> Any:
        self._depth -= 1
        return super().end(tag)


def _decode(packet: bytes) -> str:
    if packet.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in packet[:4]:
        return packet.decode("utf-16")
    return packet.decode("utf-8-sig")


def _parse(packet: bytes | None) -> ElementTree.Element | None:
    """The rdf:RDF element of a packet, or None where there is none that can be trusted."""
    if not packet:
        return None
    try:
        if len(packet) > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES >> 20} MiB")
        text = _decode(packet.rstrip(b"\x00")).strip("\x00 \r\n\t")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("it declares a document type")
        # Parsed as text: an encoding that the packet declares for itself has no say.
        root = ElementTree.fromstring(text, ElementTree.XMLParser(target=_ShallowBuilder()))
    except (ElementTree.ParseError, ValueError) as error:
        log.warning("an XMP packet is left out: %s", error)
        return None
    return root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")


def _drop(rdf: ElementTree.Element, names: set[str]) -> None:
    for description in rdf.findall(f"{{{_RDF}}}Description"):
        for name in names & set(description.attrib):
            del description.attrib[name]
        for child in [child for child in description if child.tag in names]:
            description.remove(child)


def _find(rdf: ElementTree.Element, name: str) -> str | None:
    """A simple property of the top-level descriptions, written as an attribute or as an element."""
    for description in rdf.findall(f"{{{_RDF}}}Description"):
        value = description.get(name)
        if value is None:
            value = description.findtext(name)
        if value:
            return value.strip()
    return None


def build_packet(carried: bytes | None, mark: Sequence[str] | None) -> bytes | None:
    """Merge the mark into the packet that the photo carried.

    Args:
        carried: XMP packet of the source, or None.
        mark: the entries of the mark in the order of `MARK`; or None for no mark.

    Returns:
        A UTF-8 packet, or None where there is nothing to say.
    """
    rdf = _parse(carried)
    if rdf is None and mark is None:
        return None
    if rdf is None:
        rdf = ElementTree.Element(f"{{{_RDF}}}RDF")
    _drop(rdf, _STALE)
    if mark is not None:
        source = f"{{{_IPTC_EXT}}}DigitalSourceType"
        ours = {f"{{{_OURS}}}{name}": value for name, value in zip(MARK, mark, strict=True)}
        software = ours[f"{{{_OURS}}}Software"]
        _drop(rdf, {source, *ours})
        first = rdf.find(f"{{{_RDF}}}Description")
        about = first.get(f"{{{_RDF}}}about", "") if first is not None else ""
        description = ElementTree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": about})
        tool = {} if _find(rdf, f"{{{_XMP}}}CreatorTool") else {f"{{{_XMP}}}CreatorTool": software}
        for name, value in {source: SOURCE_TYPE, **ours, **tool}.items():
            ElementTree.SubElement(description, name).text = value
    root = ElementTree.Element(f"{{{_META}}}xmpmeta")
    root.append(rdf)
    return (_HEAD + ElementTree.tostring(root, encoding="unicode") + _TAIL).encode()


def find_mark(packet: bytes | None) -> tuple[str, ...] | None:
    """The entries of the mark in a packet, empty where one is missing; None where there is no mark of ours."""
    rdf = _parse(packet)
    if rdf is None:
        return None
    entries = tuple(_find(rdf, f"{{{_OURS}}}{name}") or "" for name in MARK)
    return entries if entries[0] else None
