"""What a film holds beside its pictures: sound, subtitles, attachments, chapters, words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from chromagan.film.library import av
from chromagan.film.reel import Reel, opened

# What containers say of themselves, which is not true of another.
_OWN = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "vendor_id", "bps",
        "number_of_frames", "number_of_bytes", "rotate")  # fmt: skip


@dataclass
class Carried:
    """Streams of the output by the number of the source's stream, and lines on those that it cannot hold."""

    streams: dict[int, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def packets(self, source: Any, shift: Fraction, start: float | None, stop: float | None) -> Iterator[Any]:
        """Their packets as they are, in the order of the file, later by `-shift` seconds, between start and stop."""
        wanted = [source.streams[number] for number in self.streams if source.streams[number].type != "attachment"]
        packets = source.demux(wanted) if wanted else iter(())
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:  # the file ends in the middle
                return
            if packet is None:
                return
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None or packet.size == 0:
                continue
            stream = self.streams[packet.stream.index]
            if not packet.stream.disposition & av.stream.Disposition.attached_pic:
                begins = stamp * packet.time_base
                ends = begins + (packet.duration or 0) * packet.time_base
                if (start is not None and ends <= start) or (stop is not None and begins >= stop):
                    continue
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - ticks
            packet.dts = stamp - ticks if packet.dts is None else packet.dts - ticks
            packet.stream = stream
            yield packet


def carry_over(source: Any, written: Any, reel: Reel, output: Path) -> Carried:
    """A stream in the output for each of the source's but the film's own."""
    carried = Carried()
    for stream in source.streams:
        if stream.index == reel.stream:
            continue
        name = _name(stream)
        if stream.type not in ("audio", "subtitle", "video", "data", "attachment"):
            carried.notes.append(f"{output}: {name} is left out: nobody knows what it is")
            continue
        try:
            if stream.type == "attachment":
                copy = written.add_attachment(stream.name or "", stream.mimetype or "", stream.data)
            else:
                copy = written.add_stream_from_template(stream, opaque=True)
        except (ValueError, av.error.FFmpegError):
            carried.notes.append(f"{output}: {name} is left out: {written.format.name} cannot hold it")
            continue
        copy.disposition = int(stream.disposition)
        copy.metadata.update(words_of_stream(stream))
        carried.streams[stream.index] = copy
    return carried


def _name(stream: Any) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else stream.name
    language = stream.metadata.get("language")
    return f"stream {stream.index} ({stream.type}{f', {codec}' if codec else ''}{f', {language}' if language else ''})"


def words_of_film(source: Any) -> dict[str, str]:
    """Metadata of a film that is true of another file too."""
    return _true(source.metadata)


def words_of_stream(stream: Any) -> dict[str, str]:
    """The same of a stream."""
    return _true(stream.metadata)


def _true(metadata: dict[str, str]) -> dict[str, str]:
    kept = {name: text for name, text in metadata.items() if not name.lower().startswith("_statistics_")}
    return {name: text for name, text in kept.items() if name.lower().partition("-")[0] not in _OWN}


def chapters(source: Any, shift: Fraction, length: Fraction | None) -> list[Any]:
    """The chapters, earlier by `shift` seconds, as far as they lie in the film."""
    found = []
    for chapter in source.chapters():
        base = chapter["time_base"]
        begins, ends = (chapter[side] * base - shift for side in ("start", "end"))
        begins, ends = max(begins, Fraction(0)), min(ends, length) if length is not None else ends
        if begins < ends:
            found.append(chapter | {"start": round(begins / base), "end": round(ends / base)})
    return found


def lost_words(output: Path, said: dict[str, str]) -> list[str]:
    """A line on metadata that did not come through, as reading the output shows."""
    with opened(output) as container:
        there = {name.lower(): text for name, text in container.metadata.items()}
    lost = sorted(name for name, text in said.items() if name.lower() not in there)
    return [f"{output}: {', '.join(lost)}: metadata that its container cannot hold"] if lost else []
