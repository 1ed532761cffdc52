"""What XMP says of pixels: claims that a colorized photo makes untrue go, and regions turn with the picture."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree

from chromagan.images.exif import turned

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_CAMERA, _CONTAINER = "http://ns.google.com/photos/1.0/camera/", "{http://ns.google.com/photos/1.0/container/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_AREAS = ("http://ns.adobe.com/xmp/sType/Area#", "http://ns.acdsee.com/sType/Area#")
_DIMENSIONS = ("http://ns.adobe.com/xap/1.0/sType/Dimensions#", "http://ns.acdsee.com/sType/Dimensions#")
_EXTENDED = "{http://ns.adobe.com/xmp/note/}HasExtendedXMP"
# What describes the stored pixels of the source, or would show the gray photo.
_STALE = {
    *(f"{{{_TIFF}}}{name}" for name in (
        "Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation",
        "SamplesPerPixel", "PlanarConfiguration", "YCbCrSubSampling", "YCbCrPositioning", "YCbCrCoefficients",
        "TransferFunction", "WhitePoint", "PrimaryChromaticities", "ReferenceBlackWhite", "NativeDigest")),
    *(f"{{{_EXIF}}}{name}" for name in (
        "PixelXDimension", "PixelYDimension", "ColorSpace", "CompressedBitsPerPixel", "NativeDigest")),
    *(f"{{{_PHOTOSHOP}}}{name}" for name in ("ICCProfile", "ColorMode")),
    "{http://ns.adobe.com/xap/1.0/}Thumbnails", "{http://purl.org/dc/elements/1.1/}format", _EXTENDED,
}  # fmt: skip
# What stands behind or beside the picture in a file, and no output has: by the namespaces that promise it.
_BESIDE = {
    "{http://ns.adobe.com/hdr-gain-map/": "its gain map", "{http://ns.apple.com/HDRGainMap/": "its gain map",
    "{http://ns.apple.com/pixeldatainfo/": "its gain map",
    "{http://ns.google.com/photos/1.0/depthmap/": "its depth map",
    "{http://ns.google.com/photos/1.0/image/": "the picture hidden in its XMP",
    "{http://ns.google.com/photos/1.0/audio/": "its sound", "{http://ns.google.com/photos/dd/1.0/": "its depth map",
}  # fmt: skip
_SEMANTICS = {"gainmap": "its gain map", "motionphoto": "its motion clip", "depth": "its depth map"}
_MOTION = (f"{{{_CAMERA}}}MotionPhoto", f"{{{_CAMERA}}}MicroVideo")
# Settings for developing the source again that would turn its colours off.
_RAW = ("{http://ns.adobe.com/camera-raw-settings/1.0/}", "{http://darktable.sf.net/}")
_GRAY = re.compile(r"mono(?:chrome)?\b|black\s*(?:&|and)\s*white|\bb\s*&\s*w\b|gr[ae]yscale", re.IGNORECASE)


Box = tuple[float, float, float, float]


class Property(NamedTuple):
    """A property to be added: prefix, name, "" or the kind of its array ("Alt", "Bag", "Seq"), values."""

    prefix: str
    name: str
    kind: str
    values: list[str]


def drop(rdf: ElementTree.Element, names: set[str]) -> None:
    """Remove properties of the top-level descriptions."""
    for description in rdf.findall(f"{{{RDF}}}Description"):
        for name in names & set(description.attrib):
            del description.attrib[name]
        for child in [child for child in description if child.tag in names]:
            description.remove(child)


def drop_untrue(rdf: ElementTree.Element) -> list[str]:
    """Remove what an upright photo in colour, alone in its file, makes untrue; what no output carries, in words."""
    said = [one for description in rdf.findall(f"{{{RDF}}}Description") for one in _properties(description)]
    gray = {_space(name) for name, pairs in said if name.startswith(_RAW) and any(_turns_gray(*one) for one in pairs)}
    untrue = dict.fromkeys(_STALE, "")
    for name, pairs in said:
        if name == _EXTENDED:
            untrue[name] = "the part of its XMP that stands apart"
        elif name.startswith(_CONTAINER):
            untrue[name] = ", ".join(sorted({_SEMANTICS.get(value.lower(), "") for _, value in pairs} - {""}))
        elif name.startswith(_MOTION):
            untrue[name] = "its motion clip"
        elif _space(name) in gray:
            untrue[name] = ""
        for start in _BESIDE:
            if name.startswith(start):
                untrue[name] = _BESIDE[start]
    drop(rdf, set(untrue))
    return sorted({*untrue.values()} - {""})


def _properties(description: ElementTree.Element) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each property of a description, with the names and values of all that it holds."""
    for name, value in description.attrib.items():
        yield name, [(name, value)]
    for child in description:
        yield child.tag, [pair for one in child.iter() for pair in ((one.tag, one.text or ""), *one.attrib.items())]


def _space(name: str) -> str:
    return name.rpartition("}")[0]


