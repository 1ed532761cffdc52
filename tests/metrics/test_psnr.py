import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.metrics.psnr import psnr


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (31, 17, 3), dtype=np.uint8)
    image = np.clip(truth + rng.integers(-20, 20, truth.shape), 0, 255).astype(np.uint8)
    return image, truth


def test_equals_scikit_image(pair):
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0], data_range=255), abs=1e-9)


def test_closed_form():
    assert psnr(np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 15, np.uint8)) == pytest.approx(
        20 * math.log10(255 / 5)
    )
    assert psnr(np.zeros((2, 2), np.uint8), np.full((2, 2, 3), 255, np.uint8)) == 0


def test_rounds_to_8_bit_first(pair):
    image, truth = pair
    assert psnr(image / 255, truth) == pytest.approx(psnr(image, truth), abs=1e-12)
    dark = image.clip(0, 254)
    assert psnr(dark.astype(np.uint16) * 257 + 100, truth) == psnr(dark, truth)
    assert psnr(truth / 255 + np.where(truth < 128, 0.4, -0.4) / 255, truth) == math.inf


def test_16_bit_rounding_is_the_nearest_level():
    codes = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(to_8bit_rgb(codes)[..., 1], np.rint(codes / 257.0))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((3, 3, 3), np.uint8),
        np.zeros((0, 2, 3), np.uint8),
        np.full((2, 2, 3), 1.5),
        np.full((2, 2, 3), np.nan),
        np.zeros((2, 2, 3), np.int64),
    ],
)
def test_what_is_no_picture_or_of_another_size_is_refused(image):
    with pytest.raises(ValueError):
        psnr(image, np.zeros((2, 2, 3), np.uint8))
