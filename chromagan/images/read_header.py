"""What a file says of itself before its pixels are decoded: format, size, profile, metadata."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from chromagan.errors import ChromaganError, ReadError
from chromagan.files.find import special_kind
from chromagan.images import boxes, jpeg, png, tiff
from chromagan.images import exif as exif_block
from chromagan.images.captions import true_records
from chromagan.images.header import BROKEN, Header, broken, sane_dpi

# Formats that Pillow names but that are no photographs, or that it hands to other programs (Ghostscript).
_REFUSED = {"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5", "PDF"}
_NAMES = {"MPO": "jpeg", "JPEG2000": "jpeg2000", "DIB": "bmp"}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_RAW = "a camera's raw photo", "develop it to a 16-bit TIFF, with darktable or RawTherapee for instance"
_FILM = "a film", "take pictures out of it"
_FLOATS = "an HDR picture (OpenEXR or Radiance)", "save it as a 16-bit TIFF or PNG"
# What is known by its first bytes, and not read.
_KNOWN = {
    (0, b"FUJIFILMCCD-RAW"): _RAW, (0, b"IIRO"): _RAW, (0, b"IIRS"): _RAW, (0, b"MMOR"): _RAW, (0, b"IIU\x00"): _RAW,
    (4, b"ftypcrx "): _RAW, (8, b"CR\x02"): _RAW, (0, b"\x00MRM"): _RAW, (0, b"FOVb"): _RAW,
    (4, b"ftypisom"): _FILM, (4, b"ftypmp4"): _FILM, (4, b"ftypqt  "): _FILM,
    (0, b"\x76\x2f\x31\x01"): _FLOATS, (0, b"#?RADIANCE"): _FLOATS, (0, b"#?RGBE"): _FLOATS,
    (0, b"%PDF"): ("a PDF", "export its pages as TIFF"), (0, b"gimp xcf"): ("GIMP's own file", "export it as TIFF"),
}  # fmt: skip
_LONGEST_LIST = 256  # bytes of the first box that are searched for brands


@contextlib.contextmanager
def open_file(path: str | Path, content: bytes | None = None) -> Iterator[BinaryIO]:
    """Open a file that is there and not empty, or say in one line why not.

    This is the one boundary of all decoders: whatever they raise about the open file leaves as a `ReadError`.

    Args:
        path: the file.
        content: its bytes, where they have been read from some other place than this path.
    """
    path = Path(path)
    kind = special_kind(path) if content is None else None
    if kind is not None:
        raise ReadError(f"{path}: this is {kind}, which is never opened; give a photo file")
    try:
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            if not (os.fstat(file.fileno()).st_size if content is None else content):
                raise ReadError(f"{path}: the file is empty; copy it again")
            yield file
    except FileNotFoundError as error:
        if path.is_symlink():
            raise ReadError(f"{path}: is a link to a file that is not there; mend the link") from error
        raise ReadError(f"{path}: there is no such file; check the name") from error
    except IsADirectoryError as error:
        raise ReadError(f"{path}: this is a folder; give a photo file") from error
    except PermissionError as error:
        raise ReadError(f"{path}: no permission to read; change the file's permissions") from error
    except ChromaganError:
        raise
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error}); check the disk") from error
    except Image.DecompressionBombError as error:  # of a plugin that decodes to know the size
        raise ReadError(f"{path}: its pixels are more than can be read; reduce the photo first") from error
    except Exception as error:
        raise broken(str(path), error) from error


def read_header(file: BinaryIO, name: str) -> Header:
    """Open a photo far enough to know its format, size and metadata.

    Args:
        file: binary file, seekable, at any position.
        name: what error messages call it.

    Raises:
        ReadError: not a photo, or one whose header is broken.
    """
    file.seek(0)
    head = file.read(_LONGEST_LIST)
    file.seek(0)
    for (at, begin), (kind, remedy) in _KNOWN.items():
        if head[at : at + len(begin)] == begin:
            raise ReadError(f"{name}: this is {kind}, which is not read here; {remedy}")
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return tiff.read_header(file, name)
    if heif_format(head) == "HEIC":
        return _heif_header(file, name)
    if head[:2] == b"\xff\x0a" or head[4:12] == b"JXL \r\n\x87\n":
        header = boxes.jpegxl_header(file)
        if header is None:
            raise broken(name, "its sizes are missing")
        return header
    segments = jpeg.read_segments(file) if head[:3] == b"\xff\xd8\xff" else None
    if segments and segments.frame and (segments.frame.bits != 8 or not segments.frame.supported):
        header = _strange_jpeg(file, segments, name)
    else:
        image = _open_with_pillow(file, head[:16], name)
        try:
            header = pillow_header(image)
        except BROKEN as error:
            raise broken(name, error) from error
    if segments:
        header.frame = segments.frame
        header.texts += [("Comment", one.decode("utf-8", "surrogateescape")) for one in segments.comments]
        header.lost += segments.lost
    _READ_MORE.get(header.format, lambda file, header: None)(file, header)
    if header.orientation == 1:  # where the metadata stood in a place of its own
        header.orientation = exif_block.orientation(header.exif, header.xmp)
    return header


_READ_MORE = {"png": png.read_metadata, "jpeg2000": boxes.read_jpeg2000, "avif": boxes.read_colours}


def _strange_jpeg(file: BinaryIO, segments: jpeg.Segments, name: str) -> Header:
    """The header of a JPEG of 12 bits; Pillow reads it in a copy that says 8."""
    frame = segments.frame
    assert frame is not None
    if frame.bits != 12 or not frame.supported:
        raise ReadError(f"{name}: a lossless JPEG, or one of {frame.bits} bits a channel, is not supported; "
                        "convert it to PNG or TIFF")  # fmt: skip
    file.seek(0)
    copy = bytearray(file.read(segments.end)) + b"\xff\xda\x00\x02"
    copy[frame.at] = 8
    image = _open_with_pillow(io.BytesIO(bytes(copy)), bytes(copy[:16]), name)
    header = pillow_header(image)
    header.bits = frame.bits
    return header


def heif_format(data: bytes) -> str | None:
    """AVIF or HEIC by the brands that the file's first box names, or None for another format."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), len(data), _LONGEST_LIST)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    return "AVIF" if brands & _AVIF_BRANDS else "HEIC" if brands & _HEIC_BRANDS else None


