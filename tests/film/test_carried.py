"""What a film holds beside its pictures comes through, or a line says that it did not."""

import contextlib
from fractions import Fraction

import av
import numpy as np
import pytest

from chromagan.film.part import Coding
from chromagan.film.reel import open_reel
from tests.film.coloured import colour
from tests.film.reels import add_tone, make, packets, picture

SRT = ((500, 1300, "Hello <i>there</i>"), (1800, 900, "Second"), (2800, 400, "Third"))
CHAPTERS = ((0, 1000, "One"), (1000, 2500, "Two"), (2500, 3000, "Three"))
FONT = bytes(range(256)) * 20


def rich(path, subtitles="subrip", attach=True, cover=False):
    """72 frames with two sounds, subtitles, chapters, words; in Matroska an attachment too."""

    def before(film, stream):
        film.set_chapters([
            {"id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
            for number, (start, end, title) in enumerate(CHAPTERS)
        ])  # fmt: skip
        first, second = film.add_stream("aac", rate=48000), film.add_stream("ac3", rate=48000)
        second.metadata["language"] = "fra"
        second.disposition = int(av.stream.Disposition.comment)
        words = film.add_mux_stream(subtitles, time_base=Fraction(1, 1000))
        words.metadata["language"] = "deu"
        if attach:
            film.add_attachment("old.ttf", "font/ttf", FONT)
        art = None
        if cover:
            art = film.add_stream("png", rate=1, width=32, height=32, pix_fmt="gray")
            art.disposition = int(av.stream.Disposition.attached_pic)
            frame = picture(np.full((32, 32), 90, np.uint8), "gray")
            frame.pts = 0
            film.mux([*art.encode(frame), *art.encode(None)])
        for start, length, text in SRT:
            data = text.encode()
            packet = av.Packet(data if subtitles == "subrip" else len(data).to_bytes(2, "big") + data)
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = length, Fraction(1, 1000), words
            film.mux(packet)
        for tone in (first, second):
            add_tone(film, tone, 3)

    metadata = {"title": "An old film", "artist": "Somebody", "comment": "scanned in 1999", "camera": "Bolex"}
    make(path, count=72, metadata=metadata, before=before)
    return path


def told(path):
    """(kind, codec, language, disposition) of each stream, metadata and chapters."""
    with av.open(str(path)) as film:
        streams = [
            (stream.type, stream.codec_context.name if stream.codec_context else stream.name,
             stream.metadata.get("language"), int(stream.disposition))
            for stream in film.streams
        ]  # fmt: skip
        chapters = [(float(part["start"] * part["time_base"]), float(part["end"] * part["time_base"]), part["metadata"])
                    for part in film.chapters()]  # fmt: skip
        return streams, {name.lower(): text for name, text in film.metadata.items()}, chapters


def test_matroska_keeps_all(tmp_path):
    source, output = rich(tmp_path / "source.mkv"), tmp_path / "film.mkv"
    lines, _, _ = colour(source, output, cuts=(30,))
    assert lines == []
    (streams, words, chapters), (streams_before, words_before, chapters_before) = told(output), told(source)
    assert streams[1:] == streams_before[1:]
    assert [stream[0] for stream in streams] == ["video", "audio", "audio", "subtitle", "attachment"]
    assert (
        chapters == chapters_before == [(start / 1000, end / 1000, {"title": title}) for start, end, title in CHAPTERS]
    )
    assert {**words, "encoder": 0, "comment": 0} == {**words_before, "encoder": 0, "comment": 0}
    assert words["comment"].startswith("scanned in 1999 | Coloured by chromagan")
    for kind, number in (("audio", 0), ("audio", 1), ("subtitles", 0)):
        assert packets(output, kind, number) == packets(source, kind, number)
    with av.open(str(output)) as film:
        assert film.streams.attachments[0].data == FONT


def test_what_mp4_cannot_hold_is_told(tmp_path):
    source, output = rich(tmp_path / "source.mkv"), tmp_path / "film.mp4"
    lines, _, _ = colour(source, output, Coding("h264"))
    assert [line.removeprefix(f"{output}: ") for line in lines] == [
        "stream 3 (subtitle, srt, deu) is left out: mp4 cannot hold it",
        "stream 4 (attachment, old.ttf) is left out: mp4 cannot hold it",
        "metadata that its container cannot hold: CAMERA",
    ]
    kinds = [stream[:2] for stream in told(output)[0]]
    assert kinds == [("video", "h264"), ("audio", "aac"), ("audio", "ac3"), ("data", "bin_data")]  # the chapters' list
    assert told(output)[2] == told(source)[2]
    for number in (0, 1):
        sound, kept = packets(source, "audio", number), packets(output, "audio", number)
        assert [data for _, data in kept] == [data for _, data in sound]
        assert max(abs(early - late) for (early, _), (late, _) in zip(kept, sound, strict=True)) < Fraction(1, 1000)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_mp4_and_its_subtitles_and_cover(tmp_path, suffix):
    source, output = tmp_path / f"source{suffix}", tmp_path / f"film{suffix}"
    rich(source, "mov_text", attach=False, cover=suffix == ".mp4")
    lines, _, _ = colour(source, output, Coding("h264"))
    assert lines == []
    assert sorted(told(output)[0]) == sorted(told(source)[0])
    assert told(output)[2] == told(source)[2]
    assert packets(output, "subtitles") == packets(source, "subtitles")
    if suffix == ".mp4":
        with av.open(str(source)) as one, av.open(str(output)) as two:
            pictures = [next(bytes(packet) for packet in film.demux(film.streams.video[-1])) for film in (one, two)]
        assert pictures[0] == pictures[1] != b""


def test_a_cover_of_an_mp4_becomes_an_attachment_of_matroska(tmp_path):
    source, output = rich(tmp_path / "source.mp4", "mov_text", attach=False, cover=True), tmp_path / "film.mkv"
    lines, _, _ = colour(source, output)
    assert any("mov_text" in line and "matroska cannot hold it" in line for line in lines)
    with av.open(str(output)) as film:
        cover = film.streams.video[1]
        assert cover.disposition & av.stream.Disposition.attached_pic
        assert (cover.codec_context.name, cover.metadata["filename"]) == ("png", "cover.png")
    assert open_reel(output).width == 96
    again = tmp_path / "again.mkv"
    assert colour(output, again)[0] == []
    assert told(again)[0] == told(output)[0]


def test_a_stretch_cuts_sounds_subtitles_and_chapters_alike(tmp_path):
    source, output = rich(tmp_path / "source.mkv"), tmp_path / "film.mkv"
    colour(source, output, seconds=(1.0, 2.25))
    words = [(float(time), data.decode()) for time, data in packets(output, "subtitles")]
    assert words == [(0, "Hello <i>there</i>"), (0.8, "Second")]
    with av.open(str(output)) as film:
        lengths = [packet.duration for packet in film.demux(film.streams.subtitles[0]) if packet.size]
    assert lengths == [800, 900]
    assert told(output)[2] == [(0, pytest.approx(1.25, abs=0.001), {"title": "Two"})]
    for number in (0, 1):
        whole, kept = packets(source, "audio", number), packets(output, "audio", number)
        assert [data for _, data in kept] == [data for time, data in whole if 1 <= time < 2.25]
        assert 0 <= kept[0][0] < Fraction(1, 20)


def wide(aspect):
    return lambda film, stream: setattr(stream.codec_context, "sample_aspect_ratio", aspect)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("degrees", [90, 180])
def test_rotation_aspect_and_fields_are_kept(tmp_path, suffix, degrees):
    source, output = tmp_path / "source.mp4", tmp_path / f"film{suffix}"
    tags = {"color_range": 2, "colorspace": 5, "color_primaries": 5, "color_trc": 1}
    make(source, count=5, display=degrees, tags=tags, options={"x264-params": "tff=1"}, before=wide(Fraction(16, 15)))
    lines, reel, _ = colour(source, output, Coding("h264"))
    assert lines == []
    found = open_reel(output)
    assert abs(found.rotation) == abs(reel.rotation) == degrees
    assert found.display == reel.display
    assert (found.aspect, found.field_order) == (Fraction(16, 15), 2)
    assert (found.full_range, found.matrix, found.primaries, found.transfer) == (True, "bt601", 5, 1)


def test_a_tag_that_does_not_come_through_is_told(tmp_path):
    source, output = tmp_path / "source.mp4", tmp_path / "film.mkv"
    make(source, count=3, before=wide(Fraction(2, 1)))
    lines, _, _ = colour(source, output, Coding("av1"))
    assert lines == [f"{output}: its container, with this codec, does not say the film's pixel aspect"]


def test_films_without_sound_and_with_names_that_are_no_unicode(tmp_path):
    source = tmp_path / "source.mkv"
    make(source, count=3, metadata={"title": "Zürich"})
    data = source.read_bytes().replace("Zürich".encode(), b"Z\xfcrich\x20")
    source.write_bytes(data)
    output = tmp_path / "film.mkv"
    assert colour(source, output)[0] == []
    assert b"Z\xfcrich" in output.read_bytes()
    with av.open(str(output), metadata_errors="surrogateescape") as film:
        assert [stream.type for stream in film.streams] == ["video"]


def test_a_second_picture_stream_is_carried_as_it_is(tmp_path):
    source, output = tmp_path / "source.mkv", tmp_path / "film.mkv"
    make(tmp_path / "one.mkv", count=10)
    make(tmp_path / "two.mkv", count=10, size=(64, 48), options={"bf": "0"})
    with av.open(str(source), "w") as film, contextlib.ExitStack() as stack:
        films = [stack.enter_context(av.open(str(tmp_path / name))) for name in ("one.mkv", "two.mkv")]
        copies = [film.add_stream_from_template(part.streams.video[0], opaque=True) for part in films]
        for part, copy in zip(films, copies, strict=True):
            for packet in part.demux(video=0):
                if packet.size:
                    packet.stream = copy
                    film.mux(packet)
    assert colour(source, output)[0] == []
    assert packets(output, "video", 1) == packets(source, "video", 1)
    assert open_reel(output).width == 96


def test_damaged_sound_never_stops_a_film(tmp_path):
    source, output = tmp_path / "source.ts", tmp_path / "film.mkv"
    make(source, count=48, sound="mp2")
    data = bytearray(source.read_bytes())
    random = np.random.default_rng(4)
    for place in random.integers(len(data) // 10, len(data), 60):
        data[place : place + 30] = random.bytes(30)
    source.write_bytes(data[: len(data) // 188 * 188])
    colour(source, output)
    assert len(packets(output, "video")) > 30
    assert len(packets(output, "audio")) > 20
