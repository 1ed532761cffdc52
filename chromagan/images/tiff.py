"""TIFF, 8 and 16 bits, one page or many: tifffile for what it decodes by itself, Pillow for the rest."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image

from chromagan.errors import ReadError
from chromagan.images import exif as exif_block
from chromagan.images.header import BROKEN, Header, broken, sane_dpi

_ORIENTATION, _XMP, _IPTC, _ICC, _EXIF_IFD, _GPS_IFD = 274, 700, 33723, 34675, 34665, 34853
# Tags of the first directory that describe the photo and not how its pixels are stored.
DESCRIPTIVE = (269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 33432, 40091, 40092, 40093, 40094, 40095)
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _SEPARATED = 0, 1, 2, 5
_OPAQUE_JPEG = (6, 7)  # JPEG in TIFF: YCbCr may hide behind "RGB", Pillow knows


def open_pages(file: BinaryIO, name: str) -> list[Any]:
    """The full-size pages of a TIFF: reduced copies (previews, pyramids) are left out."""
    import tifffile

    try:
        file.seek(0)
        pages = [page.aspage() for page in tifffile.TiffFile(file).pages]
    except (*BROKEN, tifffile.TiffFileError) as error:
        raise broken(name, error) from error
    if not pages:
        raise broken(name, "no pages")
    return [page for page in pages if not page.is_reduced] or pages


def read_header(file: BinaryIO, name: str) -> Header:
    """Header of the first page."""
    return page_header(file, open_pages(file, name)[0], name)


def _bytes_of(page: Any, file: BinaryIO, code: int) -> bytes | None:
    """A tag's raw bytes, whatever type it claims (IPTC is often stored as LONG)."""
    tag = page.tags.get(code)
    if tag is None:
        return None
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1}
    size = tag.count * sizes.get(int(tag.dtype), 1)
    file.seek(tag.valueoffset)
    return file.read(size) or None


def _exif_of(page: Any, file: BinaryIO) -> bytes | None:
    """The page's descriptive tags and its EXIF and GPS directories as one block."""
    found, block = Image.Exif(), Image.Exif()
    found.endian, found.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
    found.load_from_fp(file, page.offset)
    for code in DESCRIPTIVE:
        if code in found:
            block[code] = found[code]
    for code in (_EXIF_IFD, _GPS_IFD):
        inner = found.get_ifd(code)
        if inner:
            block.get_ifd(code).update(inner)
            block[code] = dict(inner)
    return exif_block.strip_prefix(block.tobytes()) if len(block) else None


def page_header(file: BinaryIO, page: Any, name: str) -> Header:
    """Size and metadata of a page."""
    import tifffile

    try:
        turned = int(page.tags.valueof(_ORIENTATION, 1))
        dpi = sane_dpi(page.get_resolution(unit="INCH")) if 282 in page.tags else None
        icc, xmp, iptc = (_bytes_of(page, file, code) for code in (_ICC, _XMP, _IPTC))
        exif = _exif_of(page, file)
        return Header("tiff", page.imagewidth, page.imagelength, page, icc, exif, xmp, iptc, dpi,
                      turned if 1 <= turned <= 8 else 1)  # fmt: skip
    except (*BROKEN, tifffile.TiffFileError) as error:
        raise broken(name, error) from error


def decode_page(file: BinaryIO, page: Any, name: str) -> np.ndarray | Image.Image:
    """Pixels of a page: an array (H, W) or (H, W, C) of uint8 or uint16, or a Pillow image for the stranger kinds.

    Raises:
        ReadError: the page is cut short, or of a kind that has no meaning as a photo (floats, many bands).
    """
    import tifffile

    _check_complete(file, page, name)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    plain = page.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB) or (page.photometric == _SEPARATED and bits > 8)
    if page.sampleformat != 1 or bits > 16 or page.imagedepth != 1 or page.samplesperpixel > 5:
        raise ReadError(f"{name}: TIFF of {page.samplesperpixel} x {bits} bits, sample format {page.sampleformat}, "
                        "is not supported; save it with 8 or 16 bits a channel")  # fmt: skip
    if bits < 8 or not plain or page.compression in _OPAQUE_JPEG:
        return _with_pillow(file, page, name)
    try:
        pixels = page.asarray()
    except (*BROKEN, tifffile.TiffFileError) as error:
        if "imagecodecs" not in str(error):
            raise broken(name, error) from error
        return _with_pillow(file, page, name) if bits == 8 else _with_opencv(file, page, name)
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        pixels = np.moveaxis(pixels, 0, -1)
    if 8 < bits < 16:
        pixels = np.rint(pixels * (65535 / (2**bits - 1))).astype(np.uint16)
    if page.photometric == _MIN_IS_WHITE:
        top = np.iinfo(pixels.dtype).max
        pixels = np.concatenate([top - pixels[..., :1], pixels[..., 1:]], -1) if pixels.ndim == 3 else top - pixels
    return _straight_alpha(pixels, page)


def _straight_alpha(pixels: np.ndarray, page: Any) -> np.ndarray:
    """Undo premultiplication (ExtraSamples 1), and drop samples that are no alpha (ExtraSamples 0)."""
    extra = [int(kind) for kind in page.extrasamples]
    if not extra or pixels.ndim == 2:
        return pixels
    colours = pixels.shape[2] - len(extra)
    if extra[0] == 1:
        top = np.iinfo(pixels.dtype).max
        alpha = np.maximum(pixels[..., colours : colours + 1], 1).astype(np.float32)
        pixels = pixels.copy()
        pixels[..., :colours] = np.rint(np.minimum(pixels[..., :colours] * (top / alpha), top))
    return pixels[..., : colours + (extra[0] in (1, 2))]


def _check_complete(file: BinaryIO, page: Any, name: str) -> None:
    """Every strip or tile lies inside the file: readers fill what is missing with black."""
    size = file.seek(0, io.SEEK_END)
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if not pieces or any(count == 0 or offset + count > size for offset, count in pieces):
        raise broken(name, "pixel data is missing")


def _with_pillow(file: BinaryIO, page: Any, name: str) -> Image.Image:
    from PIL import TiffImagePlugin

    try:
        file.seek(0)
        image = TiffImagePlugin.TiffImageFile(file, "")
        image.seek(page.index if isinstance(page.index, int) else page.index[0])
        image.load()
    except BROKEN as error:
        raise broken(name, error) from error
    return image


def _with_opencv(file: BinaryIO, page: Any, name: str) -> np.ndarray:
    """16 bits in a compression that tifffile decodes with imagecodecs only."""
    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    number = page.index if isinstance(page.index, int) else page.index[0]
    try:
        done, found = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, None, (number, number + 1))
    except cv2.error as error:
        raise broken(name, error) from error
    if not done or found[0].dtype != np.uint16:
        raise ReadError(f"{name}: this TIFF's compression needs another package; pip install imagecodecs")
    pixels = found[0]
    if pixels.ndim == 3:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA, dst=pixels)
    if page.photometric == _MIN_IS_WHITE:
        pixels = 65535 - pixels
    return pixels
