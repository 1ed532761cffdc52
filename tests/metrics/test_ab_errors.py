"""Errors of ab against their definitions, written out."""

import math

import numpy as np
import pytest
from skimage.color import rgb2lab

from chromagan.metrics.ab_errors import ab_errors
from chromagan.metrics.eight_bit import lab_of_8bit


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, (23, 31, 3), np.uint8)


def test_against_the_definitions():
    a, b = noise(0), noise(1)
    found = ab_errors(lab_of_8bit(a), lab_of_8bit(b))
    difference = (rgb2lab(a) - rgb2lab(b))[..., 1:]
    assert found.mse == pytest.approx(np.mean(difference**2), rel=1e-5)
    distance = np.hypot(difference[..., 0], difference[..., 1])
    curve = [np.mean(distance <= threshold) for threshold in range(151)]
    assert found.auc == pytest.approx(np.mean(curve), abs=1e-6)
    assert found.psnr == pytest.approx(10 * math.log10(255**2 / np.mean(difference**2)), abs=1e-4)


def test_equal_colours_of_another_lightness_have_no_error():
    lab = lab_of_8bit(noise(0))
    found = ab_errors((lab[0] + 5, lab[1], lab[2]), lab)
    assert (found.mse, found.auc, found.psnr) == (0, 1, math.inf)


@pytest.mark.parametrize(("offset", "within"), [(30.0, 121), (30.5, 120), (150.0, 1), (150.5, 0), (400.0, 0)])
def test_a_constant_error_passes_the_thresholds_from_its_size_on(offset, within):
    zero = np.zeros((4, 5), np.float32)
    assert ab_errors((zero, zero + np.float32(offset), zero), (zero, zero, zero)).auc == pytest.approx(within / 151)


def test_the_error_is_the_mean_over_pixels_and_two_channels():
    zero, one_pixel = np.zeros((4, 5), np.float32), np.zeros((4, 5), np.float32)
    one_pixel[0, 0] = 10
    assert ab_errors((zero + 50, zero + 3, zero), (zero, zero, zero)).mse == pytest.approx(9 / 2)
    assert ab_errors((zero + 50, zero, one_pixel), (zero, zero, zero)).mse == pytest.approx(100 / 40)


def test_sizes_must_agree():
    lab = lab_of_8bit(noise(0))
    with pytest.raises(ValueError, match="cannot be compared"):
        ab_errors(lab, tuple(plane[1:] for plane in lab))