def _turns_gray(name: str, value: str) -> bool:
    local = name.rpartition("}")[2]
    if local in ("ConvertToGrayscale", "Saturation"):
        return value.strip().lower() in ("true", "1", "-100")
    return local in ("Treatment", "CameraProfile", "Name", "history_operation", "operation") and bool(
        _GRAY.search(value)
    )


class Turn:
    """Turns places in a picture of `width` x `height`, as stored, as EXIF orientation `turn` turns its pixels.

    Follows the Metadata Working Group's regions, those of Microsoft, ACDSee and IPTC, and EXIF's subject.
    """

    def __init__(self, turn: int, width: float, height: float) -> None:
        self.turn, self.size = turn, (width, height)

    def regions(self, node: ElementTree.Element, unit: str = "") -> None:
        """Turn all regions below a node; `unit` is what stands above it."""
        sizes = [one for child in node if child.tag.endswith("}AppliedToDimensions") for one in child.iter()]
        dims = next(
            (found for one in sizes for space in _DIMENSIONS if (found := _numbers(one, space, "w", "h"))), None
        )
        if dims and self.turn >= 5 and _landscape(*dims) == -_landscape(*self.size) != 0:
            return  # they were made for the picture as it is shown
        for space, name in (*((space, "unit") for space in _AREAS), (_IPTC, "rbUnit")):
            unit = (node.get(f"{{{space}}}{name}") or node.findtext(f"{{{space}}}{name}") or unit).strip()
        whole = self.size if unit == "pixel" else (1.0, 1.0)
        for space in _AREAS:  # centre and size
            self._turn(node, space, ("x", "y"), ("w", "h"), whole, corner=False)
        for space in _DIMENSIONS:
            size = _numbers(node, space, "w", "h")
            if size and self.turn >= 5:
                _set(node, space, ("w", "h"), (size[1], size[0]))
        self._turn(node, _IPTC, ("rbX", "rbY"), ("rbW", "rbH"), whole, corner=True)
        self._rectangle(node)
        if node.tag in (f"{{{_EXIF}}}SubjectArea", f"{{{_EXIF}}}SubjectLocation"):
            items = [*node.iter(f"{{{RDF}}}li")]
            with contextlib.suppress(ValueError):
                x, y, *size = (float(item.text or "") for item in items)
                size = size[::-1] if self.turn >= 5 else size
                for item, value in zip(items, (*turned(x, y, self.turn, *self.size), *size), strict=True):
                    item.text = f"{value:g}"
        for child in node:
            self.regions(child, unit)

    def _turn(self, node: ElementTree.Element, space: str, at: tuple[str, str], across: tuple[str, str],
              whole: tuple[float, float], corner: bool) -> None:  # fmt: skip
        place, size = _numbers(node, space, *at), _numbers(node, space, *across)
        if place and size:
            x, y, w, h = (*place, *size) if corner else (place[0] - size[0] / 2, place[1] - size[1] / 2, *size)
            x, y, w, h = self._box(x, y, w, h, whole)
            _set(node, space, (*at, *across), (x, y, w, h) if corner else (x + w / 2, y + h / 2, w, h))
        elif place:  # a point, or a circle
            _set(node, space, at, turned(place[0], place[1], self.turn, *whole))

    def _box(self, x: float, y: float, w: float, h: float, whole: tuple[float, float]) -> Box:
        """Upper left corner and size of a rectangle."""
        u, v = turned(x + w / 2, y + h / 2, self.turn, *whole)
        w, h = (h, w) if self.turn >= 5 else (w, h)
        return u - w / 2, v - h / 2, w, h

    def _rectangle(self, node: ElementTree.Element) -> None:
        """Microsoft's: "x, y, w, h" in shares."""
        name = "{http://ns.microsoft.com/photo/1.2/t/Region#}Rectangle"
        with contextlib.suppress(ValueError):
            x, y, w, h = (float(part) for part in (node.get(name) or node.findtext(name) or "").split(","))
            _put(node, name, ", ".join(f"{value:.6g}" for value in self._box(x, y, w, h, (1, 1))))


def _landscape(width: float, height: float) -> int:
    return (width > height) - (width < height)


def _numbers(node: ElementTree.Element, space: str, *names: str) -> Any:
    """Properties of a structure, written as attributes or as elements; None where one is missing or no number."""
    try:
        return tuple(
            float(node.get(f"{{{space}}}{name}") or node.findtext(f"{{{space}}}{name}") or "") for name in names
        )
    except ValueError:
        return None


def _set(node: ElementTree.Element, space: str, names: Iterable[str], values: Iterable[float]) -> None:
    for name, value in zip(names, values, strict=True):
        _put(node, f"{{{space}}}{name}", f"{value:.6g}")


def _put(node: ElementTree.Element, name: str, words: str) -> None:
    child = node.find(name)
    if child is None:
        node.set(name, words)
    else:
        child.text = words
