"""Saturation equals Python's colorsys on every 8-bit colour that is tried, and its gradients are finite everywhere."""

import colorsys
import itertools

import pytest
import torch

from chromagan.color.hsl import lab_to_hsl_saturation, rgb_to_hsl_saturation
from chromagan.color.lab import rgb_to_lab

LEVELS = (0, 1, 2, 63, 127, 128, 200, 253, 254, 255)


def pixels(colours):
    """(1, 3, 1, N)"""
    return torch.tensor(colours, dtype=torch.float64).T[None, :, None, :]


def test_saturation_is_that_of_colorsys():
    colours = [[level / 255 for level in one] for one in itertools.product(LEVELS, repeat=3)]
    expected = torch.tensor([colorsys.rgb_to_hls(*one)[2] for one in colours], dtype=torch.float64)
    found = rgb_to_hsl_saturation(pixels(colours))
    assert found.shape == (1, 1, 1, len(colours))
    torch.testing.assert_close(found[0, 0, 0], expected, atol=1e-12, rtol=0)


def test_random_colours_through_lab():
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    flat = rgb.permute(0, 2, 3, 1).reshape(-1, 3).tolist()
    expected = torch.tensor([colorsys.rgb_to_hls(*one)[2] for one in flat], dtype=torch.float64).view(2, 1, 16, 16)
    torch.testing.assert_close(lab_to_hsl_saturation(rgb_to_lab(rgb)), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "lab",
    [(0, 0, 0), (100, 0, 0), (50, 0, 0), (0, 20, -30), (100, 40, 9), (53, 150, -150), (1e-4, 0, 0), (99.99, 0, 0)],
)
def test_gradients_are_finite(lab, dtype):
    point = torch.tensor(lab, dtype=dtype).view(1, 3, 1, 1).requires_grad_(True)
    saturation = lab_to_hsl_saturation(point)
    assert saturation.dtype == dtype
    assert 0 <= saturation.item() <= 1 + 1e-6
    saturation.sum().backward()
    assert torch.isfinite(point.grad).all()
    assert point.grad.abs().max() < 1e4


def test_gradient_of_an_ordinary_colour():
    lab = rgb_to_lab(torch.tensor([0.7, 0.4, 0.2], dtype=torch.float64).view(1, 3, 1, 1)).requires_grad_(True)
    assert torch.autograd.gradcheck(lab_to_hsl_saturation, lab, eps=1e-6, atol=1e-5)


def test_half_precision_is_left():
    lab = torch.tensor([60.0, 20.0, 30.0]).view(1, 3, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(lab_to_hsl_saturation(lab), lab_to_hsl_saturation(lab))
        found = lab_to_hsl_saturation(lab)
    assert torch.equal(found, lab_to_hsl_saturation(lab))
