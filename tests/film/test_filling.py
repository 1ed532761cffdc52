"""What no path reaches looks like itself in a key frame nearby, or takes its colour from around."""

import numpy as np

from chromagan.film.filling import filled

RED, GREEN = np.array([50, 30], np.float32), np.array([-30, 20], np.float32)


def scene(left, texture=0.0):
    """A bright red square before a dark green ground, its left edge at a column."""
    L, ab = np.full((90, 160), 30, np.float32), np.tile(GREEN, (90, 160, 1))
    L += texture * np.random.default_rng(0).standard_normal(L.shape).astype(np.float32)
    L[30:60, left : left + 30], ab[30:60, left : left + 30] = 70, RED
    return L, ab


def test_a_thing_takes_its_own_colour_from_where_it_was():
    (L, truth), there = scene(60, 2.0), scene(67, 2.0)
    known = np.ones((90, 160), np.float32)
    known[25:65, 55:95] = 0
    smeared = np.tile(GREEN, (90, 160, 1))
    got = filled(smeared, known, L, [there])
    assert np.percentile(np.abs(got - truth).mean(-1), 98) < 3
    assert np.array_equal(got[:15], smeared[:15])


def test_what_is_nowhere_takes_its_colour_from_around_under_lightness():
    L, truth = scene(60)
    known = np.ones((90, 160), np.float32)
    known[40:46, 55:70] = 0  # across the square's edge
    nothing = (np.full((90, 160), 100, np.float32), np.zeros((90, 160, 2), np.float32))
    lost = np.where(known[..., None] > 0, truth, 0)
    got = filled(lost, known, L, [nothing])
    assert np.abs(got - truth).mean(-1)[known == 0].mean() < 6
    assert np.abs(lost - truth).mean(-1)[known == 0].mean() > 25


def test_what_is_known_is_left_alone():
    L, ab = scene(60)
    assert filled(ab, np.ones((90, 160), np.float32), L, []) is ab
    specks = np.ones((90, 160), np.float32)
    specks[10, ::20] = 0  # grain, no hole
    assert filled(ab, specks, L, []) is ab


def test_nothing_known_at_all_gives_a_colour():
    gray = np.full((2, 3), 50, np.float32)
    got = filled(np.zeros((2, 3, 2), np.float32), 0 * gray, gray, [(gray, np.tile(RED, (2, 3, 1)))])
    assert np.allclose(got, RED, atol=0.1)
