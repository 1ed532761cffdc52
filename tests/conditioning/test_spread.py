"""What is wished at places: it is met, it reaches what belongs to it, and it stays on its side of an edge."""

import numpy as np
import pytest
import torch

from chromagan.color.gamut import fit_chroma, nearest_in_gamut
from chromagan.color.lab import lab_to_rgb
from chromagan.conditioning.condition import LocalHints
from chromagan.conditioning.guidance import Stroke
from chromagan.conditioning.local_saturation import saturate_locally
from chromagan.conditioning.spread import spread
from chromagan.conditioning.terrain import Terrain

HALVES = np.full((96, 128), 35, np.float32)
HALVES[:, 64:] = 75


def wishes(*squares, shape=(96, 128)):
    """(top, left, side, (a, b), strength) each."""
    ab, mask = torch.zeros(1, 2, *shape), torch.zeros(1, 1, *shape)
    for top, left, side, colour, strength in squares:
        place = (slice(top, top + side), slice(left, left + side))
        ab[0, :, *place] = torch.tensor(colour)[:, None, None]
        mask[0, 0, *place] = strength
    return LocalHints(ab, mask)


def carried(L, given, ab=None, features=None):
    lightness = torch.from_numpy(L)[None, None]
    ab = torch.zeros(1, 2, *L.shape) if ab is None else ab
    return spread(ab, given, lightness, Terrain(L, features))[0].numpy()


def test_a_wish_is_met_reaches_its_side_and_stops_at_the_edge():
    ab = carried(HALVES, wishes((40, 20, 5, (20.0, 10.0), 1.0)))
    assert np.abs(ab[:, 40:45, 20:25] - np.array([20, 10])[:, None, None]).max() < 1e-5
    assert ab[0, 34:51, 14:31].min() > 16  # no dot
    assert np.abs(ab[:, :, 68:]).max() < 1


def test_two_wishes_each_hold_their_place_and_nothing_lies_beyond_them():
    noise = np.random.default_rng(0).normal(0, 1.5, (96, 128)).astype(np.float32)
    ab = carried(np.full((96, 128), 50, np.float32) + noise,
                 wishes((40, 20, 4, (30.0, 0.0), 1.0), (40, 60, 4, (-30.0, 0.0), 1.0)))  # fmt: skip
    assert ab[0, 42, 22] == pytest.approx(30)
    assert ab[0, 42, 62] == pytest.approx(-30)
    assert np.abs(ab[0]).max() <= 30.001
    assert ab[0, 42, 30] > 5
    assert ab[0, 42, 52] < -5


def test_a_weak_wish_goes_as_far_as_it_is_firm():
    weak, firm = (carried(HALVES, wishes((40, 20, 5, (20.0, 10.0), strength))) for strength in (0.25, 1.0))
    assert np.abs(weak - 0.25 * firm)[:, 34:51, 14:31].max() < 0.3
    np.testing.assert_allclose(weak[:, 40:45, 20:25], 0.25 * firm[:, 40:45, 20:25], atol=1e-5)


def test_gray_takes_all_colour_away_whatever_is_painted():
    painted = torch.from_numpy(np.random.default_rng(1).uniform(-30, 30, (1, 2, 96, 128)).astype(np.float32))
    ab = carried(HALVES, wishes((40, 20, 5, (0.0, 0.0), 1.0)), painted)
    assert np.abs(ab[:, 34:51, 14:31]).max() < 8
    assert np.abs(ab[:, :, 70:] - painted[0, :, :, 70:].numpy()).max() < 1e-3


def test_nothing_wished_changes_nothing_and_a_photo_of_one_pixel_can_be_wished_for():
    painted = torch.ones(1, 2, 96, 128)
    assert carried(HALVES, wishes(), painted).min() == 1
    one = carried(np.full((1, 1), 50, np.float32), wishes((0, 0, 1, (9.0, 4.0), 1.0), shape=(1, 1)))
    assert one.ravel().tolist() == [9, 4]


