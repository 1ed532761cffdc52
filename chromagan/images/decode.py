"""From a file to plain arrays: gray, RGB or CMYK, with alpha apart; nothing is turned or colour-managed yet."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageFile

from chromagan.errors import ReadError
from chromagan.images import jpeg, png, tiff
from chromagan.images.header import BROKEN, Header, broken
from chromagan.images.read_header import read_header

_SWITCH = threading.Lock()
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


def decode_file(file: BinaryIO, name: str, max_pixels: int, all_pages: bool, whole: bool = True) -> list[Decoded]:
    """Decode the first page, or every page of a TIFF.

    Args:
        file: binary file, seekable.
        name: what error messages call it.
        max_pixels: refuse larger pages, and pages that are larger together, from their headers alone.
        all_pages: every page of a TIFF; the first frame of anything else.
        whole: refuse photos of whose pixels some are missing.

    Raises:
        ReadError: not a photo, broken, too large, or of an unsupported kind.
    """
    header = read_header(file, name)
    if header.format != "tiff":
        _check_size(header, name, max_pixels)
        with _leniency(whole):
            decoded = _decode_single(file, header, name, whole)
        header.pictures = max(header.pictures, _count_pictures(header.image))
        if header.pictures > 1:
            header.notes.append(f"this is the first of {header.pictures} pictures; the others are left out")
        return [decoded]
    pages = tiff.open_pages(file, name)
    headers = [tiff.page_header(file, page, name) for page in (pages if all_pages else pages[:1])]
    for header in headers:
        _check_size(header, name, max_pixels)
    total = sum(header.width * header.height for header in headers)
    if total > max_pixels:
        raise ReadError(f"{name}: {len(headers)} pages of together {total / 1e6:.0f} million pixels are more than the "
                        f"limit of {max_pixels / 1e6:g} million; split it first")  # fmt: skip
    if len(headers) < len(pages):
        headers[0].notes.append(f"this is the first of {len(pages)} pages; the others are left out")
    with _leniency(whole):
        return [_decode_tiff(file, header, name, whole) for header in headers]


@contextlib.contextmanager
def _leniency(whole: bool) -> Iterator[None]:
    """Where a photo may be cut, Pillow fills up what is missing; its switch is one of the whole process."""
    if whole:
        yield
        return
    with _SWITCH:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False


def _count_pictures(image: Any) -> int:
    """Pictures of an animation or a file of several; layers (PSD) and sizes (ICO, ICNS) are none."""
    if getattr(image, "format", None) in ("PSD", "ICO", "ICNS", "CUR", "TIFF"):
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except BROKEN:
        return 1


def _check_size(header: Header, name: str, max_pixels: int) -> None:
    if header.width < 1 or header.height < 1:
        raise broken(name, "it has no pixels")
    if header.width * header.height > max_pixels:
        raise ReadError(f"{name}: {header.width} x {header.height} pixels are more than the limit of "
                        f"{max_pixels / 1e6:g} million; reduce the photo first")  # fmt: skip


def _decode_tiff(file: BinaryIO, header: Header, name: str, whole: bool) -> Decoded:
    found = tiff.decode_page(file, header.image, name, whole)
    return from_pillow(header, found, name) if isinstance(found, Image.Image) else from_array(header, found, name)


def _decode_single(file: BinaryIO, header: Header, name: str, whole: bool) -> Decoded:
    if header.format == "heif":
        return _decode_heif(header, name)
    if header.format == "jpegxl":
        return from_array(header, _by_imagecodecs(file, "jpegxl_decode", name), name)
    if header.format == "jpeg" and header.frame is not None:
        return _decode_jpeg(file, header, name, whole)
    if header.format == "png":
        return _decode_png(file, header, name, whole)
    if header.bits > 8 or (header.format == "ppm" and header.image.mode == "RGB"):
        return _decode_deep(file, header, name)
    return _loaded(header, name)


def _loaded(header: Header, name: str) -> Decoded:
    try:
        header.image.load()
    except BROKEN as error:
        raise broken(name, error) from error
    return from_pillow(header, header.image, name)


def _by_imagecodecs(file: BinaryIO, decoder: str, name: str) -> np.ndarray:
    """What the extra `tiff` reads."""
    try:
        import imagecodecs
    except ImportError as error:
        kind = "JPEG XL" if decoder == "jpegxl_decode" else "a JPEG of 12 bits a channel is not supported here: it"
        raise ReadError(f"{name}: {kind} needs another package; pip install imagecodecs, "
                        "or convert it to a 16-bit TIFF or PNG") from error  # fmt: skip
    file.seek(0)
    try:
        return np.asarray(getattr(imagecodecs, decoder)(file.read()))
    except Exception as error:  # each codec has an exception of its own
        raise broken(name, error) from error


def _spread(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Numbers of 9 to 15 bits over the whole range of 16."""
    if bits in (8, 16):
        return pixels
    return np.rint(pixels * (65535 / ((1 << bits) - 1))).astype(np.uint16)


