"""The XMP packet of an output: what the photo carried, and the mark that says a network coloured it.

A packet comes from a stranger: one with a document type (so with entities), too deep or too large is not parsed any
further, and the output then carries our packet alone. Of a malformed one what can be read is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from chromagan.images import xmp_claims
from chromagan.images.xmp_claims import RDF, Property

MARK = ("Model", "WeightsSha256", "Software", "Seed", "Request")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_META = "adobe:ns:meta/"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_OURS = "http://ns.chromagan/1.0/"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_PREFIXES = {
    "rdf": RDF, "x": _META, "Iptc4xmpExt": _IPTC_EXT, "xmp": _XMP, "xmpNote": "http://ns.adobe.com/xmp/note/",
    "tiff": "http://ns.adobe.com/tiff/1.0/", "exif": "http://ns.adobe.com/exif/1.0/",
    "chromagan": _OURS, "dc": "http://purl.org/dc/elements/1.1/", "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/", "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#", "lr": "http://ns.adobe.com/lightroom/1.0/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#", "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/", "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "digiKam": "http://www.digikam.org/ns/1.0/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/", "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#", "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#", "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/", "exifEX": "http://cipa.jp/exif/1.0/",
}  # fmt: skip
for _prefix, _uri in _PREFIXES.items():
    ElementTree.register_namespace(_prefix, _uri)

_MAX_BYTES = 4 << 20
_MAX_DEPTH = 100
_UNBOUND = 27  # expat's number for a prefix that nobody declared
_ROOT = r"<(?:[\w.-]+:)?(?:x[am]pmeta|RDF)\b"
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)(\w+;)?")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = '\n<?xpacket end="w"?>'


class _Builder(ElementTree.TreeBuilder):
    """A tree builder that gives up on trees too deep for a recursive writer, and can close what stands open."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[Any] = []

    def start(self, tag: Any, attrs: Any) -> Any:
        self._open.append(tag)
        if len(self._open) > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: Any) -> Any:
        self._open.pop()
        return super().end(tag)

    def rest(self) -> Any:
        while self._open:
            self.end(self._open[-1])
        return self.close()


def _decode(packet: bytes) -> str:
    """Parsed as text: an encoding that the packet declares for itself has no say."""
    if packet.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in packet[:4]:
        return packet.decode("utf-16", "replace")
    try:
        return packet.decode("utf-8-sig")
    except UnicodeDecodeError:
        return packet.decode("latin-1")


def _parse(packet: bytes | None) -> tuple[ElementTree.Element | None, str]:
    """The rdf:RDF element of a packet, None where none can be trusted; and what is wrong with the packet."""
    if not packet:
        return None, ""
    if len(packet) > _MAX_BYTES:
        return None, f"larger than {_MAX_BYTES >> 20} MiB"
    text = _decode(packet.rstrip(b"\x00"))
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None, "it declares a document type"
    begin, ends = re.search(_ROOT, text), list(re.finditer(_ROOT.replace("<", "</") + r"\s*>", text))
    text = text[begin.start() if begin else 0 : ends[-1].end() if ends else len(text)].strip("\x00 \r\n\t")
    try:
        root, problem = _tree(text)
        if problem and problem.code != 3:  # 3: nothing there
            text = _ENTITY.sub(lambda found: escape(unescape(found[0]), {'"': "&quot;"}), _NO_XML.sub("", text))
            root, problem = _tree(_declared(text) if problem.code == _UNBOUND else text)
            if problem and problem.code == _UNBOUND:
                root, problem = _tree(_declared(text))
    except (ValueError, AssertionError) as error:  # too deep, or no element at all
        return None, str(error) or "no XML"
    rdf = None if root is None else next(root.iter(f"{{{RDF}}}RDF"), None)
    return rdf, str(problem or "")


def _tree(text: str) -> tuple[ElementTree.Element | None, ElementTree.ParseError | None]:
    """The tree of a text, up to its first error."""
    builder = _Builder()
    parser = ElementTree.XMLParser(target=builder)
    try:
        parser.feed(text)
        return parser.close(), None
    except ElementTree.ParseError as error:
        return builder.rest() if builder._open or error.code == 9 else None, error  # 9: something behind the end


