"""Read photographs: upright, sRGB, 8 or 16 bits, with the metadata that their outputs carry on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from chromagan.errors import ReadError, UsageError
from chromagan.images import exif as exif_block
from chromagan.images.decode import Decoded, decode_file, from_pillow
from chromagan.images.header import BROKEN, broken, sane_dpi
from chromagan.images.icc import to_srgb
from chromagan.images.metadata import Metadata
from chromagan.images.read_header import open_file, pillow_header
from chromagan.images.xmp import mend

MAX_PIXELS = 500_000_000  # larger than any camera's or scanner's frame; 1.5 GB as 8-bit RGB
_FEWEST_GRAYS = 0.001  # share of pixels


@dataclass
class Photo:
    """A photograph as every part of the package passes it.

    Attributes:
        pixels: (H, W) gray or (H, W, 3) RGB, sRGB-encoded (gray: sRGB's tone curve), uint8 or uint16, C-contiguous,
            upright.
        alpha: (H, W) of the same dtype, or None.
        metadata: what the output carries on.
        format: name of the file format in lower case ("jpeg", "png", "tiff", "webp", "heif", "avif", ...).
        path: where it was read from, None for photos from memory.
        notes: what of the file is not in the pixels, for the line that is said where they are written.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"
    path: Path | None = None
    notes: tuple[str, ...] = ()


def read_photo(path: str | Path, max_pixels: int = MAX_PIXELS, accept_truncated: bool = False) -> Photo:
    """Read the first page of a photo file.

    EXIF orientation is applied, an embedded colour profile is honoured, 16 bits stay 16.

    Args:
        path: the file.
        max_pixels: larger photos are refused from their header, before any memory is taken.
        accept_truncated: take a photo whose end is missing; what is not there is gray or black.

    Raises:
        ReadError: missing, empty, not a photo, cut short, too large, unsupported.
    """
    return read_pages(path, max_pixels, accept_truncated, all_pages=False)[0]


def read_pages(
    path: str | Path,
    max_pixels: int = MAX_PIXELS,
    accept_truncated: bool = False,
    all_pages: bool = True,
    content: bytes | None = None,
) -> list[Photo]:
    """Read every page of a TIFF; one photo (the first frame) for any other format. Otherwise as `read_photo`.

    `content` is that of the file, where it has been read from some other place than the path.
    """
    with open_file(path, content) as file:
        try:
            pages = decode_file(file, str(path), max_pixels, all_pages)
        except ReadError:
            if not accept_truncated:
                raise
            pages = decode_file(file, str(path), max_pixels, all_pages, whole=False)
            pages[0].header.notes.append("it is damaged or cut short; what is missing is black or gray")
        return [_finish(page, str(path), Path(path)) for page in pages]


def _turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply EXIF orientation 1 to 8 (EXIF 2.3, figure on page 21)."""
    array = cv2.transpose(np.ascontiguousarray(array)) if orientation >= 5 else np.ascontiguousarray(array)
    mirrored = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(array, mirrored[orientation]) if orientation in mirrored else array


def _finish(decoded: Decoded, name: str, path: Path | None) -> Photo:
    """Colour-manage, turn upright and mend the metadata."""
    header = decoded.header
    turn, lost = header.orientation, header.lost
    pixels = _turn(to_srgb(decoded.pixels, header.icc, name), turn)
    alpha = None if decoded.alpha is None else _turn(decoded.alpha, turn)
    dpi = sane_dpi(header.dpi or exif_block.resolution(header.exif))
    dpi = dpi[::-1] if dpi and turn >= 5 else dpi
    exif = exif_block.upright(header.exif, pixels.shape[1], pixels.shape[0], turn)
    if header.exif and not exif:
        lost = [*lost, "its EXIF, which is damaged"]
    xmp, unread = mend(header.xmp, turn, header.width, header.height)
    metadata = Metadata(exif, xmp, header.iptc, dpi, tuple(header.texts), tuple(dict.fromkeys([*lost, *unread])))
    return Photo(pixels, alpha, metadata, header.format, path, tuple(header.notes))


def lacks_grays(photo: Photo) -> bool:
    """Whether a photo is black and white alone, as fax, bilevel and blank pages are: nothing can take a colour."""
    top = int(np.iinfo(photo.pixels.dtype).max)
    step = max(1, min(photo.pixels.shape[:2]) // 64)
    # Nearly every photo is told by a few of its pixels.
    for pixels in (np.ascontiguousarray(photo.pixels[::step, ::step]), photo.pixels):
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
        between = (gray > top // 64) & (gray < top - top // 64)
        if between.mean() >= _FEWEST_GRAYS:
            return False
    return True


def check_grays(photo: Photo) -> None:
    """Refuse a photo whose answer would be itself.

    Raises:
        ReadError: it `lacks_grays`.
    """
    if lacks_grays(photo):
        name = photo.path or "the picture"
        raise ReadError(f"{name}: it is black and white alone, with no grays to colour; scan it in grayscale")


def to_photo(image: str | Path | Image.Image | np.ndarray) -> Photo:
    """Make a photo of a path, a Pillow image or an array.

    Args:
        image: a path (read by `read_photo`); a Pillow image, with its profile, orientation and metadata; or an array
            (H, W) or (H, W, 1..4) - gray, gray + alpha, RGB, RGBA - of uint8, uint16, bool, or float in [0, 1]
            (which becomes 16 bits).

    Raises:
        ReadError: a path that cannot be read, or a Pillow image of an unsupported mode.
        UsageError: an array of another shape, type or range.
    """
    if isinstance(image, str | Path):
        return read_photo(image)
    if isinstance(image, Image.Image):
        return _from_pillow(image)
    if isinstance(image, np.ndarray):
        return _from_array(image)
    raise UsageError(f"a photo is a path, a PIL image or a numpy array, not {type(image).__name__}")


def _from_pillow(image: Image.Image) -> Photo:
    try:
        image.load()
    except BROKEN as error:
        raise broken(getattr(image, "filename", "") or "image", error) from error
    header = pillow_header(image)
    header.format = header.format or "png"
    if 0 in image.size:
        raise ReadError("image: it has no pixels; give a photo of at least 1 x 1")
    return _finish(from_pillow(header, image, "image"), "image", None)


def _from_array(array: np.ndarray) -> Photo:
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] > 4):
        raise UsageError(f"array of shape {array.shape}: a photo is (H, W) or (H, W, C) with 1 to 4 channels")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise UsageError("float array: values lie outside [0, 1]; divide by their maximum, or pass uint8 or uint16")
        array = np.rint(array.astype(np.float64) * 65535).astype(np.uint16)
    elif array.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"array of {array.dtype}: pass uint8, uint16, bool, or float in [0, 1]")
    alpha = None
    if array.ndim == 3:
        channels = array.shape[2]
        alpha = np.ascontiguousarray(array[..., -1]) if channels in (2, 4) else None
        array = array[..., 0] if channels < 3 else array[..., :3]
    return Photo(np.ascontiguousarray(array), alpha)
