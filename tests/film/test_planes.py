"""Planes against closed forms of BT.601, 709 and 2020 in float64, and the package's own Lab."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch

from chromagan.color.lab import rgb_to_lab
from chromagan.errors import ModelError, UsageError
from chromagan.film.planes import chroma, deepened, lightness

# K_R and K_B as the recommendations print them.
KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
FORMATS = [(matrix, bits, full) for matrix in KR_KB for bits in (8, 10) for full in (False, True)]


@dataclass(frozen=True)
class Picture:
    matrix: str = "bt709"
    bits: int = 8
    full_range: bool = False
    shift: tuple = (0, 0)


def encode(rgb, picture):
    """R'G'B' (3, H, W) in [0, 1] as unrounded Y, U and V codes at full size."""
    kr, kb = KR_KB[picture.matrix]
    y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    cb, cr = (rgb[2] - y) / (2 - 2 * kb), (rgb[0] - y) / (2 - 2 * kr)
    unit, top = 2 ** (picture.bits - 8), 2**picture.bits - 1
    if picture.full_range:
        return top * y, top * cb + 128 * unit, top * cr + 128 * unit
    return unit * (219 * y + 16), unit * (224 * cb + 128), unit * (224 * cr + 128)


def decode(y, u, v, picture):
    """R'G'B' (3, H, W), not clipped, of codes at full size."""
    kr, kb = KR_KB[picture.matrix]
    unit, top = 2 ** (picture.bits - 8), 2**picture.bits - 1
    y, u, v = (plane.astype(np.float64) for plane in (y, u, v))
    if picture.full_range:
        y, cb, cr = y / top, (u - 128 * unit) / top, (v - 128 * unit) / top
    else:
        y, cb, cr = (y / unit - 16) / 219, (u / unit - 128) / 224, (v / unit - 128) / 224
    red, blue = y + (2 - 2 * kr) * cr, y + (2 - 2 * kb) * cb
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue])


def codes(plane, picture):
    kind = np.uint8 if picture.bits == 8 else np.uint16
    return np.rint(plane).clip(0, 2**picture.bits - 1).astype(kind)


def lab(rgb):
    """(3, H, W), gray without chroma; the package's constants leave it 0.005."""
    return rgb_to_lab(torch.from_numpy(np.ascontiguousarray(rgb, np.float64))[None])[0].numpy()


def cube(seed=0, size=(120, 160)):
    return np.random.default_rng(seed).uniform(0, 1, (3, *size))


