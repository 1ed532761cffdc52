"""The VapourSynth function on clips of arrays: the Y plane, depths, scenes, any order of frames."""

import sys

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("av", reason='films need PyAV: pip install ".[film]"')

from chromagan import Colorizer
from chromagan.errors import UsageError
from chromagan.film.scenes import CutFinder
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look
from tests.adapters.hosts import vapoursynth as host
from tests.adapters.plug_ins import ADAPTERS, loaded, scene


class Toned(ColorizationNetwork):
    """A colour for each lightness, so that what is carried can be told from what is painted where it belongs."""

    def predict(self, L, condition):
        return Prediction(torch.cat([0.6 * (L - 50), 0.4 * (40 - L)], 1))


@pytest.fixture
def colorize(monkeypatch):
    host.installed(monkeypatch)
    module = loaded(ADAPTERS / "vapoursynth" / "chromagan_vs.py", "chromagan_vs")
    monkeypatch.setattr(Colorizer, "from_pretrained", lambda model, device: Colorizer(Toned(), look=Look(size=64)))
    yield module.colorize
    del sys.modules["chromagan_vs"]


def luma(n, cut):
    """A pan over a scene, and behind the cut one over another."""
    wide = cv2.resize(scene(100, 200), (320, 160))
    wide = np.ascontiguousarray(wide[::-1, ::-1]) if n >= cut else wide
    return wide[8:152, 2 * n : 2 * n + 192]


def clip(count=8, cut=99, bits=8, family=host.YUV, shift=(1, 1), props=None):
    format = host.query_video_format(family, host.INTEGER, bits, *shift)

    def frame(n):
        y = luma(n, cut).astype(host.depth(format)) << (bits - 8)
        chroma = np.full((144 >> shift[1], 192 >> shift[0]), 7, y.dtype)
        return host.Frame([y] if family == host.GRAY else [y, chroma, chroma], props or {})

    return host.Clip(format, (144, 192), count, frame)


def chroma_of(frame):
    return [np.asarray(frame[plane]) for plane in (1, 2)]


@pytest.mark.parametrize(
    ("bits", "family", "shift"), [(8, host.YUV, (1, 1)), (10, host.YUV, (1, 0)), (16, host.GRAY, (0, 0))]
)
def test_y_stays_bit_for_bit_and_u_and_v_are_new(colorize, bits, family, shift):
    source = clip(2, bits=bits, family=family, shift=shift)
    made = colorize(source)
    frame = made.get_frame(1)
    assert np.array_equal(frame[0], source.get_frame(1)[0])
    shift = (1, 1) if family == host.GRAY else shift
    neutral = 128 << (bits - 8)
    for plane in chroma_of(frame):
        assert plane.shape == (144 >> shift[1], 192 >> shift[0])
        assert plane.dtype == (np.uint8 if bits == 8 else np.uint16)
        assert 0.5 * 2 ** (bits - 8) < np.abs(plane.astype(int) - neutral).mean() < 40 * 2 ** (bits - 8)
    assert made.format.color_family == host.YUV
    assert frame.props["_Matrix"] == 6  # of 144 rows


def test_any_order_gives_the_same_frames(colorize):
    forward, back = colorize(clip(36, cut=18)), colorize(clip(36, cut=18))
    numbers = [0, 7, 17, 18, 25, 35]
    one = {n: chroma_of(forward.get_frame(n)) for n in numbers}
    other = {n: chroma_of(back.get_frame(n)) for n in reversed(numbers)}
    assert all(np.array_equal(one[n], other[n]) for n in numbers)


def test_scenes_are_steady_and_end_at_cuts(colorize, monkeypatch):
    painted, kind = [], sys.modules["chromagan_vs"]._Colours
    real = kind._painted
    monkeypatch.setattr(kind, "_painted", lambda self, n, *motions: painted.append(n) or real(self, n, *motions))
    source = clip(24, cut=12)
    made = colorize(source)
    frames = [chroma_of(made.get_frame(n)) for n in range(24)]
    assert painted[0] == 0
    assert 12 in painted
    assert len(painted) < 8
    finder = CutFinder()
    found = [cut for n in range(24) for cut in finder.feed(luma(n, 12).astype(np.float32) / 2.55)] + finder.finish()
    assert found == [12]
    # The pan moves two pixels a frame, which is one sample of U; colours go with it.
    moved = [np.abs(a[0][:, 1:].astype(int) - b[0][:, :-1]).mean() for a, b in zip(frames, frames[1:], strict=False)]
    assert max(moved[:11] + moved[12:]) < 2
    painted.clear()
    alone = colorize(clip(2), steady=False)
    alone.get_frame(1)
    assert painted == [1]


def test_windows_hand_on_where_they_stand(colorize, monkeypatch):
    whole = colorize(clip(40))
    expected = chroma_of(whole.get_frame(35))
    monkeypatch.setattr("chromagan.film.plan.MOST_FRAMES", 12)
    monkeypatch.setattr(sys.modules["chromagan_vs"], "KEPT_WINDOWS", 2)
    parts = colorize(clip(40))
    assert np.array_equal(chroma_of(parts.get_frame(35)), expected)
    assert np.array_equal(chroma_of(parts.get_frame(3)), chroma_of(whole.get_frame(3)))
    assert np.array_equal(chroma_of(parts.get_frame(35)), expected)


def test_what_a_clip_says_counts(colorize):
    limited = chroma_of(colorize(clip(1), steady=False).get_frame(0))
    full = colorize(clip(1, props={"_Range": 1, "_Matrix": 9}), steady=False).get_frame(0)
    before = colorize(clip(1, props={"_ColorRange": 0, "_Matrix": 9}), steady=False).get_frame(0)
    assert not np.array_equal(chroma_of(full), limited)
    assert np.array_equal(chroma_of(full), chroma_of(before))
    assert full.props["_Matrix"] == 9
    gray = chroma_of(colorize(clip(1), saturation=0.0, steady=False).get_frame(0))
    assert (np.array(gray) == 128).all()


def test_other_clips_are_refused(colorize):
    source = clip(1)
    for family, kind in ((host.RGB, host.INTEGER), (host.YUV, host.FLOAT)):
        source.format = host.query_video_format(family, kind, 8, 1, 1)
        with pytest.raises(UsageError, match="colorize takes"):
            colorize(source)
    source.format = None
    with pytest.raises(UsageError, match="constant format"):
        colorize(source)
