import numpy as np
import pytest
from skimage.color import rgb2lab

from chromagan.metrics.eight_bit import lab_of_8bit
from chromagan.metrics.lightness_difference import largest_lightness_difference


def test_equals_scikit_image():
    a, b = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
    expected = np.abs(rgb2lab(a)[..., 0] - rgb2lab(b)[..., 0]).max() * 2.55
    assert largest_lightness_difference(lab_of_8bit(a), lab_of_8bit(b)) == pytest.approx(expected, abs=1e-2)


def test_black_and_white_are_all_levels_apart():
    black, white = (lab_of_8bit(np.full((1, 1, 3), code, np.uint8)) for code in (0, 255))
    assert largest_lightness_difference(black, white) == pytest.approx(255, abs=1e-3)
    assert largest_lightness_difference(white, white) == 0


@pytest.mark.parametrize("row", [0, 11, 22])
def test_one_pixel_of_many_is_found(row):
    photo = np.full((23, 9, 3), 100, np.uint8)
    image = photo.copy()
    image[row, 4] = 103
    levels = rgb2lab(np.array([[[103] * 3, [100] * 3]], np.uint8))[0, :, 0] * 2.55
    found = largest_lightness_difference(lab_of_8bit(image), lab_of_8bit(photo))
    assert found == pytest.approx(levels[0] - levels[1], abs=1e-3)


def test_sizes_are_checked():
    one, other = (lab_of_8bit(np.zeros((2, width, 3), np.uint8)) for width in (2, 3))
    with pytest.raises(ValueError, match="cannot be compared"):
        largest_lightness_difference(one, other)
