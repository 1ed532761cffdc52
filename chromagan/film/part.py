"""Parts of a film: frames of known Y and new chroma, encoded, each part a Matroska file of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.backends.cpu import get_cpu_capability

from chromagan.errors import UsageError, WriteError
from chromagan.files.atomic import moved_into_place, on_disk, told
from chromagan.film.frames import Frame
from chromagan.film.library import av
from chromagan.film.planes import Codes, deepened
from chromagan.film.reel import CODES, FULL, LIMITED, Reel

# In a part the n-th frame shown stands at n times this many milliseconds: Matroska counts in milliseconds, and the
# film's own stamps are put back when parts are joined.
STEP = 40
_LATE = 32  # frames by which decoding runs ahead of showing, at most; no encoder here comes near it


@dataclass(frozen=True)
class _Kind:
    encoder: str
    options: dict[str, str]
    crf: int | None  # its default; None where there is none
    most: int  # the largest crf
    presets: tuple[str, ...] = ()


_X26X = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_SVT = tuple(map(str, range(14)))

# `info=0`: else H.265's headers name the machine's threads, and parts of two sessions could not be joined.
CODECS = {
    "h264": _Kind("libx264", {"preset": "medium"}, 18, 51, _X26X),
    "h265": _Kind("libx265", {"preset": "medium", "x265-params": "log-level=error:info=0"}, 20, 51, _X26X),
    "av1": _Kind("libsvtav1", {"preset": "8"}, 28, 63, _SVT),
    "ffv1": _Kind("ffv1", {"level": "3", "g": "1", "slices": "4", "slicecrc": "1", "coder": "1"}, None, 0),
    "prores": _Kind("prores_ks", {"profile": "3", "vendor": "apl0"}, None, 0),
}
_SHIFTS = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440"}


@dataclass(frozen=True)
class Coding:
    """How pictures are encoded.

    Attributes:
        codec: "h264", "h265", "av1", "ffv1" or "prores".
        crf: quality, lower is better, 0 lossless for H.264 and H.265; None takes the codec's default. FFV1, which is
            always lossless, and ProRes have none.
        preset: speed, as the encoder calls it ("medium" for H.264 and H.265, "8" for AV1); None takes that default.
        bits: of a sample, at least; None takes those of the film.
    """

    codec: str = "h264"
    crf: int | None = None
    preset: str | None = None
    bits: int | None = None

    def __post_init__(self) -> None:
        kind = CODECS.get(self.codec)
        if kind is None:
            raise UsageError(f"--codec {self.codec}: not known; choose one of {', '.join(CODECS)}")
        if (self.crf is not None or self.preset is not None) and kind.crf is None:
            raise UsageError(f"--crf and presets say nothing to {self.codec}; leave them out")
        if self.crf is not None and not 0 <= self.crf <= kind.most:
            raise UsageError(f"--crf {self.crf}: {self.codec} takes 0 to {kind.most}")
        if self.preset is not None and self.preset not in kind.presets:
            raise UsageError(f"--preset {self.preset}: {self.codec} takes {', '.join(kind.presets)}")
        if not _is_there(kind.encoder):
            there = [name for name, other in CODECS.items() if _is_there(other.encoder)]
            raise UsageError(f"--codec {self.codec}: this FFmpeg has no {kind.encoder}; choose {', '.join(there)}")

    @classmethod
    def suited(
        cls,
        output: str | Path,
        film_bits: int,
        codec: str | None = None,
        crf: int | None = None,
        preset: str | None = None,
        bits: int | None = None,
    ) -> Coding:
        """What is given, with the codec that suits a name's ending and the bits unless that is given.

        H.264 wherever it plays; H.265 for more than 8 bits, which few players of H.264 show; AV1 for WebM.
        """
        usual = (
            "av1" if Path(output).suffix.lower() == ".webm" else "h264" if max(film_bits, bits or 0) <= 8 else "h265"
        )
        return cls(codec or usual, crf, preset, bits)

    @property
    def options(self) -> dict[str, str]:
        """Of the encoder. A crf of 0 is lossless where the codec can be, in 10 bits too."""
        kind = CODECS[self.codec]
        crf = self.crf if self.crf is not None else kind.crf
        options = kind.options | ({"crf": str(crf)} if crf is not None else {})
        if self.preset is not None:
            options["preset"] = self.preset
        if crf == 0 and self.codec == "h264":
            options = {"qp": "0", "preset": options["preset"]}
        if crf == 0 and self.codec == "h265":
            options["x265-params"] += ":lossless=1"
        if self.codec == "h264" and get_cpu_capability().startswith("AVX512"):
            # With AVX-512 this x264 gives other bits each time; a film that goes on has to be the same.
            options["x264-params"] = "asm=avx2"
        return options


def fitted(reel: Reel, coding: Coding) -> Reel:
    """The reel as this codec can hold it: its `shift` becomes what is written, and lines say what differs.

    Raises:
        UsageError: Y has more bits than the codec can hold, an odd side or a range that it does not know.
    """
    if coding.codec == "prores" and reel.full_range:
        raise UsageError(f"{reel.path}: its samples have the full range, which ProRes cannot say; use another --codec")
    layout = _layout(reel, coding)
    notes = list(reel.notes)
    if layout.shift != reel.shift:
        notes.append(f"{reel.path}: chroma is written as 4:{_SHIFTS[layout.shift][1]}:{_SHIFTS[layout.shift][2]}")
    return replace(reel, shift=layout.shift, notes=tuple(notes))


@dataclass(frozen=True)
class _Layout:
    name: str
    shift: tuple[int, int]
    bits: int


def _layout(reel: Reel, coding: Coding) -> _Layout:
    """The encoder's pixel format: no fewer bits, chroma no coarser, and as little more of both as there is."""
    least = coding.bits or reel.bits
    if least < reel.bits:
        raise UsageError(f"--bits {least}: {reel.path} has {reel.bits}, and all of them are kept; leave it out")
    names = {format.name for format in av.codec.Codec(CODECS[coding.codec].encoder, "w").video_formats or ()}
    odd_x, odd_y = reel.width % 2, reel.height % 2
    found = [
        (bits, -(x + y), abs(x - reel.shift[0]), _Layout(name, (x, y), bits))
        for (x, y), digits in _SHIFTS.items()
        for bits in (8, 9, 10, 12, 14, 16)
        if (name := f"yuv{digits}p" + (f"{bits}le" if bits > 8 else "")) in names and bits >= least
    ]
    if not found:
        raise UsageError(f"{reel.path}: {least} bits a sample are more than {coding.codec} holds; use --codec ffv1")
    finest = [row for row in found if row[3].shift[0] <= reel.shift[0] and row[3].shift[1] <= reel.shift[1]]
    even = coding.codec != "ffv1" and (odd_x or odd_y)
    fitting = [row for row in finest or found if not (even and row[3].shift != (0, 0))]
    if not fitting:
        raise UsageError(f"{reel.path}: {coding.codec} cannot hold an odd side; use --codec h264 or ffv1")
    return min(fitting, key=lambda row: row[:3])[3]


