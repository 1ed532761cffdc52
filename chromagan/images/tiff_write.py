"""TIFF pages out: deflate with horizontal prediction, with profile, XMP, IPTC and EXIF."""

from __future__ import annotations

import io
import logging
import struct
from typing import Any, BinaryIO

import numpy as np

from chromagan.images.exif import EXIF_IFD, GPS_IFD, Entry, directories, directory
from chromagan.images.icc import output_profile
from chromagan.images.metadata import Metadata

log = logging.getLogger(__name__)

# tifffile leaves the EXIF tags out. The directories are appended afterwards, and the pointers hold the place meanwhile
# under free codes: one between 33723 (IPTC) and 34675 (profile), one behind it, so that the order of codes stays right.
_PLACES = {EXIF_IFD: 34666, GPS_IFD: 34854}
_LONG, _BYTE, _UNDEFINED = 4, 1, 7


def write_tiff(file: BinaryIO, pages: list[np.ndarray], metadata: list[Metadata]) -> None:
    """Write pages (H, W) or (H, W, 1..4) of uint8 or uint16; a second or fourth channel is straight alpha.

    Args:
        file: an empty binary file, open for writing.
        pages: the pixels.
        metadata: of each page.
    """
    import tifffile

    buffer = io.BytesIO()
    inner: list[dict[int, dict[int, Entry]]] = []
    size = sum(page.nbytes for page in pages)
    with tifffile.TiffWriter(buffer, byteorder="<", bigtiff=size > 3_900_000_000) as writer:
        for pixels, kept in zip(pages, metadata, strict=True):
            described, nested = directories(kept.exif) if kept.exif else ({}, {})
            inner.append(nested)
            extra: list[tuple[int, int, int, Any, bool]] = [
                (code, one.kind, one.length, one.data, True) for code, one in described.items()
            ]
            extra += [(_PLACES[code], _LONG, 1, 0, True) for code in nested]
            for code, block in ((700, kept.xmp), (33723, kept.iptc)):
                if block:
                    padded = block.ljust(5, b"\x00")  # shorter ones would have to stand inside the tag
                    extra.append((code, _BYTE if code == 700 else _UNDEFINED, len(padded), padded, True))
            channels = 1 if pixels.ndim == 2 else pixels.shape[2]
            writer.write(
                pixels,
                photometric="minisblack" if channels < 3 else "rgb",
                planarconfig="contig" if channels > 1 else None,
                extrasamples=["unassalpha"] if channels in (2, 4) else None,
                compression="zlib",
                compressionargs={"level": 3},
                predictor=True,
                rowsperstrip=max(1, (1 << 20) // (pixels.nbytes // len(pixels))),
                resolution=kept.dpi or (1, 1),
                resolutionunit="INCH" if kept.dpi else "NONE",
                metadata=None,
                software=False,
                iccprofile=output_profile(channels < 3),
                extratags=extra,
            )
    if any(inner):
        _append_directories(buffer, inner)
    file.write(buffer.getbuffer())


def _append_directories(buffer: io.BytesIO, inner: list[dict[int, dict[int, Entry]]]) -> None:
    """Write EXIF and GPS directories behind the file's end and point the place holders at them."""
    import tifffile

    buffer.seek(0)
    with tifffile.TiffFile(buffer) as written:
        if written.is_bigtiff:
            log.warning("EXIF is left out of a TIFF larger than 4 GB")
            return
        places = [{code: page.tags[place].offset for code, place in _PLACES.items() if place in page.tags}
                  for page in map(lambda p: p.aspage(), written.pages)]  # fmt: skip
    for nested, entries in zip(inner, places, strict=True):
        for code, tags in nested.items():
            offset = buffer.seek(0, io.SEEK_END)
            offset += buffer.write(bytes(offset % 2))
            buffer.write(directory(tags, offset))
            buffer.seek(entries[code])
            buffer.write(struct.pack("<HHII", code, _LONG, 1, offset))
