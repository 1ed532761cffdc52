"""What a film is: its first picture stream, and how its samples are to be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from chromagan.errors import ReadError, UsageError
from chromagan.film.library import av
from chromagan.film.luma import bits_of, is_known, is_rgb

Matrix = Literal["bt601", "bt709", "bt2020"]

# The numbers of ISO/IEC 23091-2, as FFmpeg has them.
UNTAGGED = 2
MATRICES: dict[int, Matrix] = {1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020", 10: "bt2020"}
CODES: dict[Matrix, int] = {"bt601": 6, "bt709": 1, "bt2020": 9}
_HDR = {16: "PQ", 18: "HLG"}
LIMITED, FULL = 1, 2

COVERS = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails

# What these decoders call gray is 4:0:0 of a standard in which untagged means limited range.
_LIMITED_GRAY = ("h264", "hevc", "av1", "vp9", "mpeg2video", "mpeg1video", "mpeg4")


@dataclass(frozen=True)
class Reel:
    """A film's first picture stream, before its frames are decoded.

    Attributes:
        path: the file.
        stream: index of the stream in the file.
        width: columns as coded, before rotation.
        height: rows.
        pixels: name of its pixel format, such as "yuv420p10le".
        bits: of a sample of Y, as it is read and as it is written.
        shift: log2 of how much smaller chroma is than luma, (x, y), of what is written; (1, 1) for 4:2:0.
        full_range: whether Y goes from 0 to 2^bits - 1, rather than from 16 to 235 in 8 bits.
        matrix: how R, G and B make Y, Cb, Cr.
        primaries: colour primaries by ISO/IEC 23091-2; 2 is untagged.
        transfer: transfer characteristics, by the same.
        time_base: seconds of one tick of `pts`.
        rate: frames a second on the whole.
        rotation: degrees counter-clockwise by which a player turns it.
        display: FFmpeg's display matrix, nine numbers; empty for none.
        aspect: width of a pixel over its height; 0 where the film does not say.
        field_order: of interlaced material, FFmpeg's number; 0 unknown, 1 progressive.
        seconds: how long it says that it is; None where it does not.
        codec: what it was encoded with, FFmpeg's name.
        intra: whether each of its frames stands alone.
        origin: stamp of its first frame, in ticks of `time_base`; times that people give count from there.
        span: stamps from which on, and up to which, it is taken; None for its beginning and its end.
        notes: lines for the user.
    """

    path: Path
    stream: int
    width: int
    height: int
    pixels: str
    bits: int
    shift: tuple[int, int]
    full_range: bool
    matrix: Matrix
    primaries: int
    transfer: int
    time_base: Fraction
    rate: Fraction
    rotation: int
    display: tuple[int, ...]
    aspect: Fraction
    field_order: int
    seconds: float | None
    codec: str
    intra: bool
    origin: int = 0
    span: tuple[int | None, int | None] = (None, None)
    notes: tuple[str, ...] = ()

    @property
    def is_rgb(self) -> bool:
        """Whether the film has no Y of its own."""
        return is_rgb(av.VideoFormat(self.pixels))

    @property
    def frame_bytes(self) -> int:
        """Of one frame's luma."""
        return self.width * self.height * (1 if self.bits <= 8 else 2)

    @property
    def expected_frames(self) -> int | None:
        """How many there will be, as far as the file says."""
        if self.seconds is None:
            return None
        begin, end = (None if tick is None else float((tick - self.origin) * self.time_base) for tick in self.span)
        return max(1, round((min(self.seconds, end or self.seconds) - (begin or 0)) * self.rate))

    def seconds_at(self, pts: int) -> float:
        """The time of a stamp, counted from the film's first frame."""
        return float((pts - self.origin) * self.time_base)

    def clip(self, start: float | None, stop: float | None) -> Reel:
        """The stretch of it between two times in seconds, counted from its first frame.

        Raises:
            UsageError: there is nothing between them.
        """
        if (start is not None and start < 0) or (stop is not None and stop <= (start or 0)):
            until = "its end" if stop is None else f"{stop:g} s"
            raise UsageError(f"{self.path}: there is nothing from {start or 0:g} s to {until}")
        if start is not None and self.seconds is not None and start >= self.seconds:
            raise UsageError(f"{self.path}: it ends after {self.seconds:g} s, before {start:g} s")
        begin, end = (None if time is None else self.origin + round(time / self.time_base) for time in (start, stop))
        return replace(self, span=(begin, end))


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[Any]:
    """A film open for reading; what FFmpeg or the disk refuse becomes a `ReadError` that names it."""
    path = Path(path)
    try:
        # An absolute path is never taken for an address; names and texts that are no Unicode come through as they are.
        container = av.open(str(path.absolute()), metadata_errors="surrogateescape")
    except FileNotFoundError as error:
        raise ReadError(f"{path}: there is no such file; check the name") from error
    except IsADirectoryError as error:
        raise ReadError(f"{path}: a folder, not a film; give a file") from error
    except PermissionError as error:
        raise ReadError(f"{path}: no permission to read it; change its mode") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ReadError(f"{path}: not a film that FFmpeg can read ({_words(error)}); convert it first") from error
    with container:
        yield container


