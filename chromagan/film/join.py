"""Parts become a film: their pictures at the source's times, beside all else that the source holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from chromagan.errors import ReadError, UsageError, WriteError
from chromagan.files.atomic import moved_into_place, on_disk
from chromagan.film.carried import carry_over, chapters, lost, words_of
from chromagan.film.library import av
from chromagan.film.mark import joined
from chromagan.film.part import STEP, refusals, set_tags
from chromagan.film.reel import Reel, opened
from chromagan.images.metadata import ProvenanceMark

# By the ending of the output. AVI is not among them: it holds no time stamps.
CONTAINERS = {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm", ".ts": "mpegts",
              ".mts": "mpegts", ".m2ts": "mpegts"}  # fmt: skip
_HOLDS = {
    "matroska": ("h264", "h265", "av1", "ffv1", "prores"), "mp4": ("h264", "h265", "av1"),
    "mov": ("h264", "h265", "av1", "prores"), "webm": ("av1",), "mpegts": ("h264", "h265"),
}  # fmt: skip


def check_output(output: str | Path, codec: str) -> None:
    """`UsageError` where a name's ending stands for no container, or for one that cannot hold the codec."""
    output = Path(output)
    container = CONTAINERS.get(output.suffix.lower())
    if container is None:
        raise UsageError(f"{output}: films are written as {', '.join(CONTAINERS)}; choose one of these")
    if codec not in _HOLDS[container]:
        able = ", ".join(ending for ending, name in CONTAINERS.items() if codec in _HOLDS[name])
        raise UsageError(f"{output}: {container} does not hold {codec}; choose {able}, or another --codec")


def join(
    parts: Sequence[Path],
    reel: Reel,
    pts: Sequence[int],
    output: str | Path,
    mark: ProvenanceMark,
    *,
    start: float | None = None,
    stop: float | None = None,
) -> list[str]:
    """Write the film: the parts' pictures and, packet by packet, every other stream of the source.

    Args:
        parts: in order; together they hold one frame for each of `pts`.
        reel: the source.
        pts: stamps of these frames in ticks of the reel's time base, as `frames` gave them.
        output: a file that appears under its name when it is whole.
        mark: goes into the film's comment.
        start: seconds, in the film's own time: what sounds before is left out, and the result begins at 0.
        stop: seconds: what sounds from there on is left out.

    Returns:
        Lines on what the container cannot hold.

    Raises:
        WriteError: the disk refuses, or the parts are not those of these frames.
    """
    output = Path(output)
    shift = Fraction(pts[0]) * reel.time_base if start is not None else Fraction(0)
    with ExitStack() as stack:
        stack.enter_context(refusals(output))
        temporary = stack.enter_context(moved_into_place(output))
        stack.enter_context(on_disk(temporary))  # the parts are removed after it
        source = stack.enter_context(opened(reel.path))
        first = stack.enter_context(_opened_part(parts[0]))
        written = stack.enter_context(
            av.open(
                str(temporary.absolute()),
                "w",
                format=CONTAINERS[output.suffix.lower()],
                metadata_errors="surrogateescape",
            )  # fmt: skip
        )
        film = _film_stream(written, first.streams.video[0], source.streams[reel.stream], reel)
        carried = carry_over(source, written, reel, output)
        said = words_of(source)
        comment = next((name for name in said if name.lower() == "comment"), "comment")
        said[comment] = joined(said.get(comment), mark)
        written.metadata.update(said)
        length = Fraction(pts[-1]) * reel.time_base - shift + 1 / reel.rate
        written.set_chapters(chapters(source, shift, length if stop is not None else None))
        written.start_encoding()
        pictures = _Pictures(parts, reel, pts, film, shift)
        for packet in in_step(iter(pictures), carried.packets(source, shift, stop)):
            carried.write(packet, written, film)
    begin = Fraction(pts[0]) * reel.time_base - shift
    return [*carried.notes, *carried.refused(output), *lost(output, reel, said, begin)]


