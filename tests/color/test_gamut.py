import math

import pytest
import torch

from chromagan.color.gamut import fit_chroma, lab_to_srgb_keeping_lightness
from chromagan.color.lab import lab_to_linear_rgb, lab_to_rgb, rgb_to_lab, rgb_to_lightness


def lattice(lightness, hues=73, chromas=12, dtype=torch.float32):
    hue = torch.linspace(0, 2 * math.pi, hues, dtype=dtype)[:-1]
    chroma = torch.linspace(0, 150, chromas, dtype=dtype)
    L, h, c = torch.meshgrid(lightness.to(dtype), hue, chroma, indexing="ij")
    ab = torch.stack((c * h.cos(), c * h.sin()))
    return L.reshape(1, 1, len(lightness), -1), ab.reshape(1, 2, len(lightness), -1)


def inside(L, ab, slack=2e-6):
    rgb = lab_to_linear_rgb(torch.cat((L, ab), 1))
    return ((rgb >= -slack) & (rgb <= 1 + slack)).all(1, keepdim=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hue_and_lightness_stay_and_chroma_is_maximal(dtype):
    L, ab = lattice(torch.linspace(0.5, 99.5, 100), dtype=dtype)
    fitted = fit_chroma(L, ab)
    assert fitted.dtype == dtype
    before = inside(L, ab)
    assert 0.1 < before.double().mean() < 0.9
    assert torch.equal(fitted[before.expand_as(ab)], ab[before.expand_as(ab)])
    chroma, wanted = fitted.norm(dim=1, keepdim=True), ab.norm(dim=1, keepdim=True)
    cut = ~before
    cross = (ab[:, :1] * fitted[:, 1:] - ab[:, 1:] * fitted[:, :1]).abs()
    assert (cross[cut] / (chroma * wanted)[cut].clamp_min(1e-9)).max() < 1e-3
    dot = (ab * fitted).sum(1, keepdim=True)
    assert (dot[cut] >= 0).all()
    shown = lab_to_srgb_keeping_lightness(L, ab)
    assert (rgb_to_lightness(shown.double()) - L).abs().max() < 0.05
    # Maximal: a thousandth of a Lab unit more, or one in a thousand, leaves the gamut.
    more = fitted * (1 + 2e-3 + 2e-3 / chroma.clamp_min(1e-3))
    assert inside(L, fitted, slack=3e-6)[cut].all()
    assert not inside(L, more)[cut].any()


def test_the_shown_colour_has_the_fitted_lab():
    L, ab = lattice(torch.linspace(2, 98, 49), dtype=torch.float64)
    lab = rgb_to_lab(lab_to_srgb_keeping_lightness(L, ab))
    assert (lab[:, 1:] - fit_chroma(L, ab)).abs().max() < 0.05


def test_colours_of_srgb_are_untouched():
    rgb = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    lab = rgb_to_lab(rgb)
    torch.testing.assert_close(lab_to_srgb_keeping_lightness(lab[:, :1], lab[:, 1:]), rgb, atol=2e-5, rtol=0)


def test_black_white_and_gray():
    ab = torch.tensor([0.0, 60.0, -80.0, 110.0]).reshape(1, 1, 1, 4).expand(1, 2, 1, 4)
    black = lab_to_srgb_keeping_lightness(torch.zeros(1, 1, 1, 4), ab)
    white = lab_to_srgb_keeping_lightness(torch.full((1, 1, 1, 4), 100.0), ab)
    assert black.max() < 1e-4
    assert white.min() > 1 - 1e-3
    L = torch.linspace(0, 100, 101).reshape(1, 1, 1, -1)
    gray = lab_to_srgb_keeping_lightness(L, torch.zeros(1, 2, 1, 101))
    assert (gray.amax(1) - gray.amin(1)).max() < 1e-4
    white_ab = rgb_to_lab(torch.ones(1, 3, 1, 1))[:, 1:]
    assert torch.equal(fit_chroma(torch.full((1, 1, 1, 1), 100.0), white_ab), white_ab)


def test_a_plain_clip_would_fail_the_lightness_bound():
    L, ab = torch.full((1, 1, 1, 1), 30.0), torch.tensor([-60.0, 60.0]).reshape(1, 2, 1, 1)
    assert (rgb_to_lightness(lab_to_rgb(torch.cat((L, ab), 1))) - L).abs() > 0.5
    assert (rgb_to_lightness(lab_to_srgb_keeping_lightness(L, ab)) - L).abs() < 0.05


def test_batches_and_autocast():
    L, ab = lattice(torch.linspace(5, 95, 6))
    L, ab = torch.cat((L, L.flip(2))), torch.cat((ab, ab * 0.5))
    whole = fit_chroma(L, ab)
    for i in range(2):
        torch.testing.assert_close(whole[i : i + 1], fit_chroma(L[i : i + 1], ab[i : i + 1]))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fit_chroma(L, ab), whole)
    half = fit_chroma(L.bfloat16(), ab.bfloat16())
    assert half.dtype == torch.float32
