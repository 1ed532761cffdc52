"""What a film holds beside its pictures: sound, subtitles, attachments, chapters, words."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from chromagan.film.frames import Clock, packets
from chromagan.film.library import av
from chromagan.film.reel import COVERS, Reel, open_reel, opened

# What containers say of themselves, which is not true of another.
_OWN = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "vendor_id", "bps",
        "number_of_frames", "number_of_bytes", "rotate")  # fmt: skip


_TAGS = {
    "aspect": "pixel aspect", "display": "rotation", "full_range": "range", "matrix": "colour matrix",
    "primaries": "colour primaries", "transfer": "transfer", "field_order": "order of fields",
}  # fmt: skip


@dataclass
class Carried:
    """Streams of the output by the number of the source's stream, and lines on those that it cannot hold.

    `edits`: whether the output can say that some of the sound is not to be heard, as MP4's edit lists do. Elsewhere
    what the source hides is left out, but for the one packet that decoding needs for the next.
    """

    edits: bool
    streams: dict[int, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: dict[int, int] = field(default_factory=dict)

    def packets(self, source: Any, shift: Fraction, stop: float | None) -> Iterator[Any]:
        """Their packets as they are, in the order of the file, earlier by `shift` seconds; none after `stop`.

        Of subtitles that are up at the shift the rest is kept; sound that begins before is left out.
        """
        wanted = [source.streams[number] for number, copy in self.streams.items() if copy.type != "attachment"]
        clocks = {stream.index: Clock(1, round(1 / stream.time_base)) for stream in wanted}
        for packet in packets(source, wanted) if wanted else ():
            if packet is None:
                return
            origin = packet.stream
            said = packet.dts if packet.dts is not None else packet.pts
            if origin.disposition & COVERS:
                pts = dts = said or 0
            elif said is None or (packet.size == 2 and origin.name == "mov_text"):  # MP4's writer marks ends itself
                continue
            else:
                dts = said if origin.type == "subtitle" else clocks[origin.index](said)
                pts = packet.pts + dts - said if packet.pts is not None else dts
                begin = round(shift / packet.time_base)
                end = None if stop is None else round(stop / packet.time_base)
                if begin and origin.type == "subtitle" and pts < begin < pts + (packet.duration or 0):
                    packet.duration -= begin - pts
                    pts = dts = begin
                if (begin and pts < begin) or (end is not None and pts >= end):
                    continue
                if packet.is_discard and not self.edits and pts + 2 * (packet.duration or 0) <= begin:
                    continue
                pts, dts = pts - begin, dts - begin
            packet.pts, packet.dts = pts, dts
            packet.stream = self.streams[origin.index]
            yield packet

    def write(self, packet: Any, written: Any, film: Any) -> None:
        """Write a packet; of other streams than the film, one that the container refuses is counted and left out."""
        stream = packet.stream
        try:
            written.mux_one(packet)
        except (av.error.ArgumentError, av.error.InvalidDataError):
            if stream is film:
                raise
            self.left_out[stream.index] = self.left_out.get(stream.index, 0) + 1

    def refused(self, output: Path) -> list[str]:
        """Lines on packets that were left out."""
        return [f"{output}: {count} packets of stream {number} are left out: they are damaged or out of order"
                for number, count in self.left_out.items()]  # fmt: skip


def carry_over(source: Any, written: Any, reel: Reel, output: Path) -> Carried:
    """A stream in the output for each of the source's but the film's own, where its container can hold it."""
    carried = Carried(edits=written.format.name in ("mp4", "mov"))
    for stream in source.streams:
        if stream.index == reel.stream or _is_list_of_chapters(stream, source):
            continue
        trial = av.open(io.BytesIO(), "w", format=written.format.name)
        try:
            _copy(stream, trial, reel)
            trial.start_encoding()
            carried.streams[stream.index] = _copy(stream, written, reel)
        except (ValueError, av.error.FFmpegError):
            carried.notes.append(f"{output}: {_name(stream)} is left out: {written.format.name} cannot hold it")
    return carried


def _copy(stream: Any, written: Any, reel: Reel) -> Any:
    words = words_of(stream)
    if stream.type == "attachment":
        copy = written.add_attachment(stream.name or "", stream.mimetype or "", stream.data)
    elif stream.disposition & COVERS and written.format.name == "matroska":  # where covers are attachments
        kind = {"mjpeg": "jpeg"}.get(stream.codec_context.name, stream.codec_context.name)
        name, mime = words.pop("filename", f"cover.{kind}"), words.pop("mimetype", f"image/{kind}")
        copy = written.add_attachment(name, mime, _cover(reel, stream.index))
    else:
        copy = written.add_stream_from_template(stream, opaque=True)
        copy.disposition = int(stream.disposition)
    copy.metadata.update(words)
    return copy


def _cover(reel: Reel, number: int) -> bytes:
    """A cover picture, as it is in the file."""
    with opened(reel.path) as source:
        return next((bytes(packet) for packet in packets(source, [source.streams[number]]) if packet is not None), b"")


def _is_list_of_chapters(stream: Any, source: Any) -> bool:
    """MP4's text track of chapters, which its writer makes anew."""
    return stream.type == "data" and stream.name == "bin_data" and bool(source.chapters())


def _name(stream: Any) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else stream.name
    language = stream.metadata.get("language")
    return f"stream {stream.index} ({stream.type}{f', {codec}' if codec else ''}{f', {language}' if language else ''})"


def words_of(thing: Any) -> dict[str, str]:
    """Metadata of a film or a stream that is true in another file too."""
    kept = {name: text for name, text in thing.metadata.items() if not name.lower().startswith("_statistics_")}
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


def lost(output: Path, reel: Reel, said: dict[str, str], begin: Fraction) -> list[str]:
    """Lines on what did not come through, as reading the output shows.

    Args:
        output: the film.
        reel: the source.
        said: metadata that was to be in it.
        begin: seconds at which its first frame was to stand.
    """
    found = open_reel(output)
    with opened(output) as container:
        there = {name.lower() for name in container.metadata}
        first = next(iter(packets(container, [container.streams[found.stream]])))
        begins = first.pts * first.time_base if first is not None else begin
    lines = []
    if words := sorted(name for name in said if name.lower() not in there):
        lines.append(f"metadata that its container cannot hold: {', '.join(words)}")
    if tags := [name for name in _TAGS if _tag(found, name) != _tag(reel, name)]:
        lines.append(
            f"its container, with this codec, does not say the film's {', '.join(_TAGS[name] for name in tags)}"
        )
    if abs(begins - begin) > Fraction(2, 1000):
        lines.append(
            f"all times are {float(begins - begin):+.3f} s from the source's: its container has no negative ones"
        )
    return [f"{output}: {line}" for line in lines]


def _tag(reel: Reel, name: str) -> Any:
    value = getattr(reel, name)
    return value or 1 if name in ("aspect", "field_order") else value
