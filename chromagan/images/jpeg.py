"""JPEG: what its segments say that Pillow does not tell, and whether all of its pixels are there."""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start of frame; the holes are tables
_DECODED = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # Huffman and arithmetic, sequential and progressive


class Frame(NamedTuple):
    """The frame header: its marker, bits a channel, size, channels; and where its bits stand in the file."""

    kind: int
    bits: int
    height: int
    width: int
    channels: int
    at: int

    @property
    def progressive(self) -> bool:
        """Whether the picture comes in passes."""
        return self.kind in (0xC2, 0xCA)

    @property
    def supported(self) -> bool:
        """Whether it is no lossless or hierarchical one."""
        return self.kind in _DECODED


class Segments(NamedTuple):
    """What stands before the pixels: the frame, comments, and in words what no output carries."""

    frame: Frame | None
    comments: list[bytes]
    lost: list[str]
    end: int


def read_segments(file: BinaryIO) -> Segments:
    """Walk a JPEG up to its first scan."""
    frame, at = None, 2
    comments: list[bytes] = []
    lost: list[str] = []
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xDA, 0xD9):
            return Segments(frame, comments, lost, at)
        if head[1] == 0xFF:  # a fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", head, 2)
        if head[1] in _FRAMES:
            bits, *size, channels = struct.unpack(">BHHB", file.read(6).ljust(6, b"\x00"))
            frame = Frame(head[1], bits, size[0], size[1], channels, at + 4)
        elif head[1] == 0xFE:
            comments.append(file.read(length - 2).rstrip(b"\x00"))
        elif head[1] == 0xEB and b"jumb" in file.read(64):
            lost.append("its content credentials (C2PA)")
        at += 2 + length


def picture(data: np.ndarray) -> np.ndarray:
    """The bytes of the first picture alone: up to its end marker, without a maker's trailer or further pictures."""
    _, end = _scans(data)
    return data[:end] if end else data


def _scans(data: np.ndarray) -> tuple[list[tuple[bytes, int]], int]:
    """The header of each scan and where its data ends; and the place behind the end marker, 0 where there is none."""
    marks = np.flatnonzero(data[:-1] == 0xFF)
    codes = data[marks + 1]
    marks = marks[(codes != 0) & (codes != 0xFF) & ((codes < 0xD0) | (codes > 0xD7))]  # neither stuffed nor restarts
    scans: list[tuple[bytes, int]] = []
    at = 2
    while True:
        number = int(np.searchsorted(marks, at))
        if number >= len(marks):
            return scans, 0
        at = int(marks[number])
        if data[at + 1] == 0xD9:
            return scans, at + 2
        if at + 4 > len(data):
            return scans, 0
        after = at + 2 + int(data[at + 2]) * 256 + int(data[at + 3])
        if data[at + 1] == 0xDA:
            behind = int(np.searchsorted(marks, after))
            scans.append((data[at + 4 : after].tobytes(), int(marks[behind]) if behind < len(marks) else len(data)))
        at = max(after, at + 2)


def what_is_missing(data: np.ndarray, frame: Frame, pixels: np.ndarray | None) -> str | None:
    """Why a decoded JPEG is not whole, in words; None for a whole one.

    Decoders fill up what is missing: with gray (128) the rows below a cut, with blur the passes that never came. More
    bytes behind the last scan show whether it ends early: in a whole picture they change nothing.

    Args:
        data: of one picture, as `picture` gives it.
        frame: its frame header.
        pixels: as decoded; None for CMYK.
    """
    scans, end = _scans(data)
    if not end:
        return "its end is missing"
    if not scans:
        return "its pixels are missing"
    if missing := _missing_passes(scans, frame):
        return missing
    several = len(scans) > 1
    if not several and pixels is not None and not (pixels[-1, -1] == 128).all():
        return None
    longer = np.concatenate([data[: scans[-1][1]], _filler(data), data[scans[-1][1] :]])
    before: Any
    if several and pixels is not None:
        flags = cv2.IMREAD_GRAYSCALE if pixels.ndim == 2 else cv2.IMREAD_COLOR
        before = pixels if pixels.ndim == 2 else pixels[..., ::-1]  # RGB, and BGR where it is decoded again
    else:
        flags = cv2.IMREAD_GRAYSCALE if several else cv2.IMREAD_REDUCED_GRAYSCALE_8
        before = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    after = cv2.imdecode(longer, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    same = before is not None and after is not None and np.array_equal(before, after)
    return None if same else "its pixels end early"


def _filler(data: np.ndarray) -> np.ndarray:
    """Bytes that decode to something, and restarts that go on counting from the last one."""
    parts = np.random.default_rng(0).integers(0, 255, (17, 512), dtype=np.uint8)  # no 255: no marker
    marks = np.flatnonzero((data[:-1] == 0xFF) & (data[1:] >= 0xD0) & (data[1:] <= 0xD7))
    last = int(data[marks[-1] + 1]) if len(marks) else 0xD7
    for number, part in enumerate(parts[1:], 1):
        part[:2] = 0xFF, 0xD0 + (last - 0xD0 + number) % 8
    return parts.ravel()


def _missing_passes(scans: list[tuple[bytes, int]], frame: Frame) -> str | None:
    """Every channel has its data; in passes, every coefficient up to its last bit."""
    last: dict[int, dict[int, int]] = defaultdict(dict)
    for header, _ in scans:
        count = header[0] if header else 0
        if len(header) < 4 + 2 * count:
            return "a scan is cut short"
        start, stop, bits = header[1 + 2 * count : 4 + 2 * count]
        for channel in header[1 : 1 + 2 * count : 2]:
            last[channel].update(dict.fromkeys(range(start, stop + 1), bits & 15))
    if len(last) < frame.channels:
        return "a channel is missing"
    whole = all(len(one) == 64 and not any(one.values()) for one in last.values())
    return None if whole or not frame.progressive else "passes are missing"
