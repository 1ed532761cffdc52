"""Alternatives: drawn thing by thing, from what the network holds possible, each by its seed alone."""

import pytest
import torch

from chromagan.color.ab_bins import authors_centres
from chromagan.conditioning.variations import Doubt, _quantiles

CENTRES = authors_centres()


def logits_of(*chances, rows=16, columns=16):
    """Left half and right half; each is {(a, b): probability}."""
    planes = torch.full((1, len(CENTRES), rows, columns), -30.0)
    for half, chance in enumerate(chances):
        for colour, probability in chance.items():
            at = (torch.tensor(colour, dtype=torch.float32) == CENTRES).all(1).nonzero().item()
            planes[0, at, :, half * columns // 2 : (half + 1) * columns // 2] = torch.tensor(probability).log()
    return planes


RED_OR_BLUE, SURE = {(50, 30): 0.5, (10, -40): 0.5}, {(-20, 40): 1.0}


def drawn(seeds, *chances, noise=0.0):
    generator = torch.Generator().manual_seed(1)
    logits = logits_of(*chances)
    doubt = Doubt(
        logits + noise * torch.randn(logits.shape, generator=generator), CENTRES, torch.full((1, 1, 64, 64), 50.0)
    )
    return torch.cat([doubt.draw(seed) for seed in seeds])


def test_what_is_sure_stays_and_what_is_in_doubt_goes_one_way_or_the_other():
    changes = drawn(range(20), RED_OR_BLUE, SURE)
    assert changes[..., 10:].abs().max() < 3
    left = changes[..., 3:5].mean((2, 3))
    ways = left @ torch.tensor([40.0, 70.0]) / torch.tensor([40.0, 70.0]).norm()  # from blue to red
    across = left @ torch.tensor([-70.0, 40.0]) / torch.tensor([40.0, 70.0]).norm()
    assert ways.min() < -10
    assert ways.max() > 10
    assert across.abs().max() < 2


def test_a_thing_moves_as_a_whole_where_its_pixels_by_themselves_would_not():
    """Pixels whose distributions are alike but for noise: their spread is far below that between variations."""
    changes = drawn(range(10), RED_OR_BLUE, RED_OR_BLUE, noise=0.3)
    within = changes.std((2, 3)).mean()
    between = changes.mean((2, 3)).std(0).mean()
    assert within < between / 4


def test_a_seed_draws_the_same_whatever_else_is_drawn():
    together = drawn(range(5), RED_OR_BLUE, SURE)
    assert torch.equal(together[3], drawn([3], RED_OR_BLUE, SURE)[0])
    assert not torch.equal(together[3], together[4])


@pytest.mark.parametrize("first", [0, 1, 12345, 2**63 - 5])
def test_seeds_that_follow_each_other_lie_apart(first):
    shared = sorted(sum(_quantiles(first + number, 200)) / 200 for number in range(5))
    assert all(after - before > 0.02 for before, after in zip(shared, shared[1:], strict=False))
    assert shared[-1] - shared[0] > 0.4
    assert all(0 < one < 1 for one in _quantiles(first, 200))


def test_photos_of_one_thing_of_few_pixels_and_without_features_can_be_drawn():
    flat = torch.zeros(1, len(CENTRES), 1, 2)
    assert torch.isfinite(Doubt(flat, CENTRES, torch.zeros(1, 1, 4, 8), torch.zeros(1, 3, 1, 1)).draw(7)).all()
