"""The Y plane of every kind of pixel format."""

import av
import numpy as np
import pytest

from chromagan.film.luma import WEIGHTS, bits_of, is_known, luma_of

HEIGHT, WIDTH = 34, 66  # lines are padded


def filled(name, height=HEIGHT, width=WIDTH):
    """A frame of random bytes, within the bits of its samples."""
    frame = av.VideoFrame(width, height, name)
    random = np.random.default_rng(3)
    bits = max(part.bits for part in frame.format.components)
    for plane in frame.planes:
        raw = random.integers(0, 256, plane.buffer_size, dtype=np.uint8)
        if 8 < bits < 16 and not name.startswith("p0"):
            order = ">u2" if frame.format.is_big_endian else "<u2"
            raw = (raw[: len(raw) // 2 * 2].view("<u2") >> (16 - bits)).astype(order).view(np.uint8)
        np.frombuffer(plane, np.uint8)[: len(raw)] = raw
    return frame


def by_pyav(frame):
    """PyAV's own reading of the first rows as luma."""
    array = frame.to_ndarray()
    if array.ndim == 3:
        return array[0] if len(array) == 3 else array[..., 0]
    return array[: frame.height]


@pytest.mark.parametrize("name", [
    "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "nv12", "gray", "gray10le", "gray16le", "yuv420p10le",
    "yuv422p10le",
    "yuv444p16le", "yuyv422",
])  # fmt: skip
def test_y_is_the_plane_as_pyav_reads_it(name):
    frame = filled(name)
    luma = luma_of(frame, "bt601")
    assert luma.dtype == (np.uint8 if bits_of(frame.format) == 8 else np.uint16)
    assert np.array_equal(luma, by_pyav(frame))
    before = luma.copy()
    for plane in frame.planes:  # a copy: the decoder may reuse the frame
        np.frombuffer(plane, np.uint8)[:] = 0
    assert np.array_equal(luma, before)


@pytest.mark.parametrize(("name", "bits", "kind", "step", "skip", "up"), [
    ("yuv420p10be", 10, ">u2", 1, 0, 0), ("gray16be", 16, ">u2", 1, 0, 0), ("p010le", 10, "<u2", 1, 0, 6),
    ("p210le", 10, "<u2", 1, 0, 6), ("uyvy422", 8, "u1", 2, 1, 0), ("yvyu422", 8, "u1", 2, 0, 0),
    ("ya8", 8, "u1", 2, 0, 0), ("ya16be", 16, ">u2", 2, 0, 0), ("nv16", 8, "u1", 1, 0, 0),
    ("yuva420p", 8, "u1", 1, 0, 0), ("yuv411p", 8, "u1", 1, 0, 0),
])  # fmt: skip
def test_y_is_what_was_put_where_the_format_has_it(name, bits, kind, step, skip, up):
    frame = filled(name)
    samples = np.random.default_rng(5).integers(0, 1 << bits, (HEIGHT, WIDTH), dtype=np.uint16)
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:HEIGHT].view(kind)
    rows[:, skip : skip + step * WIDTH : step] = samples << up
    assert np.array_equal(luma_of(frame, "bt601"), samples)


@pytest.mark.parametrize("matrix", WEIGHTS)
def test_y_of_rgb_is_the_weighted_sum_and_gray_stays_what_it_is(matrix):
    rgb = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    rgb[:2] = np.arange(2 * WIDTH, dtype=np.uint8).reshape(2, WIDTH, 1)
    for name in ("rgb24", "bgra", "gbrp", "bgr0"):
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=name)
        luma = luma_of(frame, matrix)
        assert np.abs(luma - rgb @ np.array(WEIGHTS[matrix])).max() <= 0.5 + 1e-4
        assert np.array_equal(luma[:2], rgb[:2, :, 0])


def test_rgb_of_16_bits_becomes_y_of_10():
    rgb = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb48le")
    luma = luma_of(frame, "bt601")
    assert bits_of(frame.format) == 10
    assert luma.max() <= 1023
    assert np.abs(luma - rgb @ np.array(WEIGHTS["bt601"]) * 1023 / 65535).max() <= 0.51


def test_palettes_and_single_bits():
    levels = np.zeros((HEIGHT, WIDTH), np.uint8)
    levels[::2] = 255
    frame = av.VideoFrame.from_ndarray(levels, format="gray").reformat(format="monow")
    assert np.array_equal(luma_of(frame, "bt601"), levels)
    palette = np.zeros((256, 4), np.uint8)
    palette[:, 0], palette[:, 1:] = 255, np.arange(256)[::-1, None]
    indices = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray((indices, palette), format="pal8")
    assert np.array_equal(luma_of(frame, "bt601"), 255 - indices)


def test_formats_without_a_plain_y_are_told_apart():
    known = {
        name: is_known(av.VideoFormat(name, 16, 16))
        for name in ("yuv420p", "rgb24", "pal8", "xyz12le", "vuya", "v30xle")
    }
    assert known == {"yuv420p": True, "rgb24": True, "pal8": True, "xyz12le": False, "vuya": False, "v30xle": False}