def _open_with_pillow(file: BinaryIO, prefix: bytes, name: str) -> Image.Image:
    """Image.open without its own limit on pixels, which is global to the process; ours is checked by the caller."""
    problem: BaseException | None = None
    tried: set[str] = set()
    for prepare in (Image.preinit, Image.init):
        prepare()
        for plugin in [p for p in Image.ID if p not in tried and p not in _REFUSED]:
            tried.add(plugin)
            factory, accept = Image.OPEN[plugin]
            try:
                accepted = accept(prefix) if accept else True
            except BROKEN:  # a file shorter than the signature that this plugin looks for
                accepted = False
            if not accepted or isinstance(accepted, str):
                continue
            try:
                file.seek(0)
                return factory(file, "")
            except BROKEN as error:
                problem = error if accept else problem
    if problem is not None:
        raise broken(name, problem)
    raise ReadError(f"{name}: this is not a photo in a known format; give a JPEG, PNG, TIFF, WebP, HEIF or AVIF")


def pillow_header(image: Image.Image) -> Header:
    """Header of an opened Pillow image."""
    info = image.info
    name = (image.format or "").upper()
    exif = exif_block.strip_prefix(info.get("exif"))
    if exif is None and "Raw profile type exif" in info:  # PNG as ImageMagick once wrote it
        exif = exif_block.strip_prefix(image.getexif().tobytes())
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    iptc, lost = None, list[str]()
    photoshop = info.get("photoshop")
    if isinstance(photoshop, dict):  # JPEG
        iptc = true_records(photoshop.get(0x0404))
        lost = ["its paths"] if any(2000 <= code < 2999 for code in photoshop) else []
    elif name == "PSD":
        blocks = {code: data for code, _, data in getattr(image, "resources", [])}
        iptc, xmp = true_records(blocks.get(0x0404)), blocks.get(0x0424)
        exif = exif_block.strip_prefix(blocks.get(0x0422))
    comment = info.get("comment") if name in ("GIF", "JPEG2000") else None
    texts = [("Comment", comment.decode("utf-8", "surrogateescape"))] if isinstance(comment, bytes) and comment else []
    return Header(
        _NAMES.get(name, name.lower()), image.width, image.height, image, info.get("icc_profile") or None, exif,
        xmp or None, iptc, sane_dpi(info.get("dpi")), exif_block.orientation(exif, xmp), texts, lost=lost,
    )  # fmt: skip


def _heif_header(file: BinaryIO, name: str) -> Header:
    try:
        import pillow_heif
    except ImportError as error:
        raise ReadError(f"{name}: HEIF needs another package; pip install pillow-heif") from error
    try:
        image = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
        info = image.info
        exif = exif_block.strip_prefix(info.get("exif"))
        # libheif turns the pixels itself, as the file's own irot and imir say; EXIF's tag repeats that and has no say.
        width, height = image.size
        header = Header("heif", width, height, image, info.get("icc_profile"), exif, info.get("xmp") or None)
        header.pictures = len(image)
        header.lost = ["its depth map"] if info.get("depth_images") else []
        header.lost += ["pictures beside it (a gain map, for instance)"] if info.get("aux") else []
        boxes.read_colours(file, header)
        return header
    except BROKEN as error:
        raise broken(name, error) from error
