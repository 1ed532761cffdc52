"""Write photographs: sRGB, marked as coloured by a network, with the source's metadata, complete or not at all.

| format | depth | alpha | EXIF | XMP | IPTC | texts | resolution | pixels |
|---|---|---|---|---|---|---|---|---|
| png | 8, 16 | yes | yes | yes | yes, and in XMP | yes | yes | exact |
| tiff | 8, 16 | yes | yes | yes | yes | in XMP | yes | exact, deflate |
| jpeg | 8 | over white | yes | yes | yes | comments; in XMP | yes | 4:4:4, quality 95 |
| webp | 8 | yes | yes | yes | in XMP | in XMP | in EXIF | lossy; lossless from quality 100 on |
| avif | 8 | yes | yes | yes | in XMP | in XMP | in EXIF | 4:4:4 |
| heif | 8, 10 | yes | yes | yes | in XMP | in XMP | in EXIF | 4:4:4 |

16-bit pixels are rounded to the depth that the format holds. What a photo had and its output has not is one line in the
log, a warning; docs/sampling.md has the whole table.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, features

from chromagan.errors import UsageError, WriteError
from chromagan.files.atomic import write_atomically
from chromagan.files.suffixes import WRITTEN
from chromagan.images import exif as exif_block
from chromagan.images import xmp as xmp_packet
from chromagan.images.captions import iptc_properties, text_properties
from chromagan.images.decode import swap_red_and_blue
from chromagan.images.exif import PREFIX
from chromagan.images.icc import output_profile
from chromagan.images.metadata import Metadata, ProvenanceMark
from chromagan.images.read import Photo
from chromagan.images.splice import fits_jpeg, splice_jpeg, splice_png

log = logging.getLogger(__name__)

_SUFFIXES = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "webp": ".webp", "avif": ".avif", "heif": ".heic"}
_LONGEST_SIDE = {"jpeg": 65500, "webp": 16383, "avif": 65536, "heif": 16384}
_DEEP = {"png", "tiff", "heif"}
_NO_IPTC = {"png", "webp", "avif", "heif"}
_HAS_RESOLUTION = {"png", "tiff", "jpeg"}

# Fast, and unlike Huffman alone still small on flat pictures; OpenCV's releases differ in their default.
_PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
                cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]  # fmt: skip

Pieces = Sequence[bytes | memoryview]


def _can_write(name: str) -> bool:
    if name == "heif":
        try:
            import pillow_heif
        except ImportError:
            return False
        return bool(pillow_heif.libheif_info()["HEIF"])
    return bool(features.check(name)) if name in ("avif", "webp") else True


def output_suffix(photo_format: str, requested: str | None, depth: int) -> str:
    """The extension of the output of a photo.

    Without a request an output keeps the format of its source where that can be written here and holds the source's
    depth; all others (GIF, BMP, JPEG 2000, PNM, ..., a HEIF without its encoder) become PNG. A requested format is
    kept even where it holds 8 bits only and the photo has 16: the photo is then rounded to 8.

    Args:
        photo_format: `Photo.format`.
        requested: format or extension that a person asked for ("jpg", ".tif", "png", ...), or None.
        depth: 8 or 16.

    Returns:
        ".jpg", ".png", ".tif", ".webp", ".avif" or ".heic".

    Raises:
        UsageError: the requested format is unknown or its encoder is not installed.
    """
    if requested is None:
        known = photo_format in _SUFFIXES and _can_write(photo_format) and (depth == 8 or photo_format in _DEEP)
        return _SUFFIXES[photo_format] if known else ".png"
    name = requested.lower().lstrip(".")
    name = WRITTEN.get("." + name, name)
    if name not in _SUFFIXES:
        raise UsageError(f"format {requested!r} cannot be written; choose one of jpeg, png, tiff, webp, avif, heif")
    if not _can_write(name):
        raise UsageError(f"format {requested!r} needs an encoder that is not installed; choose png or tiff")
    return _SUFFIXES[name]


def write_photo(
    photo: Photo,
    path: str | Path,
    mark: ProvenanceMark | None,
    keep_metadata: bool = True,
    quality: int = 95,
    spend: bool = False,
) -> None:
    """Write a photo in the format that the extension of `path` names; see the table at the top of this file.

    Args:
        photo: the pixels to write, and the metadata to carry on.
        path: target; an existing file is replaced, in one step.
        mark: the provenance mark; None only for pictures that no network has coloured.
        keep_metadata: False drops EXIF, IPTC, the source's XMP and the resolution; the mark stays.
        quality: 1 to 100, for the lossy formats.
        spend: the pixels are needed no more and may be written over: a large photo then needs no second copy.

    Raises:
        WriteError: unknown extension, too large for the format, no encoder, disk full, no permission.
    """
    pieces, lost = _encode_photo(photo, path, mark, keep_metadata, quality, spend)
    write_atomically(path, lambda file: file.writelines(pieces))
    _tell([photo], path, lost)


def write_pages(
    photos: list[Photo],
    path: str | Path,
    mark: ProvenanceMark | Sequence[ProvenanceMark | None] | None,
    keep_metadata: bool = True,
) -> None:
    """Write photos as the pages of one TIFF, each with its own depth, metadata and mark.

    Args:
        photos: at least one.
        path: target with a TIFF extension; replaced in one step.
        mark: as in `write_photo`; or one for each page.
        keep_metadata: as in `write_photo`.

    Raises:
        WriteError: another extension, or the disk refuses.
    """
    pieces, lost = _encode_pages(photos, path, mark, keep_metadata)
    write_atomically(path, lambda file: file.writelines(pieces))
    _tell(photos, path, lost)


def encode_pages(
    photos: list[Photo],
    path: str | Path,
    marks: Sequence[ProvenanceMark | None],
    keep_metadata: bool = True,
    quality: int = 95,
) -> bytes:
    """The file that `write_photo` or, of several photos, `write_pages` would write at a path; the pixels are spent."""
    if len(photos) > 1:
        pieces, lost = _encode_pages(photos, path, marks, keep_metadata)
    else:
        pieces, lost = _encode_photo(photos[0], path, marks[0], keep_metadata, quality, spend=True)
    _tell(photos, path, lost)
    return b"".join(pieces)


def _encode_photo(
    photo: Photo, path: str | Path, mark: ProvenanceMark | None, keep_metadata: bool, quality: int, spend: bool
) -> tuple[Pieces, list[str]]:
    """The file in pieces, and what is not in it."""
    name = _format_of(path)
    if name == "tiff":
        return _encode_pages([photo], path, mark, keep_metadata)
    height, width = photo.pixels.shape[:2]
    if max(height, width) > _LONGEST_SIDE.get(name, 2**31 - 1):
        raise WriteError(f"{path}: {name} holds at most {_LONGEST_SIDE[name]} pixels a side; write PNG or TIFF")
    encode = {"png": _encode_png, "jpeg": _encode_jpeg}.get(name, _encode_other)
    kept, lost = _metadata(photo, name, mark, keep_metadata)
    return _encode(path, lambda: encode(photo, kept, quality, name, spend)), lost


def _encode_pages(
    photos: list[Photo],
    path: str | Path,
    mark: ProvenanceMark | Sequence[ProvenanceMark | None] | None,
    keep_metadata: bool,
) -> tuple[Pieces, list[str]]:
    """A TIFF in one piece, and what is not in it."""
    from chromagan.images.tiff_write import write_tiff

    if _format_of(path) != "tiff" or not photos:
        raise WriteError(f"{path}: only TIFF holds several pages; give a name that ends in .tif")
    marks = mark if isinstance(mark, Sequence) else [mark] * len(photos)
    told = [_metadata(photo, "tiff", mark, keep_metadata) for photo, mark in zip(photos, marks, strict=True)]
    arrays = [_with_alpha(photo.pixels, photo.alpha) for photo in photos]
    buffer = io.BytesIO()
    _encode(path, lambda: write_tiff(buffer, arrays, [kept for kept, _ in told]))
    return [buffer.getbuffer()], [words for _, lost in told for words in lost]


def _format_of(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN:
        raise WriteError(f"{path}: this extension cannot be written; use one of {', '.join(_SUFFIXES.values())}")
    return WRITTEN[suffix]


def _encode(path: str | Path, encode: Callable[[], Pieces | None]) -> Pieces:
    """Run an encoder, with what it raises put into one line."""
    try:
        return encode() or []
    except MemoryError as error:
        raise WriteError(f"{path}: not enough memory to encode it; close other programs") from error
    except (cv2.error, OSError, ValueError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WriteError(f"{path}: cannot be encoded ({reason}); write PNG instead") from error


def _tell(photos: list[Photo], path: str | Path, lost: list[str]) -> None:
    """One line of what became of a photo, or of a file's pages, on the way, if anything did."""
    words = [note for photo in photos for note in photo.notes]
    words += [f"not carried: {', '.join(dict.fromkeys(lost))}"] if lost else []
    if words:
        log.warning("%s: %s", photos[0].path or path, "; ".join(dict.fromkeys(words)))


