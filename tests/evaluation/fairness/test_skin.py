"""Typology angles and the choice of skin pixels, on faces whose skin is known."""

import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from chromagan.evaluation.fairness.skin import (
    GROUPINGS,
    FaceBox,
    choose_skin,
    group_of,
    ita_degrees,
    pixels_to_lab,
    skin_in_box,
    skin_in_mask,
)

BOX = FaceBox(10, 20, 120, 120)


def to_8bit(lab):
    return np.rint(lab2rgb(lab) * 255).clip(0, 255).astype(np.uint8)


def face(L, a, b, seed=0):
    """A photo of a face in `BOX`, and where its skin is: eyes, their whites and blue hair are no skin."""
    lab = np.empty((150, 160, 3))
    lab[:] = (60, 5, -30)
    rows, columns = np.mgrid[:150, :160]
    skin = ((rows - 70) / 58) ** 2 + ((columns - 80) / 46) ** 2 < 1
    noise = np.random.default_rng(seed).normal(0, 2, (150, 160))
    lab[skin] = np.stack((L + noise, np.full_like(noise, a), np.full_like(noise, b)), -1)[skin]
    for column in (62, 98):
        white = (np.abs(rows - 58) < 4) & (np.abs(columns - column) < 9)
        lab[white] = (min(L + 15, 98), 0.2, 0.3)
        lab[white & (np.abs(columns - column) < 4)] = (8, 2, 2)
        skin &= ~white
    hair = rows < 36
    lab[hair] = (30, 0, -20)
    return to_8bit(lab), skin & ~hair


TONES = [(82, 9, 13), (68, 14, 18), (50, 14, 20), (32, 11, 14), (18, 7, 8)]


@pytest.mark.parametrize(
    ("L", "b", "angle"), [(60, 10, 45), (50, 10, 0), (40, 10, -45), (50 + 10 * 3**0.5, 10, 60), (60, 0, 90)]
)
def test_typology_angle_of_known_triangles(L, b, angle):
    assert ita_degrees(L, b) == pytest.approx(angle)


@pytest.mark.parametrize(
    ("angle", "group"),
    [
        (55.1, "very light"), (55, "light"), (41.1, "light"), (41, "intermediate"), (28, "tan"), (10.1, "tan"),
        (10, "brown"), (-29.9, "brown"), (-30, "dark"), (-90, "dark"), (-180, "dark"), (120, "very light"),
    ],
)  # fmt: skip
def test_groups_have_the_published_limits(angle, group):
    assert group_of(angle) == group


@pytest.mark.parametrize(("L", "group"), [(100, "L* over 75"), (75, "L* 65-75"), (45.1, "L* 45-55"), (0, "L* to 35")])
def test_groups_by_lightness(L, group):
    assert group_of(L, "lightness") == group


@pytest.mark.parametrize("grouping", list(GROUPINGS))
def test_groups_leave_no_gap(grouping):
    limits = list(GROUPINGS[grouping].values())
    assert [low for low, _ in limits[:-1]] == [high for _, high in limits[1:]]


def test_pixels_to_lab_is_that_of_scikit_image():
    pixels = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    np.testing.assert_allclose(pixels_to_lab(pixels), rgb2lab(pixels), atol=1e-4)


@pytest.mark.parametrize("tone", TONES)
def test_skin_of_a_face_is_found_whatever_its_tone(tone):
    picture, skin = face(*tone)
    region = skin_in_box(picture, BOX)
    height, width = region.mask.shape
    truth = skin[region.top : region.top + height, region.left : region.left + width]
    assert (region.mask & ~truth).sum() < 0.01 * region.pixels
    # Of the ellipse (pi x 36 x 34.8 pixels) about two thirds are between the percentiles.
    assert 0.55 < region.pixels / (np.pi * 36 * 34.8) < 0.75
    np.testing.assert_allclose(region.lab(picture).mean(0)[1:], tone[1:], atol=0.3)
    assert region.lab(picture)[:, 0].mean() == pytest.approx(tone[0], abs=1)


def test_the_rule_knows_neither_lightness_nor_strength_of_colour():
    rng = np.random.default_rng(0)
    lab = np.stack((rng.uniform(55, 95, 4000), rng.normal(16, 3, 4000), rng.normal(20, 4, 4000)), -1)
    chosen = choose_skin(lab)
    assert 0.5 < chosen.mean() < 0.7
    np.testing.assert_array_equal(choose_skin(lab - (50, 0, 0)), chosen)
    np.testing.assert_array_equal(choose_skin(lab * (1, 0.5, 0.5)), chosen)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (-20, 5), (5, -30), (0.5, 0.5)])
def test_what_has_no_skin_hue_is_no_face(a, b):
    assert skin_in_box(to_8bit(np.full((150, 160, 3), (60.0, a, b))), BOX) is None


def test_few_pixels_are_no_face():
    picture, _ = face(*TONES[0])
    assert skin_in_box(picture, FaceBox(60, 70, 10, 10)) is None
    assert skin_in_box(picture, FaceBox(500, 500, 50, 50)) is None


def test_a_box_may_reach_over_the_edge():
    picture, _ = face(*TONES[1])
    whole, cut = skin_in_box(picture, BOX), skin_in_box(picture[:, 75:], FaceBox(10, -55, 120, 120))
    assert cut.left == 0
    assert cut.mask.shape[0] == whole.mask.shape[0]
    assert 0.3 < cut.pixels / whole.pixels < 0.8


@pytest.mark.parametrize("channels", [None, 3])
def test_masks_are_taken_as_they_are(channels):
    mask = np.zeros((30, 40), np.uint8)
    mask[5:12, 8:20] = 1
    mask[7, 9] = 0
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    given = mask if channels is None else np.stack((mask * 0, mask, mask * 0), -1)
    region = skin_in_mask(given)
    assert (region.top, region.left, region.mask.shape, region.pixels) == (5, 8, (7, 12), 83)
    np.testing.assert_allclose(region.lab(picture), rgb2lab(picture)[mask == 1], atol=1e-4)
    assert skin_in_mask(given * 0) is None
