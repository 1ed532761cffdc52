"""What parts are written as: Y as it is, in the layout that the codec has."""

import contextlib
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from chromagan.errors import UsageError, WriteError
from chromagan.film.frames import frames
from chromagan.film.part import CODECS, STEP, Coding, PartWriter, fitted
from chromagan.film.reel import open_reel
from tests.film.coloured import LOSSLESS, chroma, colour, write_parts
from tests.film.reels import make, shown


def film(folder, pixels="yuv420p", bits=8, size=(96, 64), count=6, **more):
    make(folder / "source.mkv", "ffv1", count=count, pixels=pixels, bits=bits, size=size, **more)
    return open_reel(folder / "source.mkv")


def planes(path):
    """All planes of the first frame of a part, by PyAV."""
    with av.open(str(path)) as part:
        frame = next(part.decode(video=0))
    deep = frame.format.components[0].bits > 8
    rows = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height] for plane in frame.planes]
    if not deep:
        return [row[:, : plane.width] for row, plane in zip(rows, frame.planes, strict=True)]
    return [row[:, : 2 * plane.width].view("<u2") for row, plane in zip(rows, frame.planes, strict=True)]


@pytest.mark.parametrize("codec", LOSSLESS)
@pytest.mark.parametrize(("pixels", "bits"), [
    ("yuv420p", 8), ("yuv422p", 8), ("yuv444p", 8), ("gray", 8), ("yuv420p10le", 10), ("yuv422p10le", 10),
    ("yuv444p10le", 10), ("gray10le", 10),
])  # fmt: skip
@pytest.mark.parametrize("size", [(96, 64), (97, 65)])
def test_all_planes_come_back_bit_for_bit(tmp_path, codec, pixels, bits, size):
    coding = LOSSLESS[codec]
    reel = fitted(film(tmp_path, pixels, bits, size), coding)
    pictures = list(frames(reel))
    part = write_parts(tmp_path, reel, coding, pictures)[0]
    assert all(np.array_equal(frame.luma, luma) for frame, (_, luma) in zip(pictures, shown(part), strict=True))
    assert all(np.array_equal(*pair) for pair in zip(planes(part)[1:], chroma(reel, bits), strict=True))
    result = open_reel(part)
    assert (result.width, result.height) == size
    assert (result.full_range, result.matrix, result.bits) == (reel.full_range, reel.matrix, bits)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (300, 3), (101, 67), (359, 291)])
def test_ffv1_takes_pictures_of_any_size(tmp_path, size):
    source, output = tmp_path / "source.mov", tmp_path / "film.mkv"
    make(source, "png", size=size, count=3, pixels="gray")
    lines, reel, parts = colour(source, output, cuts=(2,))
    assert not lines
    assert len(parts) == 2
    for (_, before), (_, after) in zip(shown(source), shown(output), strict=True):
        assert np.array_equal(before, after)
    assert reel.shift == (1, 1)


@pytest.mark.parametrize(("codec", "pixels", "size", "shift"), [
    ("h264", "yuv411p", (96, 64), (1, 0)), ("h264", "yuv410p", (96, 64), (1, 1)),
    ("h264", "yuv440p", (96, 64), (0, 0)), ("ffv1", "yuv440p", (96, 64), (0, 1)),
    ("av1", "yuv444p", (96, 64), (1, 1)), ("prores", "yuv420p", (96, 64), (1, 0)),
    ("prores", "yuv444p", (96, 64), (0, 0)), ("h265", "yuv420p", (97, 65), (0, 0)),
    ("ffv1", "yuv420p", (97, 65), (1, 1)),
])  # fmt: skip
def test_chroma_is_never_coarser_than_the_codec_needs(tmp_path, codec, pixels, size, shift):
    source = film(tmp_path, pixels, size=size)
    reel = fitted(source, Coding(codec))
    assert reel.shift == shift
    assert (len(reel.notes) > len(source.notes)) == (shift != source.shift)
    part = write_parts(tmp_path, reel, Coding(codec), list(frames(reel)))[0]
    assert open_reel(part).shift == shift
    assert (open_reel(part).width, open_reel(part).height) == size


def test_prores_holds_8_bits_four_times_as_large(tmp_path):
    reel = fitted(film(tmp_path), Coding("prores"))
    pictures = list(frames(reel))
    part = write_parts(tmp_path, reel, Coding("prores"), pictures)[0]
    for frame, (_, luma) in zip(pictures, shown(part), strict=True):
        assert np.abs(luma.astype(int) - 4 * frame.luma.astype(int)).max() < 30
    assert np.abs(planes(part)[1].astype(int) - 4 * 110).max() < 30


@pytest.mark.parametrize(("bits", "codec"), [(10, "ffv1"), (10, "h264"), (12, "h265"), (16, "ffv1")])
def test_more_bits_than_the_film_has_keep_its_y(tmp_path, bits, codec):
    reel = fitted(film(tmp_path), coding := Coding(codec, None if codec == "ffv1" else 0, bits=bits))
    pictures = list(frames(reel))
    part = write_parts(tmp_path, reel, coding, pictures)[0]
    assert open_reel(part).bits == bits
    for frame, (_, luma) in zip(pictures, shown(part), strict=True):
        assert np.array_equal(luma >> (bits - 8), frame.luma)
    assert (planes(part)[1] == 110 << (bits - 8)).all()


def test_fewer_bits_than_the_film_has_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--bits 8: .*source.mkv has 10, and all of them are kept"):
        fitted(film(tmp_path, "yuv420p10le", 10), Coding("ffv1", bits=8))
    with pytest.raises(UsageError, match="16 bits a sample are more than h264 holds"):
        fitted(film(tmp_path), Coding("h264", bits=16))