def _metadata(photo: Photo, name: str, mark: ProvenanceMark | None, keep: bool) -> tuple[Metadata, list[str]]:
    """What goes into the output - the source's metadata where wanted, the mark in any case - and what does not."""
    said = None if mark is None else mark.entries
    lost = ["its transparency (laid over white)"] if name == "jpeg" and photo.alpha is not None else []
    if photo.pixels.dtype == np.uint16 and name not in _DEEP:
        lost.append("its 16 bits (rounded to 8)")
    if not keep:
        return Metadata(xmp=xmp_packet.build_packet(None, said)), lost
    source = photo.metadata
    lost += source.lost
    # 1. What XMP has to take over: a caption where there is no IPTC, the texts of a PNG anywhere else.
    more, unmapped = iptc_properties(source.iptc) if name in _NO_IPTC else ([], [])
    own = [text for text in source.texts if name == "png" or (name == "jpeg" and text[0] == "Comment")]
    own = [text for text in own if name == "png" or fits_jpeg(text[1].encode("utf-8", "surrogateescape"))]
    others, homeless = text_properties(text for text in source.texts if text not in own)
    lost += homeless + (unmapped if name != "png" else [])
    # 2. The only place for the resolution in WebP, AVIF and HEIF.
    exif, dpi = source.exif, source.dpi
    if dpi is not None and name not in _HAS_RESOLUTION and exif_block.resolution(exif) is None:
        exif = exif_block.with_resolution(exif, dpi)
    xmp = xmp_packet.build_packet(source.xmp, said, [*more, *others])
    # 3. A JPEG holds 64 KiB of each; the mark must stand in any case.
    if name == "jpeg":
        blocks = {"EXIF": exif, "XMP": xmp, "IPTC": source.iptc}
        lost += [f"its {word} (too large for a JPEG)" for word, block in blocks.items() if not fits_jpeg(block)]
        xmp = xmp if fits_jpeg(xmp) else xmp_packet.build_packet(None, said)
        exif, iptc = (block if fits_jpeg(block) else None for block in (exif, source.iptc))
    else:
        iptc = source.iptc
    return Metadata(exif, xmp, iptc, dpi, tuple(own)), lost


