"""Frames are exact from anywhere in a film, and damage is told."""

import random
from fractions import Fraction

import numpy as np
import pytest

from chromagan.film.frames import Clock, frames
from chromagan.film.reel import open_reel
from tests.film.reels import make, shown

X265 = "log-level=none:keyint=12"
WAYS = {
    "mp4 with B-frames": (".mp4", {"options": {"g": "12", "bf": "3"}}),
    "open groups of pictures": (".mp4", {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}}),
    "open groups of H.265": (".mkv", {"codec": "libx265", "options": {"x265-params": f"{X265}:open-gop=1"}}),
    "a transport stream": (".ts", {"options": {"g": "12", "bf": "2"}}),
    "MPEG-2 in a transport stream": (".ts", {"codec": "mpeg2video", "base": Fraction(1, 24), "options": {"bf": "2"}}),
    "MPEG-4 in AVI": (".avi", {"codec": "mpeg4", "base": Fraction(1, 24), "options": {"bf": "2", "g": "12"}}),
    "H.264 in AVI": (".avi", {"base": Fraction(1, 24), "options": {"bf": "2", "g": "12"}}),
    "no key frame but the first": (".mkv", {"options": {"g": "1000", "bf": "2"}}),
    "key frames that are none": (".mkv", {"options": {"x264-params": "intra-refresh=1:keyint=12"}}),
    "variable rate": (".mp4", {"stamps": [700 * n * n + 900 * n for n in range(60)], "options": {"g": "12"}}),
    "VP9": (".webm", {"codec": "libvpx-vp9", "options": {"g": "12"}}),
    "AV1": (".mp4", {"codec": "libsvtav1", "options": {"g": "12"}}),
    "FFV1": (".mkv", {"codec": "ffv1"}),
    "raw pictures": (".y4m", {"codec": "wrapped_avframe", "base": Fraction(1, 24)}),
    "a bare stream": (".h264", {"options": {"g": "12"}}),
    "GIF": (".gif", {"codec": "gif", "pixels": "rgb8", "base": Fraction(1, 100), "rate": 10}),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_frames_from_anywhere_are_those_from_the_beginning(tmp_path, way):
    suffix, how = WAYS[way]
    film = tmp_path / f"film{suffix}"
    make(film, count=60, **how)
    reel = open_reel(film)
    whole = list(frames(reel))
    assert [frame.index for frame in whole] == list(range(60))
    stamps, checks = [frame.pts for frame in whole], [frame.check for frame in whole]
    assert all(early < late for early, late in zip(stamps, stamps[1:], strict=False))
    assert not any(frame.damaged for frame in whole)
    if suffix not in (".gif", ".avi", ".h264"):  # by PyAV's own reading; in these it has no plain Y, or no stamps
        plain = list(shown(film))
        assert [pts * reel.time_base for pts in stamps] == [time for time, _ in plain]
        assert all(np.array_equal(frame.luma, luma) for frame, (_, luma) in zip(whole, plain, strict=True))
    for start, stop in ((1, 3), (11, 14), (12, 13), (13, None), (37, 60), (59, None), (60, None), (5, 5)):
        found = list(frames(reel, start, stop, stamps, checks))
        wanted = whole[start:stop]
        assert [(frame.index, frame.pts) for frame in found] == [(frame.index, frame.pts) for frame in wanted]
        assert all(np.array_equal(one.luma, two.luma) for one, two in zip(found, wanted, strict=True))


def test_a_film_is_sought_where_it_can_be(tmp_path, monkeypatch):
    make(tmp_path / "film.mp4", count=60, options={"g": "12"})
    reel = open_reel(tmp_path / "film.mp4")
    whole = list(frames(reel))
    monkeypatch.setattr("chromagan.film.frames._counted", lambda reel: pytest.fail("decoded from the beginning"))
    stamps, checks = [frame.pts for frame in whole], [frame.check for frame in whole]
    assert [frame.index for frame in frames(reel, 40, 44, stamps, checks)] == [40, 41, 42, 43]


def test_another_film_under_the_name_is_not_taken_for_it_by_its_stamps(tmp_path):
    make(tmp_path / "film.mp4", count=40, options={"g": "8"})
    reel = open_reel(tmp_path / "film.mp4")
    stamps = [frame.pts for frame in frames(reel)]
    wrong = [0] * 40
    found = list(frames(reel, 20, 24, stamps, wrong))  # no check fits: it is decoded from the beginning
    assert [frame.index for frame in found] == [20, 21, 22, 23]


