"""What a film is, before its frames are decoded."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from chromagan.errors import ReadError
from chromagan.film.reel import open_reel
from tests.film.reels import add_tone, make, picture


def test_a_plain_film(tmp_path):
    make(tmp_path / "film.mp4", count=24, sound="aac")
    reel = open_reel(tmp_path / "film.mp4")
    assert (reel.width, reel.height, reel.pixels, reel.bits, reel.shift) == (96, 64, "yuv420p", 8, (1, 1))
    assert (reel.rate, reel.time_base, reel.codec, reel.intra) == (24, Fraction(1, 24000), "h264", False)
    assert (reel.full_range, reel.rotation, reel.display, reel.seconds) == (False, 0, (), 1)
    assert open_reel(str(tmp_path / "film.mp4")) == reel


@pytest.mark.parametrize(("height", "matrix"), [(576, "bt601"), (720, "bt709")])
def test_an_untagged_matrix_goes_by_height_and_is_told(tmp_path, height, matrix):
    make(tmp_path / "film.mkv", "ffv1", count=1, size=(64, height))
    reel = open_reel(tmp_path / "film.mkv")
    assert reel.matrix == matrix
    assert any("does not say its colour matrix" in note and matrix in note for note in reel.notes)


@pytest.mark.parametrize(("code", "matrix"), [(1, "bt709"), (5, "bt601"), (6, "bt601"), (9, "bt2020")])
def test_tags_are_read(tmp_path, code, matrix):
    tags = {"color_range": 2, "colorspace": code, "color_primaries": 9, "color_trc": 14}
    make(tmp_path / "film.mp4", count=2, tags=tags)
    reel = open_reel(tmp_path / "film.mp4")
    assert (reel.matrix, reel.full_range, reel.primaries, reel.transfer, reel.notes) == (matrix, True, 9, 14, ())


@pytest.mark.parametrize(("codec", "pixels", "full"), [
    ("ffv1", "gray", True), ("png", "gray", True), ("ffv1", "yuv420p", False), ("mjpeg", "yuvj420p", True),
    ("libx265", "gray", False), ("ffv1", "bgr0", True),
])  # fmt: skip
def test_the_range_of_untagged_films(tmp_path, codec, pixels, full):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    film = tmp_path / ("film.mov" if codec == "png" else "film.mkv")
    make(film, codec, count=8, pixels=pixels, base=Fraction(1, 24), options=options)
    assert open_reel(film).full_range is full


@pytest.mark.parametrize(("pixels", "bits", "shift"), [
    ("yuv444p", 8, (0, 0)), ("yuv422p10le", 10, (1, 0)), ("gray10le", 10, (1, 1)), ("yuv411p", 8, (2, 0)),
    ("yuv420p16le", 16, (1, 1)), ("gray12le", 12, (1, 1)), ("bgra", 8, (1, 1)),
])  # fmt: skip
def test_depth_and_chroma(tmp_path, pixels, bits, shift):
    make(tmp_path / "film.mkv", "ffv1", count=1, pixels=pixels, bits=bits)
    reel = open_reel(tmp_path / "film.mkv")
    assert (reel.bits, reel.shift) == (bits, shift)
    assert any("RGB; Y is computed once" in note for note in reel.notes) == (pixels == "bgra")
    assert any("transparency is left out" in note for note in reel.notes) == (pixels == "bgra")


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation(tmp_path, degrees):
    make(tmp_path / "film.mp4", count=2, display=degrees)
    reel = open_reel(tmp_path / "film.mp4")
    assert reel.rotation == degrees or abs(reel.rotation) == degrees == 180
    assert len(reel.display) == 9


def test_interlaced_films_are_told(tmp_path):
    make(tmp_path / "film.mp4", count=2, options={"x264-params": "tff=1"})
    reel = open_reel(tmp_path / "film.mp4")
    assert reel.field_order == 2
    assert any("interlaced" in note for note in reel.notes)


def test_a_cover_picture_is_no_film(tmp_path):
    with av.open(str(tmp_path / "song.mp4"), "w") as film:
        tone = film.add_stream("aac", rate=48000)
        art = film.add_stream("mjpeg", rate=1, width=32, height=32, pix_fmt="yuvj420p")
        art.disposition = int(av.stream.Disposition.attached_pic)
        frame = picture(np.full((32, 32), 90, np.uint8), "yuvj420p")
        frame.pts = 0
        film.mux(art.encode(frame))
        film.mux(art.encode(None))
        add_tone(film, tone, 0.5)
    with pytest.raises(ReadError, match="there is no picture stream in it"):
        open_reel(tmp_path / "song.mp4")


def test_what_is_no_film_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mkv").write_text("no film " * 500)
    Image.new("L", (32, 32)).save(tmp_path / "photo.png")
    Image.new("L", (32, 32)).save(tmp_path / "photo.jpg")
    names = {"missing.mp4": "no such file", ".": "a folder", "empty.mp4": "not a film", "text.mkv": "not a film",
             "photo.png": "use chromagan sample", "photo.jpg": "use chromagan sample"}  # fmt: skip
    for name, words in names.items():
        with pytest.raises(ReadError, match=words) as caught:
            open_reel(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)


def test_hdr_is_refused(tmp_path):
    tags = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    make(tmp_path / "film.mp4", "libx265", count=8, tags=tags, pixels="yuv420p10le", bits=10,
         options={"x265-params": "log-level=none"})  # fmt: skip
    with pytest.raises(ReadError, match=r"HDR film \(PQ\)"):
        open_reel(tmp_path / "film.mp4")


def test_a_name_that_looks_like_an_address_or_a_pattern_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mkv", "film %03d.mkv", "pipe:0.mkv"):
        make(tmp_path / name, "ffv1", count=2)
        assert open_reel(name).width == 96
