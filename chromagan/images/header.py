"""The record of a file's header, and the error of a broken one."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from chromagan.errors import ReadError

# What decoders raise on broken files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, RuntimeError, struct.error,
          zlib.error, OverflowError)  # fmt: skip
_STUMBLES = (TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, NameError)


@dataclass
class Header:
    """What a file says beside its pixels.

    Attributes:
        image: the lazily opened Pillow (or HEIF) image, or TIFF page.
        texts: (keyword, text) of a PNG; comments have the keyword "Comment".
        bits: a channel where that is not what `image` gives.
        frame: of a JPEG.
        pictures: that the file holds, as far as its header says.
        notes: what happens to the pixels, for people.
        lost: what the file says that nothing here can carry, in words.
    """

    format: str
    width: int
    height: int
    image: Any = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int = 1
    texts: list[tuple[str, str]] = field(default_factory=list)
    bits: int = 0
    frame: Any = None
    pictures: int = 1
    notes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def broken(name: str, error: BaseException | str) -> ReadError:
    """The error for a file that began like a photo and could not be decoded."""
    if isinstance(error, MemoryError) or "nsufficient memory" in str(error):  # the second are OpenCV's words
        return ReadError(f"{name}: not enough memory to decode it; reduce the photo or close other programs")
    # What Python says where a decoder trips over nonsense is no help to anybody.
    words = "its fields contradict each other" if isinstance(error, _STUMBLES) else str(error)
    reason = " ".join(words.split())[:200] or type(error).__name__
    return ReadError(f"{name}: the file is damaged or cut short ({reason}); copy it again or export it anew")


def sane_dpi(dpi: Any) -> tuple[float, float] | None:
    """A resolution that a printer could mean, or None."""
    try:
        x, y = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (x, y) if 1 < x < 65535 and 1 < y < 65535 else None