@pytest.mark.parametrize(("suffix", "codec"), [
    (".mkv", "libx264"), (".ts", "mpeg2video"), (".mkv", "ffv1"), (".avi", "huffyuv"),
])  # fmt: skip
def test_a_film_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path, suffix, codec):
    film = tmp_path / f"film{suffix}"
    make(film, codec, count=60, base=Fraction(1, 24), pixels="yuv422p" if codec == "huffyuv" else "yuv420p")
    whole = {frame.pts: frame.check for frame in frames(open_reel(film))}
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    left = list(frames(open_reel(film)))
    assert 10 < len(left) < 60
    assert all(frame.damaged or frame.check == whole[frame.pts] for frame in left)


@pytest.mark.parametrize(("suffix", "codec", "options"), [
    (".mkv", "libx264", {"g": "12"}), (".ts", "mpeg2video", {}), (".mov", "prores_ks", {}),
    (".mkv", "ffv1", {"level": "3", "slicecrc": "1", "g": "1"}), (".avi", "mpeg4", {"g": "12"}),
    (".flv", "flv", {"g": "12"}),
])  # fmt: skip
def test_frames_with_errors_are_flagged_and_come_the_same_each_time(tmp_path, suffix, codec, options):
    film = tmp_path / f"film{suffix}"
    pixels = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    base = Fraction(1, 1000) if codec == "flv" else Fraction(1, 24)
    make(film, codec, count=60, base=base, options=options, pixels=pixels, bits=10 if "10" in pixels else 8)
    data = bytearray(film.read_bytes())
    places = random.Random(2)
    for _ in range(12):
        place = places.randrange(len(data) // 4, len(data) * 3 // 4)
        data[place : place + 20] = places.randbytes(20)
    film.write_bytes(data)
    reel = open_reel(film)
    seen = list(frames(reel))
    assert any(frame.damaged for frame in seen)
    assert not all(frame.damaged for frame in seen)
    again = [(frame.pts, frame.check, frame.damaged) for frame in frames(reel)]
    assert again == [(frame.pts, frame.check, frame.damaged) for frame in seen]


def test_a_film_put_together_of_two_goes_on_where_its_stamps_begin_anew(tmp_path):
    make(tmp_path / "one.ts", count=48)
    one = list(frames(open_reel(tmp_path / "one.ts")))
    (tmp_path / "both.ts").write_bytes((tmp_path / "one.ts").read_bytes() * 2)
    reel = open_reel(tmp_path / "both.ts")
    both = list(frames(reel))
    steps = {late.pts - early.pts for early, late in zip(both, both[1:], strict=False)}
    assert len(both) == 96
    assert steps == {3750}  # 1/24 s of 90 kHz
    assert [frame.check for frame in both[48:]] == [frame.check for frame in one]


def test_frames_of_another_size_are_brought_to_the_films_and_flagged(tmp_path):
    make(tmp_path / "one.ts", "mpeg2video", count=24, base=Fraction(1, 24))
    make(tmp_path / "two.ts", "mpeg2video", count=24, size=(64, 48), base=Fraction(1, 24))
    (tmp_path / "both.ts").write_bytes((tmp_path / "one.ts").read_bytes() + (tmp_path / "two.ts").read_bytes())
    both = list(frames(open_reel(tmp_path / "both.ts")))
    assert 46 <= len(both) <= 48  # the decoder loses the one that it held
    assert {frame.luma.shape for frame in both} == {(64, 96)}
    assert not any(frame.damaged for frame in both[:20])
    assert all(frame.damaged for frame in both[24:])


def test_frames_that_an_avi_shows_longer_leave_a_gap(tmp_path):
    stamps = [0, 1, 2, 6, 7, 8, 20, 21]
    make(tmp_path / "film.avi", "mjpeg", stamps=stamps, pixels="yuvj420p", base=Fraction(1, 24))
    assert [frame.pts for frame in frames(open_reel(tmp_path / "film.avi"))] == stamps


@pytest.mark.parametrize(("said", "wanted"), [
    ([0, 10, 20], [0, 10, 20]),
    ([5, 5, 4, 30], [5, 6, 7, 30]),
    ([None, None, 25], [0, 10, 25]),
    ([5000, 5010, 0, 10, 20], [5000, 5010, 5020, 5030, 5040]),
    ([-20, -10, 0], [-20, -10, 0]),
])  # fmt: skip
def test_stamps_rise(said, wanted):
    clock = Clock(step=10, second=1000)
    assert [clock(stamp) for stamp in said] == wanted