class PartWriter:
    """Encodes frames into one part. Use it in a `with`: the file appears under its name at the end, whole, or not.

    Args:
        path: of the part, ending in .mkv.
        reel: as `fitted` gave it.
        coding: how to encode.

    Attributes:
        bits: of a sample as it is written; more than the film's where the codec has no fewer, or more are asked for.
    """

    def __init__(self, path: str | Path, reel: Reel, coding: Coding) -> None:
        self.path = Path(path)
        self.reel, self.coding = reel, coding
        self._layout = _layout(reel, coding)
        self.bits = self._layout.bits
        self._numbers: dict[int, int] = {}
        self._packets = 0
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> PartWriter:
        with contextlib.ExitStack() as stack:
            stack.enter_context(refusals(self.path))
            temporary = stack.enter_context(moved_into_place(self.path))
            stack.enter_context(on_disk(temporary))
            self._container = stack.enter_context(av.open(str(temporary.absolute()), "w", format="matroska"))
            self._stream = self._open_stream()
            self._exit = stack.pop_all()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        if kind is not None:
            return self._exit.__exit__(kind, error, trace)
        with self._exit:
            self._mux(self._stream.encode(None))
        return None

    def _open_stream(self) -> Any:
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 speaks of errors alone
        reel, layout = self.reel, self._layout
        fields = {2: "tff=1", 3: "bff=1", 4: "bff=1", 5: "tff=1"}.get(reel.field_order)
        options = {"x264-params": fields} if fields and self.coding.codec == "h264" else {}
        if self.coding.codec == "ffv1":
            options = _sliced(reel, layout)
        stream = self._container.add_stream(
            CODECS[self.coding.codec].encoder, rate=reel.rate, options=self.coding.options | options,
            width=reel.width, height=reel.height, pix_fmt=layout.name, time_base=reel.time_base,
        )  # fmt: skip
        context: Any = stream.codec_context
        context.time_base = reel.time_base
        if reel.aspect:
            context.sample_aspect_ratio = reel.aspect
        set_tags(context, reel)
        return stream

    def write(self, frame: Frame, u: NDArray[Any], v: NDArray[Any]) -> None:
        """Add a frame.

        Args:
            frame: the next; its `luma` is written as it is, or brought up to `bits`.
            u: (h, w) codes of Cb, of `bits`, at the size of the reel's `shift`.
            v: the same of Cr.
        """
        picture = av.VideoFrame(self.reel.width, self.reel.height, self._layout.name)
        luma = deepened(frame.luma, self.reel, self.bits)
        for plane, samples in zip(picture.planes, (luma, u, v), strict=True):
            _fill(plane, samples)
        picture.pts, picture.time_base = frame.pts, self.reel.time_base
        set_tags(picture, self.reel)
        self._numbers[frame.pts] = len(self._numbers)
        self._mux(self._stream.encode(picture))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.pts = self._numbers[packet.pts] * STEP
            packet.dts = (self._packets - _LATE) * STEP
            packet.duration = STEP
            packet.time_base = Fraction(1, 1000)
            self._packets += 1
            self._container.mux_one(packet)


