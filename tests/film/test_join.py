"""Parts become a film with the source's stamps, sound and words."""

import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from chromagan.errors import UsageError, WriteError
from chromagan.film.frames import frames
from chromagan.film.join import check_output, join
from chromagan.film.mark import read_provenance
from chromagan.film.part import Coding, fitted
from chromagan.film.reel import open_reel
from tests.film.coloured import LOSSLESS, MARK, colour, write_parts
from tests.film.reels import make, packets, shown

CODINGS = (("h264", ".mp4"), ("h265", ".mkv"), ("av1", ".mp4"), ("ffv1", ".mkv"), ("prores", ".mov"))
VARIABLE = [0, 1, 2, 5, 6, 11, 12, 13, 30, 31, 33, 34, 35, 36, 37, 38, 60, 61, 62, 64]  # frames of 1/24 s


def decoding_times(path):
    with av.open(str(path)) as film:
        return [packet.dts for packet in film.demux(video=0) if packet.dts is not None]


def seconds_of(path):
    return [float(time) for time, _ in shown(path)]


@pytest.mark.parametrize(("codec", "suffix"), CODINGS)
def test_a_joined_film_shows_the_frames_of_its_parts_at_the_times_of_the_source(tmp_path, codec, suffix):
    source, output = tmp_path / "source.mp4", tmp_path / f"film{suffix}"
    times = make(source, options={"g": "12", "bf": "3"})
    _, _, parts = colour(source, output, Coding(codec), cuts=(9, 10, 11, 20))
    found = list(shown(output))
    apart = [luma for part in parts for _, luma in shown(part)]
    assert [float(time) for time, _ in found] == pytest.approx([float(time) for time in times], abs=0.0005)
    assert all(np.array_equal(luma, other) for (_, luma), other in zip(found, apart, strict=True))
    stamps = decoding_times(output)
    assert all(early < late for early, late in zip(stamps, stamps[1:], strict=False))
    assert read_provenance(output) == MARK


PAIRS = {
    "h264 mp4 vfr": (".mp4", {"codec": "libx264", "sound": "aac", "vfr": True}, ".mp4", "h264"),
    "h264 mkv vfr": (".mkv", {"codec": "libx264", "sound": "ac3", "vfr": True}, ".mkv", "h265"),
    "h265 mp4 10 bit": (".mp4", {"codec": "libx265", "sound": "aac", "pixels": "yuv420p10le"}, ".mp4", "h265"),
    "mpeg2 ts": (".ts", {"codec": "mpeg2video", "sound": "mp2", "rate": 25, "options": {"bf": "2"}}, ".mkv", "h264"),
    "mpeg4 avi": (".avi", {"codec": "mpeg4", "sound": "libmp3lame", "rate": 25}, ".mp4", "h264"),
    "vp9 webm vfr": (".webm", {"codec": "libvpx-vp9", "sound": "libopus", "vfr": True}, ".webm", "av1"),
    "prores mov": (".mov", {"codec": "prores_ks", "sound": "pcm_s16le", "pixels": "yuv422p10le"}, ".mov", "prores"),
    "ffv1 mkv": (".mkv", {"codec": "ffv1", "sound": "flac", "vfr": True}, ".mkv", "ffv1"),
    "av1 mp4": (".mp4", {"codec": "libsvtav1", "sound": "libopus"}, ".mp4", "av1"),
    "mjpeg avi": (".avi", {"codec": "mjpeg", "sound": "pcm_s16le", "pixels": "yuvj420p", "rate": 25}, ".mkv", "ffv1"),
    "h264 flv": (".flv", {"codec": "libx264", "sound": "aac", "vfr": True}, ".mp4", "h264"),
    "h264 ts": (".ts", {"codec": "libx264", "sound": "mp2", "vfr": True}, ".ts", "h264"),
}  # fmt: skip
TAGS = {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1}