def _film_stream(written: Any, part: Any, source: Any, reel: Reel) -> Any:
    stream = written.add_stream_from_template(part, opaque=True)
    stream.time_base = reel.time_base
    context = stream.codec_context
    set_tags(context, reel)
    context.field_order = reel.field_order
    context.framerate = reel.rate
    if context.name == "hevc" and written.format.name in ("mp4", "mov"):
        context.codec_tag = "hvc1"  # what QuickTime plays
    if reel.aspect:
        context.sample_aspect_ratio = reel.aspect
    if reel.display:
        stream.set_display_matrix(reel.display)
    stream.disposition = int(source.disposition)
    stream.metadata.clear()
    stream.metadata.update(words_of(source))
    return stream


@dataclass
class _Pictures:
    """The packets of all parts, with the stamps of the film."""

    parts: Sequence[Path]
    reel: Reel
    pts: Sequence[int]
    stream: Any
    shift: Fraction
    header: bytes | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[Any]:
        delay = max(map(_delay, self.parts))
        shift = round(self.shift / self.reel.time_base)
        usual = max(1, round(1 / (self.reel.rate * self.reel.time_base)))
        base = count = 0
        for path in self.parts:
            with _opened_part(path) as part:
                self._same_header(path, part.streams.video[0])
                shown = 0
                for packet in _packets(part):
                    number = base + round(packet.pts * packet.time_base * 1000) // STEP
                    if number >= len(self.pts):
                        raise WriteError(f"{path}: more frames than the film has; remove the folder of parts")
                    late = count - delay
                    packet.dts = (self.pts[late] if late >= 0 else self.pts[0] + late * usual) - shift
                    packet.pts = self.pts[number] - shift
                    ends = self.pts[number + 1] if number + 1 < len(self.pts) else self.pts[number] + usual
                    packet.duration = ends - self.pts[number]
                    packet.time_base = self.reel.time_base
                    packet.stream = self.stream
                    count, shown = count + 1, shown + 1
                    yield packet
                base += shown
        if count != len(self.pts):
            raise WriteError(f"{self.parts[-1]}: {count} frames in the parts, {len(self.pts)} in the film; "
                             "remove the folder of parts")  # fmt: skip

    def _same_header(self, path: Path, stream: Any) -> None:
        header = bytes(stream.codec_context.extradata or b"")
        if self.header is None:
            self.header = header
        elif header != self.header:
            raise WriteError(f"{path}: encoded in another way than the parts before; remove the folder of parts")


@contextmanager
def _opened_part(path: Path) -> Iterator[Any]:
    with ExitStack() as stack:
        try:
            part = stack.enter_context(opened(path))
        except ReadError as error:
            raise WriteError(f"{path}: this part is damaged; the same command makes it anew") from error
        if not part.streams.video:
            raise WriteError(f"{path}: this part is damaged; the same command makes it anew")
        yield part


def frames_in(path: Path) -> int:
    """How many frames a part holds; `WriteError` where it is damaged."""
    with _opened_part(path) as part:
        return sum(1 for _ in _packets(part))


def _packets(part: Any) -> Iterator[Any]:
    return (packet for packet in part.demux(part.streams.video[0]) if packet.pts is not None)


def _delay(path: Path) -> int:
    """By how many frames decoding has to run ahead of showing."""
    with _opened_part(path) as part:
        if part.streams.video[0].codec_context.name not in ("h264", "hevc"):
            return 0
        return max(number - round(packet.pts * packet.time_base * 1000) // STEP
                   for number, packet in enumerate(_packets(part)))  # fmt: skip


def in_step(pictures: Iterator[Any], others: Iterator[Any]) -> Iterator[Any]:
    """Two rows of packets in one, by the times at which they are decoded."""
    other = next(others, None)
    for picture in pictures:
        now = picture.dts * picture.time_base
        while other is not None and other.dts * other.time_base <= now:
            yield other
            other = next(others, None)
        yield picture
    if other is not None:
        yield other
        yield from others