def test_a_wish_out_of_gamut_is_moved_as_little_as_possible():
    L = torch.tensor([30.0, 70.0, 95.0, 50.0])
    ab = torch.tensor([[10.0, -90.0, 60.0, 90.0], [-100.0, 80.0, 5.0, 90.0]])
    moved = nearest_in_gamut(L, ab)
    angle = torch.linspace(0, 2 * torch.pi, 4001)[:-1]
    for lightness, wish, found in zip(L, ab.T, moved.T, strict=True):
        far = 200 * torch.stack([angle.cos(), angle.sin()]).view(1, 2, 1, -1)
        rim = fit_chroma(lightness.expand(1, 1, 1, 4000), far)
        closest = (rim.view(2, -1) - wish[:, None]).norm(dim=0).min()
        assert (found - wish).norm() == pytest.approx(float(closest), abs=0.3)
        rgb = lab_to_rgb(torch.cat([lightness[None], found]).view(1, 3, 1, 1), clip=False)
        assert -1e-3 <= rgb.min() <= rgb.max() <= 1.001
    inside = torch.tensor([[5.0], [-4.0]])
    assert torch.equal(nearest_in_gamut(L[:1], inside), inside)


def test_saturation_strokes_act_under_the_brush_and_keep_to_edges():
    L = torch.from_numpy(HALVES)[None, None]
    ab = torch.full((1, 2, 96, 128), 10.0)
    stroke = Stroke("saturation", ((0.1, 0.5), (0.3, 0.5)), radius=0.2, strength=2)
    made = saturate_locally(ab, (stroke,), L)[0, 0].numpy()
    assert made[48, 30] == pytest.approx(20, abs=0.1)
    assert np.abs(made[:, 80:] - 10).max() < 0.2
    assert made[5, 30] == pytest.approx(10, abs=0.1)
    assert saturate_locally(ab, (Stroke("neutral", ((0.5, 0.5),), 0.1),), L) is ab


def test_small_differences_that_agree_are_a_cast_and_one_large_one_is_not():
    L = np.random.default_rng(2).uniform(20, 80, (96, 128)).astype(np.float32)  # edges everywhere: nothing is reached
    places = [(10 + 30 * row, 10 + 24 * column) for row in range(3) for column in range(5)]
    far = (slice(None), slice(24, 27), slice(94, 97))
    one = carried(L, wishes((40, 10, 4, (30.0, 0.0), 1.0)))[far]
    small = carried(L, wishes((40, 10, 4, (6.0, 0.0), 1.0)))[far]
    many = carried(L, wishes(*((*place, 4, (6.0, 0.1 * n), 1.0) for n, place in enumerate(places))))[far]
    large = carried(L, wishes((5, 2, 50, (6.0, 0.0), 1.0)))[far]  # a large wish is one wish
    assert np.abs(one).max() < 1
    assert np.abs(small).max() < 3
    assert many[0].min() > 5
    assert np.abs(large).max() < 3


def test_a_network_that_was_shown_wishes_is_heard_by_how_much_they_say_together():
    noise = np.random.default_rng(3).normal(0, 1.5, (96, 128)).astype(np.float32)
    L = HALVES + noise
    lightness, terrain = torch.from_numpy(L)[None, None], Terrain(L)
    painted, shown = torch.zeros(1, 2, 96, 128), torch.zeros(1, 2, 96, 128)
    shown[..., 64:] = 20.0  # it recolours the other half
    few = wishes((40, 20, 5, (25.0, 10.0), 1.0))
    many = wishes(*((4 + 12 * row, 4 + 9 * column, 4, (3.0, 0.2 * column + 0.01 * row), 1.0)
                    for row in range(7) for column in range(6)))  # fmt: skip
    for given, least, most in ((few, 0, 0.05), (many, 0.4, 0.7)):
        without, alone = (spread(ab, given, lightness, terrain) for ab in (painted, shown))
        heard = spread(painted, given, lightness, terrain, shown)
        there = given.mask[0, 0] > 0
        assert torch.allclose(heard[0, :, there], given.ab[0, :, there], atol=1e-4)
        apart = (alone - without)[0, 1]
        told = ~there & (apart.abs() > 0.5)
        share = (heard - without)[0, 1][told] / apart[told]
        assert least <= float(share.mean()) <= most
        assert -0.01 <= float(share.min()) <= float(share.max()) <= 1.01
