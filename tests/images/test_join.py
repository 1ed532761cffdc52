import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.color import rgb2lab

import chromagan.images.join as join_module
from chromagan.color.gamut import lab_to_srgb_keeping_lightness
from chromagan.color.lab import rgb_to_lab, rgb_to_lightness
from chromagan.errors import ModelError, UsageError
from chromagan.images.join import join_chroma


def photo(height, width, seed=0, dtype=np.uint8, channels=()):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, (height, width, *channels)).astype(dtype)


def chroma(height, width, seed=0, scale=40.0):
    return np.random.default_rng(seed + 100).normal(0, scale, (2, height, width)).astype(np.float32)


def as_rgb(pixels):
    planes = torch.from_numpy(pixels.astype(np.float64) / np.iinfo(pixels.dtype).max)
    return planes.expand(1, 3, -1, -1) if planes.ndim == 2 else planes.permute(2, 0, 1)[None]


def oracle(pixels, ab, saturation=1.0):
    """Unrounded codes, in torch and float64. Neutral is the gray pixel's own ab (below 0.005, from Lab's constants)."""
    L = rgb_to_lightness(as_rgb(pixels))
    gray = rgb_to_lab((((L + 16) / 116) ** 3).clamp(0, 1).sqrt().expand(-1, 3, -1, -1))[:, 1:]
    wide = torch.from_numpy(np.asarray(ab, np.float64))[None]
    if wide.shape[2:] != L.shape[2:]:
        wide = F.interpolate(wide, size=L.shape[2:], mode="bicubic", align_corners=False)
    rgb = lab_to_srgb_keeping_lightness(L, wide * saturation + gray)
    return (rgb[0].permute(1, 2, 0) * np.iinfo(pixels.dtype).max).numpy()


def levels_of_lightness(result, pixels):
    """How far the result's L is from the photo's, in levels of the photo's depth."""
    error = rgb_to_lightness(as_rgb(result)) - rgb_to_lightness(as_rgb(pixels))
    return error.abs().max().item() / 100 * np.iinfo(pixels.dtype).max


@pytest.mark.parametrize("scale", [10.0, 40.0, 110.0])
@pytest.mark.parametrize(
    ("size", "grid"),
    [((160, 200), (20, 25)), ((97, 131), (31, 17)), ((64, 48), (64, 48)), ((33, 257), (5, 257)), ((50, 30), (50, 7))],
)
def test_8_bit_agrees_with_the_torch_path(size, grid, scale):
    pixels, ab = photo(*size), chroma(*grid, scale=scale)
    result = join_chroma(pixels, ab)
    assert result.shape == (*size, 3)
    assert result.dtype == np.uint8
    expected = np.rint(oracle(pixels, ab))
    error = np.abs(result - expected)
    assert error.max() <= 1
    assert (error == 0).mean() > 0.99
    assert levels_of_lightness(result, pixels) <= 1


def test_a_smooth_photo_in_several_bands_and_tiles_agrees_too(monkeypatch):
    monkeypatch.setattr(join_module, "_TILE", 700)
    monkeypatch.setattr(join_module, "_BAND", 2000)
    pixels, ab = photo(90, 110), chroma(12, 14)
    assert np.abs(join_chroma(pixels, ab) - np.rint(oracle(pixels, ab))).max() <= 1
    dense = chroma(80, 14)  # more source rows in a tile than the dense product takes
    monkeypatch.setattr(join_module, "_TILE", 4000)
    assert np.abs(join_chroma(pixels, dense) - np.rint(oracle(pixels, dense))).max() <= 1


@pytest.mark.parametrize("channels", [(), (3,)])
def test_lightness_over_every_gray_level_and_a_dense_set_of_ab(channels):
    """256 levels x 111 x 111 ab on [-110, 110]: each row of the photo is one gray level."""
    ramp = np.arange(-110, 111, 2, dtype=np.float32)
    ab = np.stack(np.meshgrid(ramp, ramp, indexing="ij")).reshape(2, 1, -1)
    for start in range(0, 256, 32):
        levels = np.arange(start, start + 32, dtype=np.uint8)
        pixels = np.ascontiguousarray(np.broadcast_to(levels[:, None], (32, ab.shape[2])))
        if channels:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        result = join_chroma(pixels, ab)
        linear = srgb_light(np.arange(256) / 255).astype(np.float32)[result]
        luminance = linear @ np.array([0.212671, 0.715160, 0.072169], np.float32)
        lightness = cie_lightness(luminance)
        own = cie_lightness(srgb_light(levels / 255))[:, None]
        assert np.abs(lightness - own).max() * 2.55 <= 1


