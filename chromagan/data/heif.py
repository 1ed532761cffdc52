"""Photos in the HEIF container, AVIF and HEIC: who reads them here, and what to install where nobody does.

Pillow reads AVIF before OpenCV does: it is faster on small photos, and turns them upright, which OpenCV does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from io import BytesIO

import cv2
import numpy as np
from PIL import Image, ImageOps, features

from chromagan.errors import DataError
from chromagan.files.suffixes import suffix_of
from chromagan.images.header import BROKEN

_KINDS = {"avif": "AVIF", "heif": "HEIC"}


def decode_heif(data: bytes, kind: str) -> np.ndarray | None:
    """A photo of a kind of `heif_format`, upright: (H, W, 3) uint8 RGB, of more bits the upper eight; or None."""
    for read in readers(kind).values():
        try:
            return read(data)
        except (*BROKEN, cv2.error, Image.DecompressionBombError):
            continue
    return None


def check_readers(place: str, names: Iterable[str]) -> None:
    """Refuse photos whose suffix says that nothing installed reads them: `DataError` says what to install."""
    counts = Counter(row for row in map(suffix_of, names) if row is not None and row.format in _KINDS)
    for row, count in counts.items():
        kind = _KINDS[row.format]
        if not readers(kind):
            raise DataError(
                f"{place}: {count:,} {kind} photographs, and nothing installed here reads {kind}; "
                f'pip install "{row.needs}", or leave them out'
            )


@cache
def readers(kind: str) -> dict[str, Callable[[bytes], np.ndarray]]:
    """What is installed that reads a format, by name, in the order in which it is tried."""
    avif = kind == "AVIF"
    there = {
        "pillow": (_by_pillow, avif and "avif" in features.modules and features.check("avif")),  # since Pillow 11.3
        "pillow-heif": (_by_pillow_heif, _pillow_heif_reads(kind)),
        "opencv": (_by_opencv, avif and _opencv_reads_avif()),
    }
    return {name: read for name, (read, installed) in there.items() if installed}


def decode_on_one_core() -> None:
    """For processes that share the cores: Pillow would start a thread a core for each AVIF photo, however small."""
    try:
        from PIL import AvifImagePlugin
    except ImportError:
        return
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def _by_pillow(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data), formats=("AVIF",)) as image:
        if "exif" in image.info:
            ImageOps.exif_transpose(image, in_place=True)
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _by_pillow_heif(data: bytes) -> np.ndarray:
    import pillow_heif

    image = pillow_heif.open_heif(BytesIO(data))  # turned upright by libheif
    return np.array(image if image.mode == "RGB" else image.to_pillow().convert("RGB"))


def _by_opencv(data: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("OpenCV does not read it")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _pillow_heif_reads(kind: str) -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    return kind == "HEIC" or bool(pillow_heif.libheif_info().get("AVIF"))  # wheels before 1.0 bring a codec


def _opencv_reads_avif() -> bool:
    lines = (line.split(":", 1) for line in cv2.getBuildInformation().splitlines() if ":" in line)
    return any(name.strip() == "AVIF" and not value.strip().startswith("NO") for name, value in lines)
