"""Densities of colours against closed forms and scikit-image."""

import io
import math

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from chromagan.evaluation.comparison_report.ab_density import AB_STEP, CELLS, CHROMA_STEP, PIXELS_A_PICTURE, AbDensity

RNG = np.random.default_rng(3)


def density_of(*pictures):
    density = AbDensity()
    for picture in pictures:
        density.update(picture)
    return density


def test_gray_is_one_cell_without_chroma():
    density = density_of(RNG.integers(0, 256, (40, 30), dtype=np.uint8))
    assert density.cells[CELLS // 2, CELLS // 2] == pytest.approx(1)
    assert density.cells.sum() == pytest.approx(1)
    assert density.chroma_shares()[0] == pytest.approx(1)
    assert density.mean_chroma == pytest.approx(0, abs=1e-2)


def test_counts_are_those_of_scikit_image():
    picture = RNG.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    density = density_of(picture)
    ab = rgb2lab(picture)[..., 1:].reshape(-1, 2)
    chroma = np.hypot(*ab.T)
    assert density.mean_chroma == pytest.approx(chroma.mean(), abs=1e-2)
    edges = (np.arange(CELLS + 1) - CELLS // 2 - 0.5) * AB_STEP
    expected, _, _ = np.histogram2d(ab[:, 1], ab[:, 0], bins=(edges, edges))
    # A pixel within rounding of an edge may fall either side of it.
    assert np.abs(density.cells * len(ab) - expected).sum() <= 4
    shares, _ = np.histogram(chroma, bins=np.arange(len(density.chroma) + 1) * CHROMA_STEP)
    assert np.abs(density.chroma_shares() * len(ab) - shares).sum() <= 4


def test_pictures_weigh_alike_and_large_ones_are_thinned():
    red, blue = (
        np.full((*size, 3), colour, np.uint8) for size, colour in (((9, 9), (255, 0, 0)), ((700, 900), (0, 0, 255)))
    )
    density = density_of(red, blue)
    shares = density.cells / density.pictures
    assert sorted(shares[shares > 0]) == pytest.approx([0.5, 0.5])
    chroma = [float(np.hypot(*rgb2lab(one[:1, :1])[0, 0, 1:])) for one in (red, blue)]
    assert density.mean_chroma == pytest.approx(np.mean(chroma), abs=0.02)
    step = math.ceil(math.sqrt(700 * 900 / PIXELS_A_PICTURE))
    assert len(range(0, 700, step)) * len(range(0, 900, step)) <= PIXELS_A_PICTURE


def test_picture_of_the_density_points_the_right_way():
    png = Image.open(
        io.BytesIO(density_of(np.full((8, 8, 3), (255, 220, 0), np.uint8)).png())
    )  # yellow: b high, a near 0
    assert (png.mode, png.size) == ("RGBA", (CELLS, CELLS))
    ((y, x),) = np.argwhere(np.array(png)[..., 3] > 0)
    assert y < CELLS // 4
    assert abs(x - CELLS // 2) < 8
    red, green, blue, alpha = png.getpixel((int(x), int(y)))
    assert alpha == 255
    assert min(red, green) > blue + 80