@pytest.fixture(scope="module")
def photos():
    data = pytest.importorskip("skimage.data")
    samples = pytest.importorskip("sklearn.datasets").load_sample_images().images
    pictures = [*(getattr(data, name)() for name in ("astronaut", "coffee", "chelsea")), *samples]
    return [picture[: len(picture) // 16 * 16, :368].transpose(2, 0, 1) / 255 for picture in pictures]


@pytest.mark.parametrize(("matrix", "bits", "full"), FORMATS)
def test_lightness_is_that_of_the_gray_picture(matrix, bits, full):
    picture = Picture(matrix, bits, full)
    levels = np.linspace(0, 1, 300)[None]
    luma = codes(encode(np.stack([levels] * 3), picture)[0], picture)
    expected = lab(decode(luma, *(np.full(luma.shape, 2 ** (bits - 1)),) * 2, picture).clip(0, 1))[0]
    got = lightness(luma, picture)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=0.002)


def test_codes_beyond_black_and_white_are_black_and_white():
    luma = np.array([[0, 15, 16, 235, 236, 255]], np.uint8)
    np.testing.assert_allclose(lightness(luma, Picture()), [[0, 0, 0, 100, 100, 100]], atol=1e-3)
    assert lightness(luma.astype(np.uint16) * 4, Picture(bits=10))[0, -1] == pytest.approx(100)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_reduced_lightness_is_the_mean_over_areas(dtype):
    picture = Picture(bits=8 if dtype == np.uint8 else 10)
    luma = np.random.default_rng(0).integers(0, 2**picture.bits, (36, 64)).astype(dtype)
    small = lightness(luma, picture, (9, 16))
    np.testing.assert_allclose(small, lightness(luma, picture).reshape(9, 4, 16, 4).mean((1, 3)), atol=0.002)
    assert lightness(luma, picture, (36, 64)).shape == (36, 64)


@pytest.mark.parametrize(("matrix", "bits", "full"), FORMATS)
def test_true_colours_come_back_as_their_own_codes(photos, matrix, bits, full):
    picture, off = Picture(matrix, bits, full), []
    for rgb in photos:
        y, u, v = (codes(plane, picture) for plane in encode(rgb, picture))
        before = y.copy()
        got = chroma(y, lab(rgb)[1:].astype(np.float32), picture)
        assert (y == before).all()
        assert all(plane.dtype == y.dtype and plane.shape == y.shape for plane in got)
        off.append(np.maximum(*(np.abs(a.astype(int) - b) for a, b in zip(got, (u, v), strict=True))).ravel())
    off = np.concatenate(off)
    # One code of 8 bits, two of 10, but for a thousandth at the very edge of RGB.
    assert (off > (1 if bits == 8 else 2)).mean() < (0.0005 if bits == 8 else 0.002)
    assert off.max() <= (4 if bits == 8 else 8)


@pytest.mark.parametrize("matrix", list(KR_KB))
def test_all_of_rgb_comes_back(matrix):
    picture, rgb = Picture(matrix), cube()
    y, u, v = encode(rgb, picture)
    got = chroma(codes(y, picture), lab(rgb)[1:].astype(np.float32), picture)
    off = np.maximum(*(np.abs(a - b) for a, b in zip(got, (u, v), strict=True)))
    assert np.quantile(off, 0.99) < 2
    assert off.mean() < 0.5  # rounding alone: 0.33


@pytest.mark.parametrize(("matrix", "bits", "full"), FORMATS)
def test_the_colour_shown_has_the_wished_hue_and_no_more_chroma_inside_rgb(matrix, bits, full):
    """Wishes far beyond what can be shown, at every luma and hue."""
    picture = Picture(matrix, bits, full)
    luma = codes(encode(np.broadcast_to(np.linspace(0.02, 0.98, 97)[:, None], (3, 97, 180)), picture)[0], picture)
    angle = np.broadcast_to(np.arange(180) * np.pi / 90, luma.shape)
    unit, top = 2 ** (bits - 8), 2**bits - 1
    code = 1 / top if full else 1 / (219 * unit)
    for much in (10.0, 40.0, 160.0):
        wished = (much * np.stack([np.cos(angle), np.sin(angle)])).astype(np.float32)
        shown = decode(luma, *chroma(luma, wished, picture), picture)
        assert shown.min() > -1.2 * code
        assert shown.max() < 1 + 1.2 * code
        a, b = lab(shown.clip(0, 1))[1:]
        # What one code of U and V is in Lab there.
        near = lab((shown + code * np.array([1, -1, 1])[:, None, None]).clip(0, 1))[1:]
        grain = 1 + 2 * np.hypot(*(near - np.stack([a, b])))
        assert (np.hypot(a, b) < much + grain).all()
        across = np.abs(b * np.cos(angle) - a * np.sin(angle))  # Lab units off the ray of the hue
        off = (across - grain).clip(0) / np.hypot(a, b)
        assert (off < 0.02).mean() > 0.96  # a degree
        assert off[4:].max() < 0.1  # about blue, where the edge of what can be shown bends most
        assert off.max() < 0.25  # in near black
        assert (np.hypot(a, b)[30:70] > min(much, 25) - grain[30:70]).all()


@pytest.mark.parametrize(("matrix", "bits", "full"), FORMATS)
@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (1, 1), (2, 0)])
def test_gray_gives_neutral_codes(matrix, bits, full, shift):
    picture = Picture(matrix, bits, full, shift)
    luma = np.random.default_rng(0).integers(0, 2**bits, (37, 51)).astype(np.uint8 if bits == 8 else np.uint16)
    for size in ((37, 51), (9, 13), (1, 1)):
        for value in (0.0, -0.0, 0.005):  # the last is what gray has by the package's constants
            for plane in chroma(luma, np.full((2, *size), value, np.float32), picture):
                assert plane.shape == (-(-37 // (1 << shift[1])), -(-51 // (1 << shift[0])))
                assert (plane == 2 ** (bits - 1)).all()


@pytest.mark.parametrize("full", [False, True])
def test_more_bits_show_the_wished_colours_more_closely(photos, full):
    picture, deep = Picture(full_range=full), Picture(bits=10, full_range=full)
    luma, wished = codes(encode(photos[0], picture)[0], picture), lab(photos[0])[1:].astype(np.float32)
    brought = deepened(luma, picture, 10)
    assert np.array_equal(brought >> 2, luma)
    rough = lab(decode(luma, *chroma(luma, wished, picture), picture))[1:]
    fine = lab(decode(brought, *chroma(luma, wished, picture, bits=10), deep))[1:]
    assert np.abs(fine - wished).mean() < 0.4 * np.abs(rough - wished).mean()


def test_luma_is_not_lightness(photos):
    """What stands in the module's head: at one luma, colours differ from gray in L*, which nobody asked for."""
    means = [np.abs(lab(rgb)[0] - lightness(codes(encode(rgb, Picture())[0], Picture()), Picture())).mean()
             for rgb in photos]  # fmt: skip
    assert 1 < np.mean(means) < 3
    blue = np.array([0, 0, 1.0]).reshape(3, 1, 1)
    luma = codes(encode(blue, Picture())[0], Picture())
    assert lab(blue)[0].item() - lightness(luma, Picture()).item() == pytest.approx(27, abs=1)
    # With L* of gray in its place, the colour wished would come out wrong.
    u, v = chroma(luma, lab(blue)[1:].astype(np.float32), Picture())
    np.testing.assert_allclose(decode(luma, u, v, Picture()), blue, atol=0.02)


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (1, 1), (2, 0), (2, 2)])
def test_chroma_lies_on_the_left_column_and_in_the_middle_of_its_rows(shift):
    """A slope of colour over even gray, from grids of all sizes: each sample has the colour of its place."""
    height, width = 64, 96
    picture, luma = Picture(bits=10, shift=shift), np.full((height, width), 512, np.uint16)
    slopes = lambda x, y: np.stack([0.3 * x - 10, 0.4 * y - 10 + 0 * x])  # noqa: E731
    x, y = 1 << shift[0], 1 << shift[1]
    # Places in pixels from the corner: a pixel's middle is at one half.
    across, down = np.meshgrid(np.arange(0, width, x) + 0.5, np.arange(0, height, y) + y / 2)
    wished = slopes(across, down).astype(np.float32)
    flat = Picture(bits=10)
    expected = chroma(np.full(wished.shape[1:], 512, np.uint16), wished, flat)
    for rows, columns in ((64, 96), (32, 48), (16, 24), (64, 48)):
        middle = np.meshgrid((np.arange(columns) + 0.5) * width / columns, (np.arange(rows) + 0.5) * height / rows)
        got = chroma(luma, slopes(*middle).astype(np.float32), picture)
        inside = slice(height // rows // y + 2, -(height // rows // y) - 2), slice(8, -8)
        for have, want in zip(got, expected, strict=True):
            assert np.abs(have.astype(int) - want)[inside].max() <= 1


def test_bands_are_no_seams(photos, monkeypatch):
    picture = Picture(shift=(1, 1))
    luma = codes(encode(photos[0], picture)[0], picture)
    ab = np.stack([cv2.resize(plane, (92, 64), interpolation=cv2.INTER_AREA) for plane in lab(photos[0])[1:]])
    whole = chroma(luma, ab.astype(np.float32), picture)
    monkeypatch.setattr("chromagan.film.planes._BAND", 700)
    for one, other in zip(whole, chroma(luma, ab.astype(np.float32), picture), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1  # OpenCV places samples to a 32nd
        assert (one == other).mean() > 0.99


def test_colours_keep_to_edges_of_luma_better_than_bilinear(photos):
    """4:2:0 from a grid of a quarter, as of 720p at 320 x 180: a seventh less off at the strongest edges."""
    picture, ours, plain = Picture(shift=(1, 1)), [], []
    for rgb in photos:
        y, u, v = encode(rgb, picture)
        luma, true_lab = codes(y, picture), lab(rgb)
        size = luma.shape[1] // 4, luma.shape[0] // 4
        grid = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in true_lab[1:]])
        # The source's own U and V at 4:2:0, sited left.
        own = [cv2.sepFilter2D(p, -1, np.array([1, 2, 1]) / 4, np.array([0, 0.5, 0.5]),
                               borderType=cv2.BORDER_REPLICATE)[::2, ::2] for p in (u, v)]  # fmt: skip
        wide = np.stack([cv2.resize(p, luma.shape[::-1], interpolation=cv2.INTER_LINEAR) for p in grid])
        gradient = np.hypot(*(cv2.Sobel(true_lab[0], cv2.CV_64F, *d) for d in ((1, 0), (0, 1))))[::2, ::2]
        strong = gradient >= np.quantile(gradient, 0.95)
        for errors, ab in ((ours, grid), (plain, wide)):
            got = chroma(luma, ab.astype(np.float32), picture)
            squares = sum((a - b) ** 2 for a, b in zip(got, own, strict=True))
            errors.append(np.sqrt(squares[strong].mean()))
    assert np.mean(ours) < 0.85 * np.mean(plain)
    assert (np.array(ours) < 1.05 * np.array(plain)).all()


def test_what_cannot_be_is_told():
    luma = np.full((8, 8), 100, np.uint8)
    for shape in ((2, 9, 8), (3, 4, 4), (2, 0, 4), (4, 4)):
        with pytest.raises(UsageError, match="must have the shape"):
            chroma(luma, np.zeros(shape, np.float32), Picture())
    with pytest.raises(ModelError, match="not finite"):
        chroma(luma, np.full((2, 4, 4), np.nan, np.float32), Picture())
