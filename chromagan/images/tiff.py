"""TIFF, 8 and 16 bits, one page or many: tifffile for what it decodes by itself, Pillow for the rest."""

from __future__ import annotations

import contextlib
import io
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image

from chromagan.errors import ReadError
from chromagan.images import exif as exif_block
from chromagan.images import jpeg
from chromagan.images.captions import iptc_of_resources, true_records
from chromagan.images.header import BROKEN, Header, broken, sane_dpi

_ORIENTATION, _XMP, _IPTC, _RESOURCES, _ICC, _SUB_IFDS, _DNG = 274, 700, 33723, 34377, 34675, 330, 50706
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _SEPARATED, _YCBCR, _MOSAIC = 0, 1, 2, 3, 5, 6, 32803
_LAB = 8
_JPEG = 7
_OPAQUE_JPEG = (6, 7)  # JPEG in TIFF: YCbCr may hide behind "RGB", Pillow knows


def open_pages(file: BinaryIO, name: str) -> list[Any]:
    """The full-size pages of a TIFF: reduced copies (previews, pyramids) are left out."""
    import tifffile

    try:
        file.seek(0)
        pages: list[Any] = []
        places: set[int] = set()
        for page in tifffile.TiffFile(file).pages:
            if page.offset in places:
                raise ValueError("its pages lead back to themselves")
            places.add(page.offset)
            pages.append(page.aspage())
    except (*BROKEN, tifffile.TiffFileError) as error:
        raise broken(name, error) from error
    if not pages:
        raise broken(name, "no pages")
    whole = [page for page in pages if not page.is_reduced]
    only_preview = not whole and _SUB_IFDS in pages[0].tags
    if _DNG in pages[0].tags or only_preview or any(page.photometric == _MOSAIC for page in whole):
        raise ReadError(f"{name}: this is a camera's raw photo (DNG, NEF, ARW, ...), which is not read here; "
                        "develop it to a 16-bit TIFF, with darktable or RawTherapee for instance")  # fmt: skip
    return whole or pages


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


def _exif_of(page: Any, file: BinaryIO) -> tuple[bytes | None, str]:
    """The page's descriptive tags and its EXIF and GPS directories as one block; and the codes of what stays behind."""
    order, big, first = page.parent.byteorder, page.parent.is_bigtiff, {}
    for tag in page.tags:
        size, nested = tag.count * exif_block.size_of(int(tag.dtype)), tag.code in exif_block.NESTED
        if 0 < size <= exif_block.LARGEST:
            # tifffile gives the place of what a nested directory holds.
            file.seek(tag.offset + (12 if big else 8) if nested else tag.valueoffset)
            first[tag.code] = exif_block.entry(int(tag.dtype), file.read(size), order, tag.code)
    directories = exif_block.inner(first, file, order, big)
    described = {code: one for code, one in first.items() if exif_block.describes(code, one)}
    private = [str(code) for code, one in first.items() if exif_block.is_private(code, one)]
    return exif_block.build(described, directories), ", ".join(private)


def page_header(file: BinaryIO, page: Any, name: str) -> Header:
    """Size and metadata of a page."""
    import tifffile

    try:
        turned = int(page.tags.valueof(_ORIENTATION, 1))
        dpi = sane_dpi(page.get_resolution(unit="INCH")) if 282 in page.tags else None
        icc, xmp, iptc = (_bytes_of(page, file, code) for code in (_ICC, _XMP, _IPTC))
        exif, private = _exif_of(page, file)
        lost = [f"its TIFF tags {private}"] if private else []
        iptc = true_records(iptc) or iptc_of_resources(_bytes_of(page, file, _RESOURCES) or b"", lost)
        return Header("tiff", page.imagewidth, page.imagelength, page, icc, exif, xmp, iptc, dpi,
                      turned if 1 <= turned <= 8 else 1, lost=lost)  # fmt: skip
    except (*BROKEN, tifffile.TiffFileError) as error:
        raise broken(name, error) from error


