import math

import numpy as np
import pytest

from chromagan.metrics.colourfulness import absolute_colourfulness, colourfulness


def test_gray_has_none():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert colourfulness(gray) == absolute_colourfulness(gray) == 0


def test_one_flat_colour_has_its_offset_alone():
    red = np.zeros((5, 4, 3), np.uint8)
    red[..., 0] = 255
    assert colourfulness(red) == pytest.approx(0.3 * math.hypot(255, 127.5))


def test_half_red_half_green_tells_the_two_variants_apart():
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, :, 0] = image[1, :, 1] = 200
    # rg is +-200 with mean 0, yb is 100 throughout.
    assert colourfulness(image) == pytest.approx(200 + 0.3 * 100)
    assert absolute_colourfulness(image) == pytest.approx(0.3 * math.hypot(200, 100))


def test_equals_the_formula_pixel_by_pixel():
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    pixels = [tuple(map(int, p)) for p in image.reshape(-1, 3)]
    rg = [r - g for r, g, _ in pixels]
    yb = [(r + g) / 2 - b for r, g, b in pixels]

    def moments(values):
        mean = sum(values) / len(values)
        return mean, sum((v - mean) ** 2 for v in values) / len(values)

    (m1, v1), (m2, v2) = moments(rg), moments(yb)
    assert colourfulness(image) == pytest.approx(math.sqrt(v1 + v2) + 0.3 * math.sqrt(m1**2 + m2**2))


def test_depth_does_not_matter():
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    assert colourfulness(image.astype(np.uint16) * 257) == colourfulness(image) == colourfulness(image / 255)


@pytest.mark.parametrize("seed", range(20))
def test_constant_opponents_have_no_spread(seed):
    """Sums of squares are exact: a variance of 0 comes out as 0 and never below."""
    rng = np.random.default_rng(seed)
    gray = rng.integers(40, 200, (29, 31, 1))
    tint = rng.integers(-40, 41, 3)
    rg, yb = tint[0] - tint[1], (tint[0] + tint[1]) / 2 - tint[2]
    assert colourfulness((gray + tint).astype(np.uint8)) == pytest.approx(0.3 * np.hypot(rg, yb), abs=1e-12)
