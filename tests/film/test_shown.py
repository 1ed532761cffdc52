"""Frames in colour against closed forms of BT.601, 709 and 2020 in float64."""

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("skimage.data")

from chromagan.film.reel import open_reel  # noqa: E402
from chromagan.film.shown import shown_frames  # noqa: E402

SPEC = importlib.util.spec_from_file_location("test_planes_here", Path(__file__).parent / "test_planes.py")
planes = importlib.util.module_from_spec(SPEC)
sys.modules["test_planes_here"] = planes
SPEC.loader.exec_module(planes)

CODES = {"bt601": 6, "bt709": 1, "bt2020": 9}


@pytest.fixture(scope="module")
def photo():
    from skimage.data import coffee

    return cv2.GaussianBlur(coffee()[:360, :480], (0, 0), 2).transpose(2, 0, 1) / 255


def write(path, codes, pixels, matrix=None, full=False, stamps=(0, 1, 4)):
    """The same frame at several times, in FFV1."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=24)
        stream.height, stream.width, stream.pix_fmt = *codes[0].shape, pixels
        context = stream.codec_context
        context.time_base = Fraction(1, 24)
        if matrix:
            context.colorspace, context.color_range = CODES[matrix], 2 if full else 1
        for pts in stamps:
            frame = av.VideoFrame(stream.width, stream.height, pixels)
            for plane, values in zip(frame.planes, codes, strict=True):
                rows = np.frombuffer(plane, values.dtype).reshape(plane.height, -1)
                rows[:, : values.shape[1]] = values
            frame.pts, frame.time_base = pts, Fraction(1, 24)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path


@pytest.mark.parametrize(("matrix", "bits", "full"), planes.FORMATS)
def test_matrix_range_and_depth_are_honoured(tmp_path, photo, matrix, bits, full):
    picture = planes.Picture(matrix, bits, full)
    codes = [planes.codes(plane, picture) for plane in planes.encode(photo, picture)]
    film = write(tmp_path / "film.mkv", codes, "yuv444p" if bits == 8 else "yuv444p10le", matrix, full)
    found = list(shown_frames(open_reel(film)))
    assert [float(frame.seconds * 24) for frame in found] == pytest.approx([0, 1, 4], abs=0.05)
    expected = planes.decode(*codes, picture).clip(0, 1).transpose(1, 2, 0) * 255
    for frame in found:
        assert frame.pixels.dtype == np.uint8
        assert np.abs(frame.pixels - expected).max() < 1.3
        assert np.abs(frame.pixels - expected).mean() < 0.3  # rounding alone: 0.25
        assert not frame.damaged


@pytest.mark.parametrize("height", [576, 720])
def test_an_untagged_film_is_read_by_its_height(tmp_path, photo, height):
    tall = np.stack([cv2.resize(plane, (640, height)) for plane in photo])
    picture = planes.Picture("bt601" if height < 720 else "bt709")
    codes = [planes.codes(plane, picture) for plane in planes.encode(tall, picture)]
    (frame,) = shown_frames(open_reel(write(tmp_path / "film.mkv", codes, "yuv444p", stamps=(0,))))
    expected = planes.decode(*codes, picture).clip(0, 1).transpose(1, 2, 0) * 255
    assert np.abs(frame.pixels - expected).max() < 1.3


def test_half_chroma_is_enlarged_linearly(tmp_path, photo):
    picture = planes.Picture("bt709")
    y, u, v = planes.encode(photo, picture)
    tent = np.array([1, 2, 1]) / 4
    u, v = (cv2.sepFilter2D(plane, -1, tent, np.array([0, 0.5, 0.5]))[::2, ::2] for plane in (u, v))
    codes = [planes.codes(plane, picture) for plane in (y, u, v)]
    (frame,) = shown_frames(open_reel(write(tmp_path / "film.mkv", codes, "yuv420p", "bt709", stamps=(0,))))
    off = np.abs(frame.pixels - photo.transpose(1, 2, 0) * 255)[8:-8, 8:-8]
    assert off.mean() < 1.2
    assert off.max() < 16
    with av.open(str(tmp_path / "film.mkv")) as film:
        plain = next(film.decode(video=0)).to_ndarray(format="rgb24")  # in one step, which repeats samples
    assert off.mean() < 0.8 * np.abs(plain - photo.transpose(1, 2, 0) * 255)[8:-8, 8:-8].mean()


@pytest.mark.parametrize(("pixels", "bits"), [("gray", 8), ("gray10le", 10)])
def test_gray_films_are_gray(tmp_path, pixels, bits):
    luma = np.linspace(0, 2**bits - 1, 64 * 48).round().reshape(48, 64).astype(np.uint8 if bits == 8 else np.uint16)
    (frame,) = shown_frames(open_reel(write(tmp_path / "film.mkv", [luma], pixels, stamps=(0,))))
    np.testing.assert_allclose(frame.pixels, np.repeat(luma[..., None] / (2**bits - 1) * 255, 3, 2), atol=0.51)
