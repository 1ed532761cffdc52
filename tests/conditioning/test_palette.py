"""Colours move towards a palette: nearer the stronger, like colours alike, and lightness stays."""

import numpy as np
import pytest
import skimage.data
import torch
from skimage.color import rgb2lab

from chromagan.conditioning.guidance import Palette
from chromagan.conditioning.palette import palette_of, towards_palette
from chromagan.errors import UsageError

SEA = ("#0b3954", "#087e8b", "#bfd7ea", "#c81d25")


@pytest.fixture(scope="module")
def painting():
    lab = torch.from_numpy(rgb2lab(skimage.data.coffee()[::4, ::4]).astype(np.float32)).permute(2, 0, 1)[None]
    return lab[:, 1:], lab[:, :1]


def distance(ab, palette):
    """Of the painting's colours, on average, to the palette's nearest."""
    colours = rgb2lab(np.array([palette.colours], np.uint8) / 255)[0, :, 1:]
    points = ab[0].flatten(1).T.numpy()
    return np.linalg.norm(points[:, None] - colours, axis=2).min(1).mean()


@pytest.mark.parametrize("colours", [SEA, ("#7a4b2a", "#e0d3b8"), ("#3a7d44",)])
def test_the_stronger_the_nearer(painting, colours):
    ab, L = painting
    far = [distance(ab, Palette(colours))]
    for strength in (0.25, 0.5, 0.75, 1):
        far.append(distance(towards_palette(ab, L, Palette(colours, (), strength)), Palette(colours)))
    assert all(after < before for before, after in zip(far, far[1:], strict=False))
    assert far[-1] < 0.7 * far[0]


def test_gradients_stay(painting):
    """The change is smooth in the painted colour: pixels of nearly one colour move nearly alike."""
    ab, L = painting
    change = (towards_palette(ab, L, Palette(SEA)) - ab)[0]
    flat = torch.cat((0.3 * L[0], ab[0])).flatten(1).T
    order = torch.arange(0, len(flat), 7)
    near = torch.cdist(flat[order], flat[order])
    moved = torch.cdist(change.flatten(1).T[order], change.flatten(1).T[order])
    close = (near > 0) & (near < 1)
    assert close.sum() > 1000
    assert moved[close].max() < 8
    assert moved[close].mean() < 1.5


def test_one_step_for_one_colour_and_half_the_strength_is_half_the_way(painting):
    L = torch.full((1, 1, 8, 8), 60.0)
    ab = torch.full((1, 2, 8, 8), 10.0)
    target = torch.tensor(rgb2lab(np.array([[[30, 120, 160]]], np.uint8) / 255)[0, 0, 1:], dtype=torch.float32)
    whole = towards_palette(ab, L, Palette(((30, 120, 160),)))
    torch.testing.assert_close(whole[0, :, 0, 0], target, atol=0.01, rtol=0)
    half = towards_palette(ab, L, Palette(((30, 120, 160),), (), 0.5))
    torch.testing.assert_close(half, (ab + whole) / 2)


def test_the_main_colours_of_a_picture_have_their_shares():
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:7], pixels[7:] = (200, 30, 40), (20, 60, 210)
    lab = torch.from_numpy(rgb2lab(pixels).astype(np.float32)).permute(2, 0, 1)[None]
    palette = palette_of(lab)
    assert palette.colours == ((200, 30, 40), (20, 60, 210))
    assert palette.shares == pytest.approx((0.7, 0.3))
    with pytest.raises(UsageError, match="strength"):
        Palette(((1, 2, 3),), strength=0)