def test_every_gray_level_on_a_grid_of_ab_agrees_with_the_torch_path():
    ramp = np.arange(-110, 111, 11, dtype=np.float32)
    ab = np.stack(np.meshgrid(ramp, ramp, indexing="ij")).reshape(2, 1, -1)
    pixels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], ab.shape[2], axis=1)
    error = np.abs(join_chroma(pixels, ab) - np.rint(oracle(pixels, np.broadcast_to(ab, (2, *pixels.shape)))))
    assert error.max() <= 1
    assert (error == 0).mean() > 0.99


def srgb_light(code):
    return np.where(code > 0.04045, ((code + 0.055) / 1.055) ** 2.4, code / 12.92)


def cie_lightness(light):
    return np.where(light > 0.008856, 116 * np.cbrt(light) - 16, 903.3 * light)


def test_16_bit_lightness_and_agreement():
    levels = np.r_[0:600:7, 600:65536:331, 65535].astype(np.uint16)
    ramp = np.arange(-105, 106, 15, dtype=np.float32)
    ab = np.stack(np.meshgrid(ramp, ramp, indexing="ij")).reshape(2, 1, -1)
    pixels = np.ascontiguousarray(np.broadcast_to(levels[:, None], (len(levels), ab.shape[2])))
    result = join_chroma(pixels, ab)
    assert result.dtype == np.uint16
    assert levels_of_lightness(result, pixels) <= 1
    expected = oracle(pixels, np.broadcast_to(ab, (2, *pixels.shape)))
    # In 8-bit levels. Where the surface of sRGB is grazed, rounding moves the meeting point a little along it.
    error = np.abs(result - expected) / 257
    assert error.max() < 1
    assert np.quantile(error, 0.99) < 0.05
    inside = np.abs(ab[:, 0]).max(0) <= 15
    middle = (levels > 20_000) & (levels < 55_000)
    assert np.abs(result - expected)[middle][:, inside].max() < 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_chroma_gives_back_every_gray_level_exactly(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(256, -1)
    gray = np.repeat(levels[..., None], 3, axis=2)
    np.testing.assert_array_equal(join_chroma(levels, np.zeros((2, 3, 4), np.float32)), gray)
    np.testing.assert_array_equal(join_chroma(levels, 0 * chroma(8, 9)), gray)
    assert np.abs(join_chroma(gray, np.zeros((2, 1, 1))).astype(int) - gray).max() <= (0 if dtype == np.uint8 else 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_of_a_colour_photo_only_the_lightness_is_kept(dtype):
    pixels = photo(40, 60, dtype=dtype, channels=(3,))
    ab = chroma(6, 8)
    result = join_chroma(pixels, ab)
    assert levels_of_lightness(result, pixels) <= 1
    assert np.abs(result - oracle(pixels, ab)).max() * 255 / np.iinfo(dtype).max <= 1
    gray = join_chroma(pixels, np.zeros((2, 1, 1), np.float32))
    assert (gray.max(2) == gray.min(2)).all()


def test_scikit_image_reads_the_wanted_lab_back():
    pixels = np.full((8, 8), 140, np.uint8)
    wanted = np.array([18.0, -25.0])
    lab = rgb2lab(join_chroma(pixels, np.broadcast_to(wanted[:, None, None], (2, 8, 8))))[0, 0]
    np.testing.assert_allclose(lab[1:], wanted, atol=0.6)
    assert abs(lab[0] - rgb2lab(np.full((1, 1, 3), 140, np.uint8))[0, 0, 0]) < 0.2


@pytest.mark.parametrize("size", [(96, 64), (300, 411)])
def test_lightness_itself_is_joined_like_the_pixels_that_have_it(size):
    pixels, ab = photo(*size), chroma(8, 9)
    L = rgb2lab(np.repeat(pixels[..., None], 3, axis=2))[..., 0].astype(np.float32)
    difference = np.abs(join_chroma(L, ab).astype(int) - join_chroma(pixels, ab))
    assert difference.max() <= 1
    assert difference.mean() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 57), (83, 1), (2, 3), (700, 3), (3, 700)])