def decode_page(file: BinaryIO, page: Any, name: str, whole: bool = True) -> np.ndarray | Image.Image:
    """Pixels of a page: an array (H, W) or (H, W, C) of uint8 or uint16, or a Pillow image for the stranger kinds.

    Raises:
        ReadError: the page is cut short, or of a kind that has no meaning as a photo (floats, many bands).
    """
    import tifffile

    _mend_counts(file, page)
    if whole:
        _check_complete(file, page, name)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    plain = page.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB) or (page.photometric == _SEPARATED and bits > 8)
    strange = not plain and (bits > 8 or page.photometric not in (_PALETTE, _SEPARATED, _YCBCR, _LAB))
    if page.sampleformat != 1 or bits > 16 or page.imagedepth != 1 or page.samplesperpixel > 5 or strange:
        kind = getattr(page.photometric, "name", page.photometric)
        raise ReadError(f"{name}: TIFF of {page.samplesperpixel} x {bits} bits, sample format {page.sampleformat}, "
                        f"{kind} is not supported; save it as gray or RGB with 8 or 16 bits a channel")  # fmt: skip
    if bits < 8 or not plain or page.compression in _OPAQUE_JPEG:
        return _with_pillow(file, page, name)
    try:
        pixels = page.asarray() if whole else _pieces(file, page)
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


def _mend_counts(file: BinaryIO, page: Any) -> None:
    """Byte counts that are missing or 0, as some writers leave them, follow from the sizes or from what comes next."""
    counts = page.databytecounts
    if len(counts) == len(page.dataoffsets) and all(counts):
        return
    end = file.seek(0, io.SEEK_END)
    starts = sorted({*page.dataoffsets, end})
    counts = [starts[starts.index(offset) + 1] - offset if offset in starts[:-1] else 0 for offset in page.dataoffsets]
    if page.compression == 1 and not page.is_tiled:
        samples = page.samplesperpixel if page.planarconfig == 1 else 1
        row = (page.imagewidth * samples * max(np.atleast_1d(page.bitspersample)) + 7) // 8
        left = np.arange(len(counts)) % -(-page.imagelength // page.rowsperstrip)
        rows = np.minimum(page.imagelength - left * page.rowsperstrip, page.rowsperstrip)
        counts = [int(row * one) for one in rows]
    page.databytecounts = tuple(counts)


def _check_complete(file: BinaryIO, page: Any, name: str) -> None:
    """Every strip or tile is there and lies inside the file: readers fill what is missing with black."""
    size = file.seek(0, io.SEEK_END)
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    down = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    wanted = -(-page.imagelength // down) * (-(-page.imagewidth // page.tilewidth) if page.is_tiled else 1) * planes
    if len(pieces) < wanted or any(count == 0 or offset + count > size for offset, count in pieces):
        raise broken(name, "pixel data is missing")
    if page.compression == _JPEG:
        for number, (offset, count) in enumerate(pieces):
            file.seek(offset)
            data = file.read(count)
            frame = jpeg.read_segments(io.BytesIO(data)).frame
            last = not page.is_tiled and (number + 1) % (wanted // planes) == 0
            rows = page.imagelength - (wanted // planes - 1) * down if last else down
            if b"\xff\xd9" not in data[-4:] or frame is None or frame.height < rows:
                raise broken(name, "pixel data is missing")


def _pieces(file: BinaryIO, page: Any) -> np.ndarray:
    """The pixels of those strips and tiles that can be decoded; the others are black."""
    out, found = np.zeros(page.shaped, page.dtype), 0
    for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False)):
        file.seek(offset)
        data = file.read(count)
        if page.compression == 1:
            data = data.ljust(min(count, out.nbytes), b"\x00")
        with contextlib.suppress(Exception):  # each codec has an exception of its own
            piece, (plane, depth, top, left, _), shape = page.decode(data, number)
            part = out[plane, depth : depth + shape[0], top : top + shape[1], left : left + shape[2]]
            part[...] = piece[: part.shape[0], : part.shape[1], : part.shape[2]]
            found += part.size
    if found * 100 < out.size:
        raise ValueError("nothing of its pixels can be decoded")
    return out.reshape(page.shape)


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
