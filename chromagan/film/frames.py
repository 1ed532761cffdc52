"""The frames of a film, exact and in the order of showing, from any of them on."""

from __future__ import annotations

import contextlib
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from chromagan.film.library import av
from chromagan.film.luma import bits_of, is_rgb, luma_of
from chromagan.film.reel import Reel, opened

# Seconds before the wanted frame to which is sought; then the film is decoded from its beginning.
_BACK = (0, 3, 15, 60)


@dataclass
class Frame:
    """One frame.

    Attributes:
        index: its number in the order of showing, from 0.
        pts: when it is shown, in ticks of the reel's `time_base`; strictly rising.
        luma: (H, W) uint8, or uint16 with the sample in the low bits.
        damaged: decoded with errors, or after data that could not be decoded, or of another size or depth than the film
            and brought to it.
    """

    index: int
    pts: int
    luma: NDArray[Any]
    damaged: bool = False

    @property
    def check(self) -> int:
        """A number that tells this frame from others: of every eighth line."""
        return zlib.crc32(self.luma[::8].tobytes())


class _Astray(Exception):  # noqa: N818 (a finding, never seen outside)
    """After seeking, other frames came than from the beginning."""


def frames(
    reel: Reel,
    start: int = 0,
    stop: int | None = None,
    pts: Sequence[int] | None = None,
    checks: Sequence[int] | None = None,
) -> Iterator[Frame]:
    """Decode a stretch of a film.

    The same frames come as when the film is decoded from its beginning; where seeking would give others, that is what
    happens, and it takes as long.

    Args:
        reel: the film.
        start: the first frame's number.
        stop: one beyond the last; None goes to the end.
        pts: of all frames, as an earlier pass from the beginning gave them. Without them nothing is sought.
        checks: `Frame.check` of all frames, of the same pass. With them every frame is compared.

    Raises:
        ReadError: the file cannot be opened any more.
    """
    stop = (len(pts) if pts is not None else None) if stop is None else stop
    if stop is not None and start >= stop:
        return
    if pts is not None and start > 0:
        for back in _BACK:
            try:
                for frame in _sought(reel, start, stop or len(pts), pts, checks, back):
                    yield frame
                    start = frame.index + 1
                return
            except _Astray:
                continue
    for frame in _counted(reel):
        if stop is not None and frame.index >= stop:
            return
        if frame.index >= start:
            yield frame


def _counted(reel: Reel) -> Iterator[Frame]:
    """All frames from the beginning, or those in the reel's span."""
    clock = Clock(max(1, round(1 / (reel.rate * reel.time_base))), round(1 / reel.time_base))
    (begin, end), index = reel.span, 0
    with opened(reel.path) as container:
        stream = container.streams[reel.stream]
        if begin is not None:
            with contextlib.suppress(av.error.FFmpegError):  # it is decoded from its beginning then
                container.seek(begin, stream=stream)
        stamp = stamper(container)
        for frame, damaged in decoded(container, stream):
            said = stamp(frame)
            if begin is not None and (said is None or said < begin):
                continue
            if end is not None and said is not None and said >= end:
                return
            yield _frame(reel, index, clock(said), frame, damaged)
            index += 1


class Clock:
    """Stamps that rise, whatever a file says.

    Args:
        step: ticks from one frame or packet to the next, where the file does not say.
        second: ticks of a second. A film that goes back by more has been put together of several; it goes on.
    """

    def __init__(self, step: int, second: int) -> None:
        self.step, self.second = step, second
        self.last: int | None = None
        self.ahead = 0

    def __call__(self, said: int | None) -> int:
        """The next stamp, of what the file says."""
        if self.last is None:
            self.last = said or 0
        elif said is None:
            self.last += self.step
        else:
            if said + self.ahead < self.last - self.second:
                self.ahead = self.last + self.step - said
            self.last = max(said + self.ahead, self.last + 1)
        return self.last


def _sought(
    reel: Reel, start: int, stop: int, pts: Sequence[int], checks: Sequence[int] | None, back: float
) -> Iterator[Frame]:
    """Frames from `start` on, after seeking; `_Astray` at the first that is another than from the beginning."""
    target = pts[start] - round(back / reel.time_base)
    if target <= pts[0]:
        raise _Astray
    with opened(reel.path) as container:
        stream = container.streams[reel.stream]
        try:
            container.seek(target, stream=stream)
        except av.error.FFmpegError as error:
            raise _Astray from error
        stamp = stamper(container)
        index: int | None = None
        for frame, damaged in decoded(container, stream):
            said = stamp(frame)
            if index is None:  # what comes before the first key frame may lack what it was predicted from
                if not frame.key_frame or said is None:
                    continue
                index = bisect_left(pts, said)
                if index > start:
                    raise _Astray
            else:
                index += 1
            if index >= len(pts) or said != pts[index]:
                raise _Astray
            if index < start:
                continue
            found = _frame(reel, index, said, frame, damaged)
            if checks is not None and found.check != checks[index]:
                raise _Astray
            yield found
            if index + 1 == stop:
                return
    raise _Astray


def decoded(container: Any, stream: Any) -> Iterator[tuple[Any, bool]]:
    """(frame, damaged) of all that decodes from where the container stands."""
    # Not by frames: several threads conceal errors in another way each time.
    stream.thread_type = "SLICE"
    shaken = False
    complaints = _complaints(stream.codec_context.name)
    for packet in packets(container, [stream]):
        before = complaints()
        try:
            found = stream.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            shaken = True
            continue
        for frame in found:
            broken = frame.is_corrupt or (packet is not None and packet.is_corrupt) or complaints() != before
            yield frame, shaken or broken
            shaken = False


def _complaints(codec: str) -> Callable[[], int]:
    """A count of the errors of which a decoder speaks where its frames do not: FFV1's sums that do not fit."""
    if codec != "ffv1":
        return lambda: 0
    if av.logging.get_level() is None:
        av.logging.set_level(av.logging.PANIC)  # errors are counted from there on, and not printed

    def count() -> int:
        errors, last = av.logging.get_last_error()
        return errors if last is not None and last[1] == codec else 0

    return count


def packets(container: Any, streams: list[Any]) -> Iterator[Any]:
    """Packets in the order of the file, as far as it can be read; at last None."""
    found = container.demux(streams)
    while True:
        try:
            packet = next(found, None)
        except (av.error.FFmpegError, IndexError):  # the file ends in the middle, or shows streams that were not there
            packet = None
        if packet is None or (packet.pts is None and packet.dts is None and not packet.size):  # by which PyAV ends
            break
        if packet.size:  # in AVI, of no size are those that show the frame before again
            yield packet
    yield None


def _frame(reel: Reel, index: int, pts: int, frame: Any, damaged: bool) -> Frame:
    alike = (frame.width, frame.height, bits_of(frame.format), is_rgb(frame.format))
    if alike != (reel.width, reel.height, reel.bits, reel.is_rgb):
        frame, damaged = frame.reformat(reel.width, reel.height, reel.pixels), True
    return Frame(index, pts, luma_of(frame, reel.matrix), damaged)


def stamper(container: Any) -> Callable[[Any], int | None]:
    """How frames are stamped: AVI numbers packets as they are decoded, and what FFmpeg makes of it is not in order."""
    if container.format.name == "avi":
        return lambda frame: frame.dts
    return lambda frame: frame.pts if frame.pts is not None else frame.dts
