"""Strokes become the tensors that a network sees; what it cannot be shown is told in one line."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from chromagan.conditioning.condition import NOTHING
from chromagan.conditioning.encode import encode, paint_strokes
from chromagan.conditioning.guidance import Guidance, Stroke

LOCAL = frozenset({"local"})
RED, BLUE = (200, 30, 40), (20, 60, 210)


def dot(x, y, radius=0.1, rgb=RED, **more):
    return Stroke("colour", ((x, y),), radius, rgb, **more)


def ab_of(rgb):
    return rgb2lab(np.array([[rgb]], np.uint8) / 255)[0, 0, 1:]


def test_a_line_covers_what_is_within_its_radius():
    path = ((0.2, 0.3), (0.7, 0.8), (0.7, 0.1))
    hints = paint_strokes([Stroke("colour", path, 0.08, RED)], (40, 60))
    assert hints.ab.shape == (1, 2, 40, 60)
    assert hints.mask.shape == (1, 1, 40, 60)
    # The oracle: distance to many points along the path, in pixels of the middle of each.
    steps = np.linspace(0, 1, 4001)[:, None]
    ways = [np.array(a) + steps * (np.array(b) - np.array(a)) for a, b in zip(path, path[1:], strict=False)]
    way = np.concatenate(ways) * (60, 40) - 0.5
    y, x = np.mgrid[:40, :60]
    near = np.hypot(x[..., None] - way[:, 0], y[..., None] - way[:, 1]).min(-1)
    shown, radius = hints.mask[0, 0].numpy() > 0, 0.08 * 40
    assert shown[near < radius - 0.01].all()
    assert not shown[near > radius + 0.01].any()
    np.testing.assert_allclose(hints.ab[0, :, shown].numpy(), np.tile(ab_of(RED)[:, None], shown.sum()), atol=1e-3)
    assert not hints.ab[0, :, ~shown].any()


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (64, 48)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.3, 0.99)])
def test_the_smallest_dot_is_seen_at_its_place(size, place):
    mask = paint_strokes([dot(*place, radius=1e-6)], size).mask[0, 0]
    row, column = (min(int(share * side), side - 1) for share, side in zip(reversed(place), size, strict=True))
    assert mask[row, column] == 1
    assert 1 <= mask.sum() <= 4


def test_coordinates_are_shares_of_the_photo():
    small, large = (paint_strokes([dot(0.25, 0.6, 0.2)], size).mask for size in ((50, 80), (200, 320)))
    reduced = torch.nn.functional.avg_pool2d(large, 4)
    assert (reduced - small).abs().mean() < 0.01


def test_later_strokes_and_higher_orders_lie_on_top():
    here = (slice(None), 16, 16)
    for strokes, top in (
        ([dot(0.5, 0.5), dot(0.5, 0.5, rgb=BLUE)], BLUE),
        ([dot(0.5, 0.5, order=1), dot(0.5, 0.5, rgb=BLUE)], RED),
        ([dot(0.5, 0.5), Stroke("saturation", ((0.5, 0.5),), 0.2)], RED),
    ):
        np.testing.assert_allclose(paint_strokes(strokes, (32, 32)).ab[0][here], ab_of(top), atol=1e-3)
    hints = paint_strokes([dot(0.5, 0.5), Stroke("neutral", ((0.5, 0.5),), 0.03)], (32, 32))
    assert not hints.ab[0][here].any()
    assert hints.mask[0, 0, 16, 16] == 1
    assert hints.ab[0, :, 16, 14].any()


def test_the_mask_holds_the_strength():
    hints = paint_strokes([dot(0.2, 0.2), dot(0.8, 0.8, strength=0.25)], (32, 32))
    assert hints.mask[0, 0, 6, 6] == 1
    assert hints.mask[0, 0, 25, 25] == 0.25
    assert set(hints.mask.unique().tolist()) == {0, 0.25, 1}


def test_nothing_is_nothing_and_strokes_are_local():
    assert encode(Guidance(), (8, 8), frozenset()) is NOTHING
    condition = encode(Guidance((dot(0.5, 0.5),)), (8, 8), LOCAL)
    assert condition.kinds == {"local"}
    assert encode(Guidance((dot(0.5, 0.5),)), (8, 8), frozenset({"overall"})) is NOTHING  # they are carried later
    assert encode(Guidance((Stroke("saturation", ((0.5, 0.5),), 0.1),)), (8, 8), LOCAL) is NOTHING
    assert condition.local.ab.dtype == condition.local.mask.dtype == torch.float32