def _to_8bit(array: np.ndarray) -> np.ndarray:
    """Round 16 bits to 8, so that 0 stays 0 and 65535 becomes 255."""
    return array if array.dtype == np.uint8 else cv2.convertScaleAbs(array, alpha=1 / 257)


def _with_alpha(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    return pixels if alpha is None else np.dstack((pixels, alpha))


def _to_opencv(pixels: np.ndarray, alpha: np.ndarray | None, spend: bool) -> np.ndarray:
    """Gray, BGR or BGRA as OpenCV encodes it (gray with alpha becomes BGRA); in place where the pixels may be spent."""
    if alpha is not None:
        channels = [pixels] * 3 if pixels.ndim == 2 else list(cv2.split(pixels))[::-1]
        return cv2.merge([*channels, alpha])
    if pixels.ndim == 2:
        return pixels
    return swap_red_and_blue(pixels) if spend and pixels.flags.writeable else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def _imencode(suffix: str, pixels: np.ndarray, options: list[int]) -> memoryview:
    done, encoded = cv2.imencode(suffix, pixels, options)
    if not done:
        raise ValueError("the encoder failed")
    return encoded.data


def _encode_png(photo: Photo, kept: Metadata, quality: int, name: str, spend: bool) -> Pieces:
    if photo.pixels.ndim == 2 and photo.alpha is not None and photo.pixels.dtype == np.uint8:
        buffer = io.BytesIO()  # OpenCV knows no gray with alpha
        Image.fromarray(_with_alpha(photo.pixels, photo.alpha), "LA").save(buffer, "PNG", compress_level=3)
        return splice_png(buffer.getvalue(), kept)
    return splice_png(_imencode(".png", _to_opencv(photo.pixels, photo.alpha, spend), _PNG_OPTIONS), kept)


def _encode_jpeg(photo: Photo, kept: Metadata, quality: int, name: str, spend: bool) -> Pieces:
    pixels = _to_8bit(photo.pixels)
    if photo.alpha is not None:
        pixels = _over_white(pixels, _to_8bit(photo.alpha))
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    encoded = _imencode(".jpg", _to_opencv(pixels, None, spend), [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling])
    return splice_jpeg(encoded, output_profile(pixels.ndim == 2), kept)


def _over_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    cover = alpha.astype(np.float32)[(...,) + (None,) * (pixels.ndim - 2)] / 255
    return np.rint(pixels * cover + 255 * (1 - cover)).astype(np.uint8)


def _encode_other(photo: Photo, kept: Metadata, quality: int, name: str, spend: bool) -> Pieces:
    """WebP and AVIF by Pillow, HEIF by pillow-heif."""
    buffer = io.BytesIO()
    pixels, alpha = photo.pixels, photo.alpha
    pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if pixels.ndim == 2 else pixels  # none holds gray alone
    options: dict[str, Any] = {"xmp": kept.xmp} if kept.xmp else {}
    if kept.exif:
        options["exif"] = kept.exif if name == "heif" else PREFIX + kept.exif
    if name == "heif":
        import pillow_heif

        mode = ("RGB" if alpha is None else "RGBA") + (";16" if pixels.dtype == np.uint16 else "")
        image = pillow_heif.from_bytes(mode, pixels.shape[1::-1], _with_alpha(pixels, alpha).tobytes())
        image.info["icc_profile"] = output_profile(gray=False)
        image.save(buffer, quality=quality, chroma=444, **options)
        return [buffer.getbuffer()]
    options |= {"lossless": quality >= 100, "exact": True} if name == "webp" else {"subsampling": "4:4:4", "speed": 8}
    stacked = _with_alpha(_to_8bit(pixels), None if alpha is None else _to_8bit(alpha))
    profile = output_profile(gray=False)
    Image.fromarray(stacked).save(buffer, name.upper(), quality=quality, icc_profile=profile, **options)
    return [buffer.getbuffer()]