def open_reel(path: str | Path) -> Reel:
    """Look at a film: its first frame is decoded, for what only frames say.

    Raises:
        ReadError: missing, no film, no picture stream, no frame that decodes, a format that is not read.
    """
    path = Path(path)
    with opened(path) as container:
        stream = picture_stream(container, path)
        frame = _first_frame(container, stream, path)
        return _reel(path, container, stream, frame)


def picture_stream(container: Any, path: Path) -> Any:
    """The first picture stream that is no cover picture; `ReadError` where there is none."""
    names = container.format.name
    if names.endswith("_pipe") or names == "image2":
        raise ReadError(f"{path}: a photo, not a film; use chromagan sample")
    for stream in container.streams.video:
        if not stream.disposition & COVERS:
            if stream.codec_context is None:
                raise ReadError(f"{path}: its codec is not known to this FFmpeg; convert the film first")
            return stream
    raise ReadError(f"{path}: there is no picture stream in it; give a film")


def _first_frame(container: Any, stream: Any, path: Path) -> Any:
    for packet in container.demux(stream):
        with contextlib.suppress(av.error.FFmpegError):
            for frame in packet.decode():
                return frame
    raise ReadError(f"{path}: none of its frames can be decoded; the file is damaged or empty")


def _reel(path: Path, container: Any, stream: Any, frame: Any) -> Reel:
    format, context = frame.format, stream.codec_context
    if not is_known(format):
        raise ReadError(f"{path}: pixels as {format.name} are not read; convert it first, to yuv420p say")
    transfer = _tag(frame.color_trc, context.color_trc)
    if transfer in _HDR:
        raise ReadError(f"{path}: an HDR film ({_HDR[transfer]}), not coloured as such; convert it to SDR first")
    notes: list[str] = []
    rate = stream.average_rate or stream.guessed_rate or Fraction(24)
    matrix = _matrix(_tag(frame.colorspace, context.colorspace), frame.height, is_rgb(format), path, notes)
    if any(component.is_alpha for component in format.components):
        notes.append(f"{path}: its transparency is left out")
    if context.field_order > 1 or frame.interlaced_frame:
        notes.append(f"{path}: interlaced; its frames are kept as they are, two fields in each, and flagged so")
    return Reel(
        path=path,
        stream=stream.index,
        width=frame.width,
        height=frame.height,
        pixels=format.name,
        bits=bits_of(format),
        shift=_shift(format),
        full_range=_full_range(frame, context, format),
        matrix=matrix,
        primaries=_tag(frame.color_primaries, context.color_primaries),
        transfer=transfer,
        time_base=stream.time_base,
        rate=Fraction(rate),
        rotation=frame.rotation,
        display=_display(frame),
        aspect=Fraction(stream.sample_aspect_ratio or 0),
        field_order=context.field_order,
        seconds=_seconds(container, stream),
        codec=context.codec.canonical_name,
        intra=bool(context.codec.intra_only) if hasattr(context.codec, "intra_only") else False,
        origin=int(frame.pts or 0),
        notes=tuple(notes),
    )


def _tag(*values: int) -> int:
    """The first number that says something."""
    return next((int(value) for value in values if int(value) not in (UNTAGGED, 0)), UNTAGGED)


def _matrix(code: int, height: int, rgb: bool, path: Path, notes: list[str]) -> Matrix:
    if rgb:
        notes.append(f"{path}: RGB; Y is computed once (bt601 in full range) and kept as it is from there on")
        return "bt601"
    if code in MATRICES:
        return MATRICES[code]
    matrix: Matrix = "bt601" if height < 720 else "bt709"
    notes.append(f"{path}: the film does not say its colour matrix; taken as {matrix} by its height, and tagged so")
    return matrix


def _full_range(frame: Any, context: Any, format: Any) -> bool:
    tagged = _tagged_range(frame) or _tagged_range(context)
    if tagged:
        return tagged == FULL
    if is_rgb(format) or format.name.startswith("yuvj"):
        return True
    gray = len([part for part in format.components if not part.is_alpha]) == 1
    return gray and context.codec.canonical_name not in _LIMITED_GRAY


def _tagged_range(thing: Any) -> int:
    return int(thing.color_range or 0)


def _shift(format: Any) -> tuple[int, int]:
    """Of a pixel format; 4:2:0 for gray and RGB, which have no chroma planes."""
    if is_rgb(format) or len(format.components) < 3:
        return 1, 1
    x, y = 64 // format.chroma_width(64), 64 // format.chroma_height(64)
    return x.bit_length() - 1, y.bit_length() - 1


def _display(frame: Any) -> tuple[int, ...]:
    data = frame.side_data.get("DISPLAYMATRIX")
    return tuple(memoryview(bytes(data)).cast("i")) if data is not None else ()


def _seconds(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _words(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())
