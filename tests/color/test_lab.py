import warnings

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from chromagan.color.curves import linear_to_srgb, srgb_to_linear
from chromagan.color.lab import lab_to_rgb, rgb_to_lab, rgb_to_lightness


def cube(levels):
    ramp = torch.linspace(0, 1, levels, dtype=torch.float64)
    return torch.stack(torch.meshgrid(ramp, ramp, ramp, indexing="ij")).reshape(3, levels, -1)


def surface():
    """All 8-bit colours on the six faces of the cube, (3, 6 * 256, 256)."""
    ramp = torch.arange(256, dtype=torch.float64) / 255
    u, v = torch.meshgrid(ramp, ramp, indexing="ij")
    faces = []
    for channel in range(3):
        for value in (0.0, 1.0):
            face = [u, v]
            face.insert(channel, torch.full_like(u, value))
            faces.append(torch.stack(face))
    return torch.cat(faces, dim=1)


@pytest.mark.parametrize("colours", [cube(65), surface()], ids=["lattice", "surface"])
def test_float32_agrees_with_scikit_image(colours):
    expected = np.moveaxis(rgb2lab(np.moveaxis(colours.numpy(), 0, -1)), -1, 0)
    found = rgb_to_lab(colours.float())
    assert found.dtype == torch.float32
    assert np.abs(found.numpy() - expected).max() < 1e-3
    np.testing.assert_allclose(rgb_to_lab(colours).numpy(), expected, atol=1e-4)
    assert np.abs(rgb_to_lightness(colours.float()).numpy() - expected[:1]).max() < 1e-3
    back = lab_to_rgb(torch.from_numpy(expected).float())
    assert np.abs(back.numpy() - colours.numpy()).max() < 1e-4


def test_every_dark_code_agrees_with_scikit_image():
    """All 8-bit colours around the thresholds of both curves."""
    dark = cube(256)[:, :28, :].reshape(3, 28, 256, 256)[:, :, :28, :28].reshape(3, 28, -1)
    expected = np.moveaxis(rgb2lab(np.moveaxis(dark.numpy(), 0, -1)), -1, 0)
    assert np.abs(rgb_to_lab(dark.float()).numpy() - expected).max() < 1e-3


def test_out_of_gamut_colours_clip_as_in_scikit_image():
    lab = torch.tensor([[50.0, 100, 0], [30, -60, 60], [90, 60, -60], [5, 10, -40]], dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-image reports the negative Z that it sets to 0
        expected = lab2rgb(lab.numpy()[None])[0]
    np.testing.assert_allclose(lab_to_rgb(lab.T[:, None].unsqueeze(0))[0, :, 0].T.numpy(), expected, atol=1e-4)


def test_round_trips():
    rgb = cube(33)
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=1e-5, rtol=0)
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb.float())), rgb.float(), atol=1e-4, rtol=0)
    ramp = torch.linspace(0, 1, 4097, dtype=torch.float64)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(ramp)), ramp, atol=1e-6, rtol=0)


def test_autocast_does_not_reach_it():
    rgb = cube(9).float()
    with torch.autocast("cpu", torch.bfloat16):
        inside, lightness, back = rgb_to_lab(rgb), rgb_to_lightness(rgb), lab_to_rgb(rgb_to_lab(rgb))
    assert inside.dtype == lightness.dtype == back.dtype == torch.float32
    assert torch.equal(inside, rgb_to_lab(rgb))
    assert torch.equal(back, lab_to_rgb(rgb_to_lab(rgb)))
    assert rgb_to_lab(rgb.bfloat16()).dtype == torch.float32


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    rgb = (torch.rand(2, 3, 3, 2, dtype=torch.float64, generator=generator) * 0.9 + 0.06).requires_grad_()
    assert torch.autograd.gradcheck(rgb_to_lab, (rgb,), atol=1e-5)
    lab = rgb_to_lab(rgb.detach()).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: lab_to_rgb(x, clip=False), (lab,), atol=1e-5)
    dark = (torch.rand(1, 3, 3, 2, dtype=torch.float64, generator=generator) * 0.02 + 0.001).requires_grad_()
    assert torch.autograd.gradcheck(rgb_to_lab, (dark,), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.04045, 0.0031308, 0.008856, 1e-7])
def test_gradients_are_finite_at_the_ends_and_thresholds(value):
    rgb = torch.full((1, 3, 1, 2), value, requires_grad=True)
    lab = rgb_to_lab(rgb)
    lab.square().sum().backward()
    assert torch.isfinite(rgb.grad).all()
    start = lab.detach().clone().requires_grad_()
    lab_to_rgb(start).sum().backward()
    assert torch.isfinite(start.grad).all()
    below = torch.tensor([0.0, -128.0, 127.0]).reshape(1, 3, 1, 1).requires_grad_()
    lab_to_rgb(below, clip=False).sum().backward()
    assert torch.isfinite(below.grad).all()


def test_any_leading_shape():
    rgb = torch.rand(2, 4, 3, 5, 6)
    assert rgb_to_lab(rgb).shape == rgb.shape
    assert rgb_to_lightness(rgb).shape == (2, 4, 1, 5, 6)
    torch.testing.assert_close(rgb_to_lab(rgb)[1, 2], rgb_to_lab(rgb[1, 2]), atol=1e-4, rtol=0)