@pytest.mark.parametrize("pair", PAIRS)
def test_stamps_sound_and_tags_of_pairs_of_container_and_codec(tmp_path, pair):
    before, how, after, codec = PAIRS[pair]
    how = dict(how)
    bits = 10 if how.get("pixels", "").endswith("10le") else 8
    rate = how.get("rate", 24)
    if how.pop("vfr", False):
        how["stamps"] = [1000 * number for number in VARIABLE]
    if "yuvj" not in how.get("pixels", ""):
        how["tags"] = TAGS
    if how["codec"] in ("mpeg2video", "mpeg4", "mjpeg"):
        how["base"] = Fraction(1, rate)
    source, output = tmp_path / f"source{before}", tmp_path / f"film{after}"
    make(source, count=20, bits=bits, **how)
    lines, reel, _ = colour(source, output, Coding(codec), cuts=(7,))

    wanted, found = seconds_of(source), seconds_of(output)
    assert len(found) == 20
    off = found[0] - wanted[0]
    # Only where a container has no times below 0 may all of them be later, sound too; and a line says so.
    assert abs(off) < 0.002 or any(f"{off:+.3f} s" in line for line in lines)
    assert [time - off for time in found] == pytest.approx(wanted, abs=0.00051)
    sound, kept = packets(source, "audio"), packets(output, "audio")
    assert [data for _, data in kept] == [data for _, data in sound]
    assert [float(time) - off for time, _ in kept] == pytest.approx([float(time) for time, _ in sound], abs=0.00051)
    result = open_reel(output)
    for name in ("full_range", "matrix", "primaries", "transfer", "aspect", "rotation", "width", "height"):
        assert getattr(result, name) == getattr(reel, name) or (name == "aspect" and result.aspect in (0, 1)), name
    assert read_provenance(output) == MARK or after == ".ts"  # which holds no comment
    # A transport stream holds no comment; nothing but AVI and MP4 calls what wrote it software.
    assert [line for line in lines if not line.endswith(("comment", "software")) and "all times" not in line] == []


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("codec", LOSSLESS)
def test_y_of_a_lossless_film_is_that_of_the_source_on_every_frame(tmp_path, codec, bits):
    source, output = tmp_path / "source.mkv", tmp_path / "film.mkv"
    make(source, "libx264", pixels="yuv420p10le" if bits == 10 else "yuv420p", bits=bits)
    colour(source, output, LOSSLESS[codec], cuts=(13,))
    pairs = list(zip(shown(source), shown(output), strict=True))
    assert len(pairs) == 30
    assert all(np.array_equal(luma, other) for (_, luma), (_, other) in pairs)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="FFmpeg's own program is the oracle")
def test_ffmpeg_itself_sees_the_same_film(tmp_path):
    source, output = tmp_path / "source.mp4", tmp_path / "film.mp4"
    make(source, stamps=[1000 * number for number in VARIABLE], sound="aac", options={"bf": "3"})
    colour(source, output, LOSSLESS["h264"], cuts=(7,))

    def seen(path):  # (stamp, sum of the Y plane) of each frame
        words = "-map 0:v -vf extractplanes=y -fps_mode passthrough -enc_time_base 1/24000 -c:v rawvideo -f framemd5 -"
        command = ["ffmpeg", "-v", "error", "-copyts", "-i", str(path), *words.split()]
        rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return [[row.split(",")[column].strip() for column in (2, 5)] for row in rows if not row.startswith("#")]

    assert len(seen(output)) == len(VARIABLE)
    assert seen(output) == seen(source)


def test_a_stretch_begins_at_0_and_its_sound_with_it(tmp_path):
    source, output = tmp_path / "source.mkv", tmp_path / "film.mkv"
    make(source, sound="ac3", count=72)
    colour(source, output, seconds=(1.0, 2.0))
    pictures, whole = seconds_of(output), seconds_of(source)
    assert pictures[0] == 0
    assert pictures == pytest.approx([time - 1 for time in whole if 1 <= time < 2], abs=0.001)
    sound = [(float(time) - 1, data) for time, data in packets(source, "audio") if 1 <= time < 2]
    kept = packets(output, "audio")
    assert [data for _, data in kept] == [data for _, data in sound]
    assert [float(time) for time, _ in kept] == pytest.approx([time for time, _ in sound], abs=0.001)


def test_names_of_outputs_are_checked_before_any_work(tmp_path):
    with pytest.raises(UsageError, match="choose one of these"):
        check_output("film.avi", "h264")
    with pytest.raises(UsageError, match=r"webm does not hold h264; choose \.mkv"):
        check_output("film.webm", "h264")
    check_output("film.MKV", "prores")


def test_parts_of_other_frames_or_another_coding_are_refused_and_nothing_is_left(tmp_path):
    source, output = tmp_path / "source.mp4", tmp_path / "film.mkv"
    make(source)
    reel = fitted(open_reel(source), Coding("h264"))
    pictures = list(frames(reel))
    stamps = [frame.pts for frame in pictures]
    parts = write_parts(tmp_path, reel, Coding("h264"), pictures, cuts=(10,))
    with pytest.raises(WriteError, match="20 frames in the parts, 30 in the film|in the film"):
        join(parts[1:], reel, stamps, output, MARK)
    with pytest.raises(WriteError, match="more frames than the film has"):
        join(parts, reel, stamps[:20], output, MARK)
    (tmp_path / "other").mkdir()
    others = write_parts(tmp_path / "other", reel, Coding("h264", preset="ultrafast"), pictures, cuts=(10,))
    with pytest.raises(WriteError, match="another way"):
        join([parts[0], others[1]], reel, stamps, output, MARK)
    assert not output.exists()
    assert not list(tmp_path.glob(".chromagan-*"))
