"""Lab of 8-bit pictures and mean CIEDE2000 against scikit-image."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from chromagan.metrics.ciede2000 import mean_ciede2000
from chromagan.metrics.eight_bit import lab_of_8bit


def cube():
    """Every combination of 18 codes a channel, in a picture of odd sides."""
    codes = np.arange(0, 256, 15)
    grid = np.stack(np.meshgrid(codes, codes, codes, indexing="ij"), -1)
    return grid.reshape(-1, 27, 3).astype(np.uint8)


def noise(seed, height=150, width=211):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def gray(picture):
    return np.repeat(picture[..., :1], 3, axis=2)


@pytest.mark.parametrize("picture", [cube(), noise(0), gray(noise(1)), np.full((1, 1, 3), 7, np.uint8)])
def test_lab_is_scikit_images(picture):
    expected = rgb2lab(picture)
    for plane, channel in zip(lab_of_8bit(picture), np.moveaxis(expected, 2, 0), strict=True):
        assert plane.dtype == np.float32
        np.testing.assert_allclose(plane, channel, atol=5e-4)


def test_a_view_is_as_good_as_a_copy():
    picture = noise(2)[::2, ::-1]
    for a, b in zip(lab_of_8bit(picture), lab_of_8bit(picture.copy()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_pictures_are_refused():
    for wrong in (noise(0)[..., 0], noise(0).astype(np.float32), noise(0)[:0]):
        with pytest.raises(ValueError, match="8-bit picture"):
            lab_of_8bit(wrong)


PAIRS = {
    "noise": (noise(0), noise(1)),
    "close": (noise(0), (noise(0).astype(int) + noise(1) % 5 - 2).clip(0, 255).astype(np.uint8)),
    "cube": (cube(), cube()[::-1].copy()),
    "gray and colour": (gray(noise(0)), noise(1)),
    "two grays": (gray(noise(0)), gray(noise(1))),
    "black": (np.zeros_like(noise(0)), noise(1)),
    "blue": (noise(0) // np.array([4, 4, 1], np.uint8), noise(1) // np.array([5, 3, 1], np.uint8)),
    "one pixel": (noise(0, 1, 1), noise(1, 1, 1)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_mean_ciede2000_is_scikit_images(name):
    for a, b in (PAIRS[name], PAIRS[name][::-1]):
        expected = deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean()
        assert mean_ciede2000(lab_of_8bit(a), lab_of_8bit(b)) == pytest.approx(expected, abs=3e-4)


def test_identical_pictures_are_exactly_alike():
    lab = lab_of_8bit(noise(3))
    assert mean_ciede2000(lab, lab_of_8bit(noise(3))) == 0


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="cannot be compared"):
        mean_ciede2000(lab_of_8bit(noise(0)), lab_of_8bit(noise(0)[1:]))
