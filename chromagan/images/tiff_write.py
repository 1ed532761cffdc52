"""TIFF pages out: deflate with horizontal prediction, with profile, XMP, IPTC and EXIF."""

from __future__ import annotations

import io
import logging
import struct
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from chromagan.images.icc import output_profile
from chromagan.images.metadata import Metadata
from chromagan.images.tiff import DESCRIPTIVE

log = logging.getLogger(__name__)

_EXIF_IFD, _GPS_IFD = 34665, 34853
# tifffile leaves the EXIF tags out. The directories are appended afterwards, and the pointers hold the place meanwhile
# under free codes: one between 33723 (IPTC) and 34675 (profile), one behind it, so that the order of codes stays right.
_PLACES = {_EXIF_IFD: 34666, _GPS_IFD: 34854}
_ASCII, _LONG, _BYTE, _UNDEFINED = 2, 4, 1, 7


def _read_exif(block: bytes | None) -> tuple[dict[int, str], dict[int, dict[int, Any]]]:
    """The descriptive tags of an EXIF block, and its EXIF and GPS directories."""
    if not block:
        return {}, {}
    exif = Image.Exif()
    exif.load(block)
    texts = {code: value for code in DESCRIPTIVE if isinstance(value := exif.get(code), str) and value}
    return texts, {code: dict(inner) for code in _PLACES if (inner := exif.get_ifd(code))}


def _directory(tags: dict[int, Any], offset: int) -> bytes:
    """Serialise a directory whose values lie at absolute positions behind `offset`."""
    ifd = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for code, value in tags.items():
        if not isinstance(value, dict):  # nested directories (interoperability) say nothing of the photo
            ifd[code] = value
    return ifd.tobytes(offset)


def write_tiff(file: BinaryIO, pages: list[np.ndarray], metadata: list[Metadata]) -> None:
    """Write pages (H, W) or (H, W, 1..4) of uint8 or uint16; a second or fourth channel is straight alpha.

    Args:
        file: an empty binary file, open for writing.
        pages: the pixels.
        metadata: of each page.
    """
    import tifffile

    buffer = io.BytesIO()
    inner: list[dict[int, dict[int, Any]]] = []
    size = sum(page.nbytes for page in pages)
    with tifffile.TiffWriter(buffer, byteorder="<", bigtiff=size > 3_900_000_000) as writer:
        for pixels, kept in zip(pages, metadata, strict=True):
            texts, directories = _read_exif(kept.exif)
            inner.append(directories)
            extra: list[tuple[int, int, int, Any, bool]] = [(c, _ASCII, 0, t, True) for c, t in _ascii(texts).items()]
            extra += [(_PLACES[code], _LONG, 1, 0, True) for code in directories]
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


def _ascii(texts: dict[int, str]) -> dict[int, str]:
    """TIFF text is 7-bit: what is not (a name with an accent) is written as UTF-8, as cameras and editors do."""
    return {code: text.replace("\x00", "").encode().decode("latin-1") for code, text in texts.items()}


def _append_directories(buffer: io.BytesIO, inner: list[dict[int, dict[int, Any]]]) -> None:
    """Write EXIF and GPS directories behind the file's end and point the place holders at them."""
    import tifffile

    buffer.seek(0)
    with tifffile.TiffFile(buffer) as written:
        if written.is_bigtiff:
            log.warning("EXIF is left out of a TIFF larger than 4 GB")
            return
        places = [{code: page.tags[place].offset for code, place in _PLACES.items() if place in page.tags}
                  for page in map(lambda p: p.aspage(), written.pages)]  # fmt: skip
    for directories, entries in zip(inner, places, strict=True):
        for code, tags in directories.items():
            offset = buffer.seek(0, io.SEEK_END)
            offset += buffer.write(bytes(offset % 2))
            buffer.write(_directory(tags, offset))
            buffer.seek(entries[code])
            buffer.write(struct.pack("<HHII", code, _LONG, 1, offset))
