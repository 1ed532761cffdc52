"""What the ending of a file's name says: the one table of the photo formats, for sampling, training and evaluation.

Sampling and evaluation read every row. Training searches folders and shards for the rows marked so alone, as a run's
order of photos depends on what is found; a list file may name any file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Suffix:
    """What stands behind an ending."""

    format: str  # that a file of this name is in, and an output of this name gets where it is `written`
    written: bool = False  # outputs may have this ending
    trained: bool = False  # training's folders and shards are searched for it
    needs: str = ""  # what to install where nothing reads it, in pip's words; "" where the package's own needs suffice


_ROWS = {
    ".jpg .jpeg": Suffix("jpeg", written=True, trained=True),
    ".jpe .jfif": Suffix("jpeg", written=True),
    ".png": Suffix("png", written=True, trained=True),
    ".tif .tiff": Suffix("tiff", written=True, trained=True),
    ".webp": Suffix("webp", written=True, trained=True),
    ".avif": Suffix("avif", written=True, trained=True, needs="pillow>=11.3"),
    ".heic .heif .hif": Suffix("heif", written=True, needs="pillow-heif>=0.16"),
    ".bmp": Suffix("bmp", trained=True),
    ".jp2": Suffix("jpeg2000", trained=True),
    ".ppm": Suffix("ppm", trained=True),
    ".j2k .jpx": Suffix("jpeg2000"),
    ".pgm .pbm .pnm": Suffix("ppm"),
    ".mpo": Suffix("mpo"),
    ".apng": Suffix("png"),
    ".dib": Suffix("dib"),
    ".jxl": Suffix("jpegxl", needs="imagecodecs>=2024.1.1"),
    ".psd": Suffix("psd"),
    ".gif": Suffix("gif"),
    ".tga": Suffix("tga"),
    ".ico": Suffix("ico"),
    ".pcx": Suffix("pcx"),
    ".sgi": Suffix("sgi"),
    ".ras": Suffix("sun"),
}
_RAW = "is a camera's raw photo, which is not read here; develop it to a 16-bit TIFF first"
_HDR = "is an HDR picture, which is not read here; save it as a 16-bit TIFF or PNG"
UNREAD = {
    **dict.fromkeys([".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"], _RAW),
    ".exr": _HDR, ".hdr": _HDR, ".pdf": "is a PDF, which is not read here; export its pages as TIFF",
}  # fmt: skip
"""What a file of this ending is, and what helps, where the ending is known and no photo's."""
SUFFIXES = {ending: row for endings, row in _ROWS.items() for ending in endings.split()}
WRITTEN = {ending: row.format for ending, row in SUFFIXES.items() if row.written}
"""The format of an output by its ending."""


def suffix_of(name: str | os.PathLike[str]) -> Suffix | None:
    """The row of a file by its name, whatever its case; None where it is no photo's."""
    return SUFFIXES.get(os.path.splitext(os.fspath(name))[1].lower())


def is_photo_name(path: str | Path) -> bool:
    """Whether a file's ending is one that can be read; HEIF counts even where its reader is not installed."""
    return suffix_of(path) is not None


def is_training_name(path: str | Path) -> bool:
    """Whether training takes a file of this name that it finds in a folder or a shard."""
    row = suffix_of(path)
    return row is not None and row.trained


_FILMS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".wmv",
    ".flv", ".ogv", ".3gp", ".mxf", ".nut", ".dv",
)  # fmt: skip


def is_film_name(path: str | Path) -> bool:
    """Whether a file's ending is that of a film."""
    return os.path.splitext(os.fspath(path))[1].lower() in _FILMS