def test_what_a_codec_cannot_hold_is_refused(tmp_path):
    reel = film(tmp_path, "gray12le", 12)
    with pytest.raises(UsageError, match="12 bits a sample are more than h264 holds; use --codec ffv1"):
        fitted(reel, Coding("h264"))
    assert fitted(reel, Coding("h265")).bits == fitted(reel, Coding("ffv1")).bits == 12
    with pytest.raises(UsageError, match="odd side"):
        fitted(replace(reel, bits=8, width=97), Coding("av1"))
    with pytest.raises(UsageError, match="full range"):
        fitted(replace(reel, bits=8), Coding("prores"))


@pytest.mark.parametrize(("wrong", "words"), [
    ({"codec": "vp8"}, "choose one of h264, h265, av1, ffv1, prores"), ({"codec": "ffv1", "crf": 3}, "leave them out"),
    ({"codec": "h264", "crf": 52}, "takes 0 to 51"), ({"codec": "prores", "preset": "fast"}, "leave them out"),
    ({"codec": "h264", "preset": "quick"}, "h264 takes ultrafast, "), ({"codec": "av1", "preset": "fast"}, "takes 0"),
])  # fmt: skip
def test_codings_that_make_no_sense(wrong, words):
    with pytest.raises(UsageError, match=words):
        Coding(**wrong)


def test_a_codec_that_the_build_lacks_is_told_with_those_that_are_there(monkeypatch):
    monkeypatch.setitem(CODECS, "h265", replace(CODECS["h265"], encoder="libnone"))
    with pytest.raises(UsageError, match="this FFmpeg has no libnone; choose h264, av1, ffv1, prores"):
        Coding("h265")


def test_a_part_numbers_its_frames_and_appears_when_it_is_whole(tmp_path):
    reel = film(tmp_path, count=12)
    pictures = list(frames(reel))
    path = tmp_path / "part.mkv"
    with PartWriter(path, reel, Coding("h264")) as part:
        for frame in pictures:
            part.write(frame, *chroma(reel, part.bits))
            assert not path.exists()
    assert [int(time * 1000) for time, _ in shown(path)] == [STEP * number for number in range(12)]
    path.unlink()
    with pytest.raises(RuntimeError), PartWriter(path, reel, Coding("h264")) as part:  # noqa: PT012
        part.write(pictures[0], *chroma(reel, part.bits))
        raise RuntimeError
    assert [left.name for left in tmp_path.iterdir()] == ["source.mkv"]


def test_planes_of_a_wrong_size_are_refused(tmp_path):
    reel = film(tmp_path)
    frame = next(iter(frames(reel)))
    u, v = chroma(reel, 8)
    with pytest.raises(WriteError, match="samples of"), PartWriter(tmp_path / "part.mkv", reel, Coding("ffv1")) as part:
        part.write(frame, u[1:], v)
    with (
        pytest.raises(WriteError, match="the folder does not exist"),
        PartWriter(tmp_path / "no" / "part.mkv", reel, Coding()),
    ):
        pass


@pytest.mark.parametrize("codec", CODECS)
def test_headers_do_not_depend_on_the_machine_or_the_pictures(tmp_path, monkeypatch, codec):
    reel = fitted(film(tmp_path), Coding(codec))
    pictures = list(frames(reel))
    headers = []
    for threads, few in (("1", pictures[:2]), ("3", pictures[2:])):
        options = Coding(codec).options
        if codec == "h265":
            options["x265-params"] += f":frame-threads={threads}:pools=none"
        elif codec != "av1":
            options["threads"] = threads
        monkeypatch.setattr(Coding, "options", property(lambda self, options=options: options))
        with av.open(str(write_parts(tmp_path, reel, Coding(codec), few)[0])) as part:
            headers.append(bytes(part.streams.video[0].codec_context.extradata or b""))
    assert headers[0] == headers[1]


def test_pixel_aspect_and_tags_are_in_the_stream_itself(tmp_path):
    reel = replace(film(tmp_path), primaries=9, transfer=14, matrix="bt2020", full_range=True)
    reel = replace(reel, aspect=Fraction(16, 11))
    for codec in ("h264", "h265"):
        (tmp_path / codec).mkdir()
        found = open_reel(write_parts(tmp_path / codec, reel, Coding(codec), list(frames(reel)))[0])
        assert (found.primaries, found.transfer, found.matrix, found.full_range) == (9, 14, "bt2020", True)
        assert found.aspect == Fraction(16, 11)


@contextlib.contextmanager
def largest_file(size):
    """The system refuses to write files beyond a size, as a full disk would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("limit", "name"), [(20_000, "000000.mkv"), (200_000, "film.mkv")])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path, limit, name):
    film(tmp_path, count=20, size=(192, 128), options={"level": "3"})
    with largest_file(limit), pytest.raises(WriteError) as caught:
        colour(tmp_path / "source.mkv", tmp_path / "film.mkv", Coding("ffv1"), cuts=(5, 10, 15))
    assert re.fullmatch(rf".*{name}: cannot be written: the file is larger than this disk .*", str(caught.value))
    assert not (tmp_path / "film.mkv").exists()
    assert not list(tmp_path.rglob(".chromagan-*"))


@pytest.mark.process
def test_without_pyav_one_line_names_the_extra():
    code = (
        "import sys; sys.modules['av'] = None\n"
        "try:\n import chromagan.film.reel\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'UsageError films need PyAV, which is not installed; run: pip install "chromagan[film]"\n'