def _decode_jpeg(file: BinaryIO, header: Header, name: str, whole: bool) -> Decoded:
    """By OpenCV, which reports success on a truncated JPEG too; one without an end marker is judged by Pillow."""
    if header.bits == 12:
        return from_array(header, _spread(_by_imagecodecs(file, "jpeg8_decode", name), 12), name)
    file.seek(0)
    everything = np.frombuffer(file.read(), np.uint8)
    data = jpeg.picture(everything)
    behind = everything[len(data) :].tobytes()
    if b"ftyp" in behind:
        header.lost.append("its motion clip")
    elif b"\xff\xd8\xff" in behind and _count_pictures(header.image) == 1:
        header.lost.append("a picture behind it")
    pixels = None
    if header.image.mode in ("L", "RGB") and (data[-2:].tobytes() == b"\xff\xd9" or not whole):
        pixels = _imdecode(data, cv2.IMREAD_GRAYSCALE if header.image.mode == "L" else cv2.IMREAD_COLOR)
    decoded = _loaded(header, name) if pixels is None else Decoded(header, pixels, None)
    missing = jpeg.what_is_missing(data, header.frame, pixels) if data[-2:].tobytes() == b"\xff\xd9" else None
    if missing and whole:
        raise broken(name, missing)
    return decoded


def _decode_deep(file: BinaryIO, header: Header, name: str) -> Decoded:
    """More than 8 bits a channel where Pillow would round: JPEG 2000, AVIF and PPM by OpenCV."""
    file.seek(0)
    pixels = _imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        if header.bits > 8:
            header.notes.append(f"its {header.bits} bits a channel are rounded to 8")
        return _loaded(header, name)
    return from_array(header, _spread(pixels, header.bits or 16), name)


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


def _decode_png(file: BinaryIO, header: Header, name: str, whole: bool) -> Decoded:
    """PNG of 8 and 16 bits by OpenCV, animations, palettes and bits by Pillow; its chunks are checked first."""
    file.seek(0)
    data = file.read()
    if not whole:
        data = png.padded(data)
        header.image = Image.open(io.BytesIO(data))
    colour, key, by_pillow = png.check(data, name, getattr(header.image, "is_animated", False))
    if by_pillow:
        return _loaded(header, name)
    flags = {0: cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH, 2: cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH}
    pixels = _imdecode(np.frombuffer(data, np.uint8), flags.get(colour, cv2.IMREAD_UNCHANGED))
    if pixels is None:
        raise broken(name, "its pixels cannot be decoded")
    if key is not None:
        wanted = np.frombuffer(key, ">u2").astype(np.uint16)
        same = pixels == (wanted if pixels.ndim == 3 else wanted[0])
        alpha = np.where(same.all(axis=-1) if pixels.ndim == 3 else same, 0, 65535).astype(np.uint16)
        return Decoded(header, pixels, alpha)
    if colour in (4, 6):
        return Decoded(header, pixels[..., 0] if colour == 4 else pixels[..., :3], pixels[..., 3])
    return Decoded(header, pixels, None)


def _decode_heif(header: Header, name: str) -> Decoded:
    try:
        pixels = np.asarray(header.image)
    except BROKEN as error:
        raise broken(name, error) from error
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.uint16:  # the reader left-aligns 10 or 12 bits; spread them over the whole range
        bits = int(header.image.info.get("bit_depth", 16))
        pixels = _spread(pixels >> (16 - bits), bits)
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