def _sliced(reel: Reel, layout: _Layout) -> dict[str, str]:
    """FFV1's options for this size: FFmpeg refuses four slices where their chroma would not come out even.

    Its own number of slices is the next choice; for the narrowest pictures that is refused too, and level 1 has none.
    """
    usual = CODECS["ffv1"].options
    for options in (usual, usual | {"slices": "0"}, usual | {"slices": "0", "level": "1", "slicecrc": "0"}):
        context: Any = av.CodecContext.create("ffv1", "w")
        context.width, context.height, context.pix_fmt = reel.width, reel.height, layout.name
        context.time_base, context.options = reel.time_base, options
        with contextlib.suppress(av.error.FFmpegError):
            context.open()
            return options
    return usual


def set_tags(thing: Any, reel: Reel) -> None:
    """Range, matrix, primaries and transfer, on a frame or a codec's context."""
    thing.color_range = FULL if reel.full_range else LIMITED
    thing.colorspace = CODES[reel.matrix]
    thing.color_primaries = reel.primaries
    thing.color_trc = reel.transfer


def _fill(plane: Any, samples: Codes) -> None:
    if samples.shape != (plane.height, plane.width):
        raise ValueError(f"samples of {samples.shape}, where the plane has {(plane.height, plane.width)}")
    kind = samples.dtype.newbyteorder("<")
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
    rows[:, : plane.width * kind.itemsize].view(kind)[:] = samples


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """What FFmpeg or the disk refuse becomes a `WriteError` that names the file."""
    with told(path):
        try:
            yield
        except OSError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            raise WriteError(f"{path}: cannot be written: {error}; choose another --codec or container") from error


def _is_there(encoder: str) -> bool:
    try:
        av.codec.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