def _declared(text: str) -> str:
    """A text with every prefix that it uses declared on its first element."""
    start = re.match(r"<[\w:.-]+", text)
    if not start:
        return text
    first = text[: text.find(">")]
    said = {**_PREFIXES, **dict(re.findall(r"xmlns:([\w.-]+)\s*=\s*[\"']([^\"']*)", text))}
    used = {*re.findall(r"[<\s/]([A-Za-z_][\w.-]*):[A-Za-z_]", text)} - {"xmlns", "xml"}
    missing = [prefix for prefix in sorted(used) if f"xmlns:{prefix}" not in first]
    names = "".join(f' xmlns:{prefix}="{said.get(prefix) or _OURS + "unbound/" + prefix + "/"}"' for prefix in missing)
    return text[: start.end()] + names + text[start.end() :]


def _find(rdf: ElementTree.Element, name: str) -> str | None:
    """A simple property of the top-level descriptions, written as an attribute or as an element."""
    for description in rdf.findall(f"{{{RDF}}}Description"):
        value = description.get(name)
        if value is None:
            value = description.findtext(name)
        if value:
            return value.strip()
    return None


def _has(rdf: ElementTree.Element, name: str) -> bool:
    return any(name in one.attrib or one.find(name) is not None for one in rdf.findall(f"{{{RDF}}}Description"))


def _serialise(rdf: ElementTree.Element) -> bytes:
    root = ElementTree.Element(f"{{{_META}}}xmpmeta")
    root.append(rdf)
    return (_HEAD + ElementTree.tostring(root, encoding="unicode") + _TAIL).encode()


def mend(packet: bytes | None, turn: int, width: int, height: int) -> tuple[bytes | None, list[str]]:
    """A photo's packet for its upright pixels in colour, and what of it is lost, in words.

    Args:
        packet: as found.
        turn: the EXIF orientation that was applied: regions turn with the pixels.
        width: columns of the picture as it was stored.
        height: its rows.
    """
    rdf, problem = _parse(packet)
    if rdf is None:
        return None, [f"its XMP, which cannot be read ({problem or 'no RDF'})"] if packet else []
    lost = [f"part of its XMP, which is damaged ({problem})"] if problem else []
    lost += xmp_claims.drop_untrue(rdf)
    if turn != 1:
        xmp_claims.Turn(turn, width, height).regions(rdf)
    return _serialise(rdf), lost


def build_packet(carried: bytes | None, mark: Sequence[str] | None, more: Iterable[Property] = ()) -> bytes | None:
    """Merge the mark into the packet that the photo carried.

    Args:
        carried: XMP packet of the source, or None.
        mark: the entries of the mark in the order of `MARK`; or None for no mark.
        more: what the photo said elsewhere; a property that the packet has already stays as it is.

    Returns:
        A UTF-8 packet, or None where there is nothing to say.
    """
    rdf, _ = _parse(carried)
    more = list(more)
    if rdf is None and mark is None and not more:
        return None
    if rdf is None:
        rdf = ElementTree.Element(f"{{{RDF}}}RDF")
    xmp_claims.drop_untrue(rdf)
    source = f"{{{_IPTC_EXT}}}DigitalSourceType"
    ours = {f"{{{_OURS}}}{name}": value for name, value in zip(MARK, mark or [""] * len(MARK), strict=True)}
    if mark is not None:
        xmp_claims.drop(rdf, {source, *ours})
    first = rdf.find(f"{{{RDF}}}Description")
    about = first.get(f"{{{RDF}}}about", "") if first is not None else ""
    description = ElementTree.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": about})
    if mark is not None:
        tool = {} if _find(rdf, f"{{{_XMP}}}CreatorTool") else {f"{{{_XMP}}}CreatorTool": mark[2]}
        for name, value in {source: SOURCE_TYPE, **ours, **tool}.items():
            ElementTree.SubElement(description, name).text = value
    for prefix, local, kind, values in more:
        name = f"{{{_PREFIXES[prefix]}}}{local}"
        if _has(rdf, name):
            continue
        node = ElementTree.SubElement(description, name)
        values = [_NO_XML.sub("", value) for value in values]
        if kind:
            node = ElementTree.SubElement(node, f"{{{RDF}}}{kind}")
            for value in values:
                item = ElementTree.SubElement(node, f"{{{RDF}}}li", {_LANGUAGE: "x-default"} if kind == "Alt" else {})
                item.text = value
        else:
            node.text = values[0]
    if len(description) == 0:
        rdf.remove(description)
    return _serialise(rdf)


def find_mark(packet: bytes | None) -> tuple[str, ...] | None:
    """The entries of the mark in a packet, empty where one is missing; None where there is no mark of ours."""
    rdf, _ = _parse(packet)
    if rdf is None:
        return None
    entries = tuple(_find(rdf, f"{{{_OURS}}}{name}") or "" for name in MARK)
    return entries if entries[0] else None
