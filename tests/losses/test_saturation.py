"""The saturation-aware loss against colorsys, and what it asks of a dull answer."""

import colorsys

import pytest
import torch
import torch.nn.functional as F

from chromagan.color.lab import rgb_to_lab
from chromagan.losses.chroma import ab_huber, ab_l1
from chromagan.losses.saturation import saturation_error


def colours(seed, count=2, side=5):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=random, dtype=torch.float64) * 0.6 + 0.2


def test_error_is_the_mean_square_of_colorsys():
    truth = colours(0)
    lab = rgb_to_lab(truth)
    L, ab = lab[:, :1], lab[:, 1:]
    dull = 0.5 * ab  # still inside the gamut
    from chromagan.color.lab import lab_to_rgb

    shown = lab_to_rgb(torch.cat((L, dull), 1))

    def saturations(rgb):
        flat = rgb.permute(0, 2, 3, 1).reshape(-1, 3).tolist()
        return torch.tensor([colorsys.rgb_to_hls(*one)[2] for one in flat], dtype=torch.float64)

    expected = (saturations(shown) - saturations(truth)).square().mean()
    assert saturation_error(L, dull, ab).item() == pytest.approx(expected.item(), rel=1e-3)
    assert expected > 0.01


def test_a_step_against_the_gradient_makes_a_dull_answer_more_saturated():
    lab = rgb_to_lab(colours(1).float())
    L, ab = lab[:, :1], lab[:, 1:]
    answer = (0.5 * ab).requires_grad_(True)
    before = saturation_error(L, answer, ab)
    before.backward()
    moved = answer.detach() - 20 * answer.grad / answer.grad.norm()
    assert saturation_error(L, moved, ab) < before
    assert (moved * ab).sum() > (answer.detach() * ab).sum()


def test_the_truth_itself_costs_nothing_and_gray_has_finite_gradients():
    lab = rgb_to_lab(colours(2).float())
    L, ab = lab[:, :1], lab[:, 1:]
    assert saturation_error(L, ab, ab) == 0
    gray = torch.zeros_like(ab).requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        loss = saturation_error(L, gray, ab)
    assert loss.dtype == torch.float32
    loss.backward()
    assert torch.isfinite(gray.grad).all()


def test_l1_and_huber_in_closed_form():
    predicted, target = torch.zeros(1, 2, 1, 2), torch.tensor([[[[3.0, -0.5]], [[0.0, 10.0]]]])
    assert ab_l1(predicted, target, 2.0).item() == pytest.approx((1.5 + 0.25 + 0 + 5) / 4)
    # squared up to one unit, linear beyond: 1.5 - 0.5, 0.25^2 / 2, 0, 5 - 0.5
    assert ab_huber(predicted, target, 2.0).item() == pytest.approx((1.0 + 0.03125 + 0 + 4.5) / 4)
    assert ab_huber(predicted, target, 2.0) == F.smooth_l1_loss(predicted / 2, target / 2)
