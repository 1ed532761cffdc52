"""What a photo carries beside its pixels, and the mark that every output carries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chromagan.images import xmp
from chromagan.images.read_header import open_file, read_header


@dataclass(frozen=True)
class Metadata:
    """Metadata as carried from a photo to its output.

    Attributes:
        exif: TIFF block (from "II" or "MM" on), already upright, sRGB and without thumbnail.
        xmp: XMP packet of the source, as found.
        iptc: IPTC-IIM records.
        dpi: horizontal and vertical resolution in dots an inch, of the upright photo.
        texts: (keyword, text) as a PNG holds them; a comment of a JPEG or a GIF has the keyword "Comment".
        lost: what the photo said and could not be read or carried, in words.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    texts: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProvenanceMark:
    """Who coloured a photo; written into every output beside IPTC's DigitalSourceType.

    Attributes:
        model: name of the network.
        sha256: hash of its weights, hexadecimal.
        software: name and version, "chromagan 0.1.0".
        seed: of what was drawn at random.
        request: digest of what was asked for, hexadecimal; empty for none.
    """

    model: str
    sha256: str
    software: str
    seed: int = 0
    request: str = ""

    @property
    def entries(self) -> tuple[str, ...]:
        """Its fields as text, in the order of `chromagan.images.xmp.MARK`."""
        return self.model, self.sha256, self.software, str(self.seed), self.request


def read_provenance(path: str | Path, content: bytes | None = None) -> ProvenanceMark | None:
    """Read our mark back from a file, from its headers alone.

    Args:
        path: any photo file.
        content: its bytes, where they have been read from some other place than this path.

    Returns:
        The mark, or None for a readable photo without one.

    Raises:
        ReadError: the file is missing or is not a photo.
    """
    with open_file(path, content) as file:
        found = xmp.find_mark(read_header(file, str(path)).xmp)
    if found is None:
        return None
    model, sha256, software, seed, request = found
    return ProvenanceMark(model, sha256, software, int(seed) if seed.isdecimal() else 0, request)