@pytest.mark.parametrize("grid", [(1, 1), (1, 5), (7, 1), (3, 3)])
def test_any_size(size, grid):
    pixels, ab = photo(*size), chroma(*grid, scale=15)
    result = join_chroma(pixels, ab)
    assert result.shape == (*size, 3)
    assert levels_of_lightness(result, pixels) <= 1
    if grid[0] <= size[0] and grid[1] <= size[1]:
        assert np.abs(result - oracle(pixels, ab)).max() <= 1.02


def test_a_grid_larger_than_the_photo_is_averaged():
    pixels, ab = photo(20, 24), chroma(60, 72)
    mean = ab.reshape(2, 20, 3, 24, 3).mean((2, 4))
    assert np.abs(join_chroma(pixels, ab) - np.rint(oracle(pixels, mean))).max() <= 1
    tall = chroma(60, 8)
    assert levels_of_lightness(join_chroma(pixels, tall), pixels) <= 1


def test_constant_lightness_makes_a_colour_layer():
    ab = chroma(9, 9, scale=60)
    layer = join_chroma(photo(45, 45), ab, lightness=60.0)
    error = rgb_to_lightness(as_rgb(layer)) - 60
    assert error.abs().max() * 2.55 <= 1
    np.testing.assert_array_equal(layer, join_chroma(photo(45, 45, seed=5), ab, lightness=60.0))
    assert join_chroma(photo(4, 4), ab, lightness=0.0).max() == 0
    assert join_chroma(photo(4, 4), ab, lightness=100.0).min() == 255


def test_threads_and_input_kinds_do_not_change_the_result(monkeypatch):
    monkeypatch.setattr(join_module, "_TILE", 5000)
    monkeypatch.setattr(join_module, "_BAND", 10_000)
    pixels, ab = photo(400, 300), chroma(50, 38)
    expected = join_chroma(pixels, ab, threads=1)
    for threads in (2, 5):
        np.testing.assert_array_equal(join_chroma(pixels, ab, threads=threads), expected)
    before = torch.get_num_threads()
    np.testing.assert_array_equal(join_chroma(pixels, torch.from_numpy(ab)[None].requires_grad_()), expected)
    assert torch.get_num_threads() == before
    np.testing.assert_array_equal(join_chroma(pixels, ab.astype(np.float64)), expected)
    np.testing.assert_array_equal(join_chroma(np.asfortranarray(pixels), ab), expected)
    np.testing.assert_array_equal(join_chroma(pixels[::-1], ab[:, ::-1]).shape, expected.shape)
    frozen = pixels.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(join_chroma(frozen, ab), expected)
    np.testing.assert_array_equal(frozen, photo(400, 300))


def test_wrong_input_is_named():
    pixels, ab = photo(8, 8), chroma(2, 2)
    for arguments, word in (
        ((photo(8, 8, channels=(3,)).astype(np.float32), ab), "uint8"),
        ((pixels.astype(np.float64), ab), "uint8"),
        ((photo(8, 8, channels=(4,)), ab), "shape"),
        ((pixels[:0], ab), "shape"),
        ((pixels, ab[0]), "chroma"),
        ((pixels, np.zeros((2, 2, 4, 4))), "chroma"),
        ((pixels, ab, 101.0), "lightness"),
        ((pixels, ab, float("nan")), "lightness"),
    ):
        with pytest.raises(UsageError, match=word):
            join_chroma(*arguments)
    with pytest.raises(ModelError, match="finite"):
        join_chroma(pixels, np.full((2, 2, 2), np.nan))


def test_an_array_to_write_to_that_does_not_fit_is_refused():
    photo, ab = np.zeros((4, 6, 3), np.uint8), np.zeros((2, 1, 1), np.float32)
    for out in (np.zeros((4, 12, 3), np.uint8)[:, ::2], np.zeros((4, 5, 3), np.uint8), np.zeros((4, 6, 3), np.uint16)):
        with pytest.raises(UsageError, match="the array to write to"):
            join_chroma(photo, ab, out=out)
