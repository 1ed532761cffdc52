"""From a file to plain arrays: gray, RGB or CMYK, with alpha apart; nothing is turned or colour-managed yet."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from chromagan.errors import ReadError
from chromagan.images import tiff
from chromagan.images.header import BROKEN, Header, broken
from chromagan.images.read_header import read_header

_BAND = 1 << 20  # pixels that are turned at a time
_DEEP_MODES = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2"}
_DIRECT = {"L": "L", "RGB": "RGB", "RGBA": "RGBA", "LA": "LA", "CMYK": "CMYK", "1": "L", "RGBX": "RGB", "RGBa": "RGBA",
           "La": "LA", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "P": "RGB", "PA": "RGBA"}  # fmt: skip


@dataclass
class Decoded:
    """A page as decoded: `pixels` (H, W), (H, W, 3) or CMYK (H, W, 4); `alpha` (H, W) or None."""

    header: Header
    pixels: np.ndarray
    alpha: np.ndarray | None


def decode_file(file: BinaryIO, name: str, max_pixels: int, all_pages: bool) -> list[Decoded]:
    """Decode the first page, or every page of a TIFF.

    Args:
        file: binary file, seekable.
        name: what error messages call it.
        max_pixels: refuse larger pages, and pages that are larger together, from their headers alone.
        all_pages: every page of a TIFF; the first frame of anything else.

    Raises:
        ReadError: not a photo, broken, too large, or of an unsupported kind.
    """
    header = read_header(file, name)
    if header.format != "tiff":
        _check_size(header, name, max_pixels)
        return [_decode_single(file, header, name)]
    pages = tiff.open_pages(file, name)
    headers = [tiff.page_header(file, page, name) for page in (pages if all_pages else pages[:1])]
    for header in headers:
        _check_size(header, name, max_pixels)
    total = sum(header.width * header.height for header in headers)
    if total > max_pixels:
        raise ReadError(f"{name}: {len(headers)} pages of together {total / 1e6:.0f} million pixels are more than the "
                        f"limit of {max_pixels / 1e6:g} million; split it first")  # fmt: skip
    return [_decode_tiff(file, header, name) for header in headers]


def _check_size(header: Header, name: str, max_pixels: int) -> None:
    if header.width < 1 or header.height < 1:
        raise broken(name, "it has no pixels")
    if header.width * header.height > max_pixels:
        raise ReadError(f"{name}: {header.width} x {header.height} pixels are more than the limit of "
                        f"{max_pixels / 1e6:g} million; reduce the photo first")  # fmt: skip


def _decode_tiff(file: BinaryIO, header: Header, name: str) -> Decoded:
    found = tiff.decode_page(file, header.image, name)
    return from_pillow(header, found, name) if isinstance(found, Image.Image) else from_array(header, found, name)


def _decode_single(file: BinaryIO, header: Header, name: str) -> Decoded:
    if header.format == "heif":
        return _decode_heif(header, name)
    if header.format == "jpeg" and header.image.mode in ("L", "RGB"):
        pixels = _decode_jpeg(file, header)
        if pixels is not None:
            return Decoded(header, pixels, None)
    if header.format == "png" and not getattr(header.image, "is_animated", False):
        return _decode_png(file, header, name)
    return _loaded(header, name)


def _loaded(header: Header, name: str) -> Decoded:
    try:
        header.image.load()
    except BROKEN as error:
        raise broken(name, error) from error
    return from_pillow(header, header.image, name)


def _decode_jpeg(file: BinaryIO, header: Header) -> np.ndarray | None:
    """Decode by OpenCV; None where Pillow has to judge.

    OpenCV fills the rest of a truncated JPEG with gray and reports success. A complete one ends in the end-of-image
    marker; where it does not (cut short, or followed by a maker's trailer), Pillow, strict and slower, decides.
    """
    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    if data[-2:].tobytes() != b"\xff\xd9":
        return None
    gray = header.image.mode == "L"
    return _imdecode(data, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR)


def _imdecode(data: np.ndarray, flags: int) -> np.ndarray | None:
    """cv2.imdecode with RGB order and the orientation left alone; None where it fails."""
    try:
        pixels = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION if flags >= 0 else flags)
    except cv2.error:
        return None  # the caller asks Pillow, which says what is wrong
    if pixels is not None and pixels.ndim == 3:
        return swap_red_and_blue(pixels)
    return pixels


def swap_red_and_blue(pixels: np.ndarray) -> np.ndarray:
    """Turn RGB into BGR or back, alpha kept, in place and by bands: OpenCV alone would copy the whole."""
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    rows = max(1, _BAND // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        pixels[top : top + rows] = cv2.cvtColor(pixels[top : top + rows], code)
    return pixels


def _decode_png(file: BinaryIO, header: Header, name: str) -> Decoded:
    """PNG of 8 and 16 bits by OpenCV, palettes and bits by Pillow; its chunks are checked first."""
    file.seek(0)
    data = file.read()
    depth, colour, has_key = _check_png(data, name)
    keyed = has_key is not None
    if depth < 8 or colour == 3 or (depth == 8 and (keyed or colour == 4)):
        return _loaded(header, name)
    flags = {0: cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH, 2: cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH}
    pixels = _imdecode(np.frombuffer(data, np.uint8), flags.get(colour, cv2.IMREAD_UNCHANGED))
    if pixels is None:
        raise broken(name, "its pixels cannot be decoded")
    alpha = None
    if has_key is not None:
        key = np.frombuffer(has_key, ">u2").astype(np.uint16)
        same = pixels == (key if pixels.ndim == 3 else key[0])
        alpha = np.where(same.all(axis=-1) if pixels.ndim == 3 else same, 0, 65535).astype(np.uint16)
    elif colour == 4:
        pixels, alpha = pixels[..., 0], pixels[..., 3]
    elif colour == 6:
        pixels, alpha = pixels[..., :3], pixels[..., 3]
    return Decoded(header, pixels, alpha)


def _check_png(data: bytes, name: str) -> tuple[int, int, bytes | None]:
    """Bit depth, colour type and tRNS of a PNG whose chunks are all there with the right checksums."""
    at, ended, key = 8, False, None
    view = memoryview(data)
    while not ended:
        if at + 12 > len(data):
            raise broken(name, "its end is missing")
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise broken(name, "its end is missing")
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if kind[:1].isupper() and zlib.crc32(view[at + 4 : at + 8 + length]) != checksum:
            raise broken(name, f"wrong checksum in {kind!r}")
        key = data[at + 8 : at + 8 + length] if kind == b"tRNS" else key
        ended = kind == b"IEND"
        at += 12 + length
    return data[24], data[25], key


def _decode_heif(header: Header, name: str) -> Decoded:
    try:
        pixels = np.asarray(header.image)
    except BROKEN as error:
        raise broken(name, error) from error
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.uint16:  # the reader left-aligns 10 or 12 bits; spread them over the whole range
        unused = 16 - int(header.image.info.get("bit_depth", 16))
        top = 65535 >> unused
        pixels = np.rint((pixels >> unused) * (65535 / top)).astype(np.uint16)
    return from_array(header, pixels, name)


def from_array(header: Header, pixels: np.ndarray, name: str) -> Decoded:
    """Split alpha from an array of 1 to 5 channels (4: RGBA, or CMYK where the TIFF says so)."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.dtype not in (np.uint8, np.uint16) or not 1 <= channels <= 5:
        raise ReadError(f"{name}: {channels} channels of {pixels.dtype} are not a photo; save it as gray or RGB")
    cmyk = getattr(header.image, "photometric", None) == 5
    if pixels.ndim == 2 or channels == 3 or (cmyk and channels == 4):
        return Decoded(header, pixels, None)
    colours = channels if channels == 1 else channels - 1
    alpha = pixels[..., -1] if channels > 1 else None
    return Decoded(header, pixels[..., 0] if colours == 1 else pixels[..., :colours], alpha)


def from_pillow(header: Header, image: Image.Image, name: str) -> Decoded:
    """Arrays from any Pillow image: palettes are looked up, a transparent colour becomes alpha."""
    mode = image.mode
    if mode in _DEEP_MODES:
        return Decoded(header, np.asarray(image).astype(np.uint16), None)
    if mode == "I":
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 65535:
            raise ReadError(f"{name}: 32-bit pixels are not supported; save it with 8 or 16 bits")
        return Decoded(header, deep.astype(np.uint16), None)
    wanted = _DIRECT.get(mode)
    if wanted is None:
        raise ReadError(f"{name}: pixels of kind {mode} are not supported; save it with 8 or 16 bits a channel")
    if mode in ("1", "L", "P", "RGB") and image.info.get("transparency") is not None:
        image, wanted = image.convert("L") if mode == "1" else image, "LA" if wanted == "L" else "RGBA"
    image = image if wanted == mode else image.convert(wanted)
    pixels = np.asarray(image)
    decoded = Decoded(header, pixels, None)
    if image.mode in ("LA", "RGBA"):
        decoded = Decoded(header, pixels[..., 0] if image.mode == "LA" else pixels[..., :3], pixels[..., -1])
    if mode in ("P", "PA") and (np.ptp(decoded.pixels, axis=-1) == 0).all():
        decoded.pixels = decoded.pixels[..., 0]  # a palette of grays
    return decoded
