"""Suggested colours: the modes of a distribution, or of what is painted around, at the place's lightness."""

import pytest
import torch
from skimage.color import rgb2lab

from chromagan.color.ab_bins import AbBins
from chromagan.conditioning.suggest import suggest


def lab_of(rgb):
    return torch.tensor(rgb2lab([[[value / 255 for value in rgb]]])[0, 0])


def test_modes_of_the_distribution_in_their_order():
    bins, L = AbBins(), torch.full((1, 1, 8, 8), 55.0)
    wished = [(40.0, 30.0), (-30.0, 20.0), (10.0, -40.0)]
    logits = torch.full((1, len(bins), 4, 4), -20.0)
    for share, colour in zip((0.0, -1.0, -2.0), wished, strict=True):
        logits[0, bins.nearest(torch.tensor(colour).view(1, 2, 1, 1))[0, 0, 0], 1, 2] = share
    found = suggest((0.7, 0.4), L, torch.zeros(1, 2, 8, 8), logits, bins.centres)
    assert len(found) == 3
    for rgb, colour in zip(found, wished, strict=True):
        lab = lab_of(rgb)
        assert lab[0] == pytest.approx(55, abs=0.5)
        assert (lab[1:] - torch.tensor(colour)).norm() < 8
    assert suggest((0.1, 0.1), L, torch.zeros(1, 2, 8, 8), logits, bins.centres, count=2) != found[:2]


def test_what_is_painted_near_and_about_as_light():
    L, ab = torch.full((1, 1, 60, 80), 50.0), torch.zeros(1, 2, 60, 80)
    ab[:, 0, :, :40], ab[:, 1, :, 40:] = 35.0, -30.0
    ab[:, :, 20:30, 10:20], L[:, :, 20:30, 10:20] = 60.0, 90.0  # near, and far too light
    left, right = (lab_of(suggest((x, 0.5), L, ab, None, None)[0]) for x in (0.2, 0.9))
    assert (left[1:] - torch.tensor([35.0, 0.0])).norm() < 2
    assert (right[1:] - torch.tensor([0.0, -30.0])).norm() < 2


@pytest.mark.parametrize("L", [0.0, 2.0, 50.0, 99.0, 100.0])
@pytest.mark.parametrize("size", [(1, 1), (3, 500)])
def test_suggestions_are_few_apart_and_can_be_shown(L, size):
    generator = torch.Generator().manual_seed(0)
    ab = 80 * torch.randn(1, 2, *size, generator=generator)
    found = suggest((1.0, 1.0), torch.full((1, 1, *size), L), ab, None, None, count=4)
    assert 1 <= len(found) <= 4
    assert all(0 <= value <= 255 for rgb in found for value in rgb)
    assert all(abs(lab_of(rgb)[0] - L) < 1.5 for rgb in found)
