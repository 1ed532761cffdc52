"""What the made clips say of themselves is true: motion, stillness, grain, files."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from tests.film.clips import FLOWER, LOSSLESS, PAN, PASSING, STILL, ZOOM, Clip, Coding, lasting, make_clip, photo

SIZE = (160, 90)


@pytest.mark.parametrize("shot", [PAN, ZOOM, STILL, PASSING, FLOWER])
def test_each_pixel_comes_from_where_the_truth_says(shot):
    clip = Clip((lasting(shot, 24),), SIZE)
    flow, seen = clip.before(12)
    x, y = np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32))
    here, there = clip.rgb(12).astype(np.float32), clip.rgb(11).astype(np.float32)
    brought = cv2.remap(there, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC)
    assert seen.mean() > 0.8
    assert np.abs(brought - here)[seen].mean() <= 0.25 * np.abs(there - here).mean()
    still = clip.still(12)
    assert still.mean() == 1 if shot is STILL else still.mean() < 1
    if shot is PASSING:
        assert still.mean() > 0.8
        assert np.any(flow[still & seen], -1).mean() < 0.01  # pixels of the thing that are alike by chance


def test_grain_lies_on_luma_alone():
    clip = Clip((STILL,), SIZE, grain=5)
    noise = clip.luma(3) - clip.luma(3, grain=False)
    assert abs(noise.mean()) < 0.2
    assert noise.std() == pytest.approx(5, rel=0.05)
    assert not np.array_equal(clip.luma(3), clip.luma(4))
    assert np.array_equal(clip.rgb(3), clip.rgb(4))
    assert clip.ab(3) == pytest.approx(rgb2lab(clip.rgb(3)).transpose(2, 0, 1)[1:], abs=0.5)


def test_cuts_fades_and_flashes_stand_where_they_are_said_to_be():
    cut = Clip((lasting(PAN, 10), lasting(STILL, 12), lasting(ZOOM, 8)), SIZE, flashes=(4,))
    assert len(cut) == 30
    assert cut.cuts == [10, 22]
    change = [np.abs(cut.luma(i) - cut.luma(i - 1)).mean() for i in range(1, 30)]
    assert set(np.argsort(change)[-4:] + 1) == {4, 5, 10, 22}
    crossed = replace(cut, cross=5, flashes=())
    assert len(crossed) == 20
    assert crossed.cuts == []
    assert np.array_equal(crossed.rgb(4), cut.shots[0].picture(4, SIZE).round())
    dark = Clip((replace(lasting(STILL, 9), light=(1, 0)),), SIZE)
    assert not dark.rgb(8).any()
    assert dark.rgb(0).mean() == pytest.approx(photo("chelsea").mean(), rel=0.2)


CODINGS = [
    LOSSLESS,
    replace(LOSSLESS, pixels="yuv420p10le"),
    replace(LOSSLESS, pixels="gray"),
    Coding("libx264", options={"qp": "0"}),
]


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: f"{coding.codec} {coding.pixels}")
def test_a_file_holds_the_frames(tmp_path, coding):
    av = pytest.importorskip("av")
    clip = Clip((lasting(PASSING, 6), lasting(ZOOM, 7)), (162, 90), grain=4, variable=True)
    path = make_clip(tmp_path / "clip.mkv", clip, coding)
    with av.open(str(path)) as film:
        frames = list(film.decode(film.streams.video[0]))
        seconds = [float(frame.time) for frame in frames]
        assert film.streams.audio[0].codec_context.name == "aac"
    assert seconds == pytest.approx([pts / 24 for pts in clip.pts], abs=0.001)
    for i, frame in enumerate(frames):
        for plane, wanted in zip(frame.planes, clip.planes(i, coding.bits), strict=False):
            row = plane.line_size // wanted.dtype.itemsize
            got = np.frombuffer(plane, wanted.dtype).reshape(plane.height, row)
            assert np.array_equal(got[:, : wanted.shape[1]], wanted)
