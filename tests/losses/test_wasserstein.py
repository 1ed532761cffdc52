"""Signs, scales and the penalty, against closed forms on critics whose gradients are known."""

import pytest
import torch

from chromagan.losses.wasserstein import critic_loss, generator_loss, gradient_penalty
from chromagan.models.critic import PatchCritic


def batch(count=4, side=8, seed=0):
    random = torch.Generator().manual_seed(seed)
    L = torch.rand(count, 1, side, side, generator=random) * 100
    real = torch.randn(count, 2, side, side, generator=random) * 20
    fake = torch.randn(count, 2, side, side, generator=random) * 20
    return L, real, fake, torch.rand(count, generator=random)


def test_signs():
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 1.0])
    assert critic_loss(real, fake).item() == -3.0  # minus the estimated distance: falls as real scores rise
    assert generator_loss(fake).item() == -1.0  # falls as fake scores rise


@pytest.mark.parametrize("penalty_on", ["sum", "mean"])
@pytest.mark.parametrize("ab_unit", [1.0, 50.0, 255.0])
def test_linear_critic_has_the_norm_of_its_weights(penalty_on, ab_unit):
    L, real, fake, mix = batch()
    weight = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(3)) / 200

    def critic(L, ab):  # 64 patch scores, each one pixel's share of a linear function
        return (weight * ab).sum(1, keepdim=True)

    norm = weight.norm() * ab_unit / (64 if penalty_on == "mean" else 1)
    got = gradient_penalty(critic, L, real, fake, mix, ab_unit, penalty_on)
    assert got.item() == pytest.approx((1 - norm.item()) ** 2, rel=1e-4)


def test_sum_and_mean_differ_by_the_number_of_patches():
    critic = PatchCritic((8, 8, 8))
    L, real, fake, mix = batch(side=64)
    scores = critic(L, real)
    patches = scores[0].numel()

    def scaled(L, ab):
        return critic(L, ab) / patches

    on_sum = gradient_penalty(scaled, L, real, fake, mix, 255.0, "sum")
    on_mean = gradient_penalty(critic, L, real, fake, mix, 255.0, "mean")
    assert on_sum.item() == pytest.approx(on_mean.item(), rel=1e-4)


def test_penalty_trains_the_critic_and_not_the_generator():
    critic = PatchCritic((8, 8, 8))
    L, real, fake, mix = batch(side=32)
    fake.requires_grad_(True)
    gradient_penalty(critic, L, real, fake, mix, 255.0, "sum").backward()
    first = critic.convolutions[0].weight.grad
    assert first is not None, "a penalty without create_graph leaves the critic untouched"
    assert first.abs().sum() > 0
    assert fake.grad is None


def test_interpolates_lie_between_real_and_fake():
    seen = []

    def critic(L, ab):
        seen.append(ab.detach().clone())
        return ab.sum(1, keepdim=True)

    L, real, fake, _ = batch()
    mix = torch.tensor([0.0, 1.0, 0.25, 0.5])
    gradient_penalty(critic, L, real, fake, mix, 1.0, "sum")
    torch.testing.assert_close(seen[0][0], fake[0])
    torch.testing.assert_close(seen[0][1], real[1])
    torch.testing.assert_close(seen[0][2], 0.25 * real[2] + 0.75 * fake[2])


def test_penalty_is_float32_under_autocast():
    critic = PatchCritic((8, 8, 8))
    L, real, fake, mix = batch(side=32)
    plain = gradient_penalty(critic, L, real, fake, mix, 255.0, "sum")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = gradient_penalty(critic, L, real, fake, mix, 255.0, "sum")
    assert inside.dtype == torch.float32
    assert inside.item() == plain.item()


def test_penalty_of_a_flat_critic_has_finite_gradients():
    critic = PatchCritic((8, 8, 8))
    for parameter in critic.parameters():
        torch.nn.init.zeros_(parameter)
    L, real, fake, mix = batch(side=32)
    penalty = gradient_penalty(critic, L, real, fake, mix, 255.0, "sum")
    penalty.backward()
    assert penalty.item() == pytest.approx(1.0, abs=1e-4)
    assert all(torch.isfinite(p.grad).all() for p in critic.parameters() if p.grad is not None)
