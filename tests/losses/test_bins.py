import math

import pytest
import torch
import torch.nn.functional as F

from chromagan.color.ab_bins import AbBins, grid_centres
from chromagan.losses.bins import class_rebalanced_cross_entropy


@pytest.fixture(scope="module")
def bins():
    return AbBins()


def some(*shape, scale, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def plain_loop(logits, ab, centres, weights, neighbours=5, sigma=5.0):
    """The definition, pixel by pixel, in Python's own floating point."""
    total, count = 0.0, 0
    for n in range(logits.shape[0]):
        for y in range(logits.shape[2]):
            for x in range(logits.shape[3]):
                a, b = ab[n, :, y, x].tolist()
                squares = sorted(((a - p) ** 2 + (b - q) ** 2, i) for i, (p, q) in enumerate(centres.tolist()))
                closest = squares[:neighbours]
                shares = [math.exp(-(square - closest[0][0]) / (2 * sigma**2)) for square, _ in closest]
                row = logits[n, :, y, x].tolist()
                top = max(row)
                partition = top + math.log(sum(math.exp(v - top) for v in row))
                entropy = -sum(s * (row[i] - partition) for s, (_, i) in zip(shares, closest, strict=True))
                total += float(weights[closest[0][1]]) * entropy / sum(shares)
                count += 1
    return total / count


def test_agrees_with_a_plain_loop(bins):
    logits, ab = some(2, 313, 3, 4, scale=3), some(2, 2, 3, 4, scale=30)
    prior = torch.rand(313, generator=torch.Generator().manual_seed(1)).square()
    weights = bins.rebalancing_weights(prior)
    assert weights.max() > 1.3 * weights.min()
    found = class_rebalanced_cross_entropy(logits, ab, bins, weights)
    assert found.item() == pytest.approx(plain_loop(logits, ab, bins.centres, weights), rel=1e-5)
    plain = class_rebalanced_cross_entropy(logits, ab, bins)
    assert plain.item() == pytest.approx(plain_loop(logits, ab, bins.centres, torch.ones(313)), rel=1e-5)


def test_gradient_is_that_of_pytorchs_soft_cross_entropy(bins):
    ab = some(2, 2, 5, 3, scale=40).float()
    ours = some(2, 313, 5, 3, scale=2).float().requires_grad_(True)
    theirs = ours.detach().clone().requires_grad_(True)
    weights = torch.rand(313, generator=torch.Generator().manual_seed(3)) + 0.5
    class_rebalanced_cross_entropy(ours, ab, bins, weights).backward()
    losses = F.cross_entropy(theirs, bins.soft_encode(ab), reduction="none")
    (losses * weights[bins.nearest(ab)]).mean().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-7, rtol=1e-4)


def test_weights_of_rare_colours_count(bins):
    gray, red = torch.zeros(1, 2, 1, 1), torch.tensor([60.0, 40.0]).view(1, 2, 1, 1)
    prior = torch.full((313,), 1e-6)
    prior[bins.nearest(gray).item()] = 1
    weights = bins.rebalancing_weights(prior)
    flat = torch.zeros(1, 313, 1, 1)
    common = class_rebalanced_cross_entropy(flat, gray, bins, weights)
    rare = class_rebalanced_cross_entropy(flat, red, bins, weights)
    assert class_rebalanced_cross_entropy(flat, red, bins).item() == pytest.approx(math.log(313), rel=1e-5)
    assert rare > 1.5 * common


@pytest.mark.parametrize("size", [(8, 12), (7, 9), (5, 12)])
def test_a_larger_truth_is_averaged_over_areas(bins, size):
    ab = some(1, 2, *size, scale=30).float()
    logits = some(1, 313, -(-size[0] // 4), -(-size[1] // 4), scale=2).float()
    small = torch.stack(
        [
            torch.stack([ab[0, :, y : y + 4, x : x + 4].mean((1, 2)) for x in range(0, size[1], 4)], 1)
            for y in range(0, size[0], 4)
        ],
        1,
    )[None]
    expected = class_rebalanced_cross_entropy(logits, small, bins)
    assert class_rebalanced_cross_entropy(logits, ab, bins).item() == pytest.approx(expected.item(), rel=1e-5)


def test_half_precision_logits_are_summed_in_float32(bins):
    ab, logits = some(1, 2, 4, 4, scale=30).float(), some(1, 313, 4, 4, scale=2).float()
    with torch.autocast("cpu", torch.bfloat16):
        half = class_rebalanced_cross_entropy(logits.bfloat16(), ab, bins)
    assert half.dtype == torch.float32
    exact = class_rebalanced_cross_entropy(logits.bfloat16().float(), ab, bins)
    assert half.item() == pytest.approx(exact.item(), rel=1e-6)


def test_sizes_that_do_not_fit_are_told(bins):
    ab = torch.zeros(1, 2, 8, 8)
    with pytest.raises(ValueError, match="529 logits"):
        class_rebalanced_cross_entropy(torch.zeros(1, 529, 2, 2), ab, bins)
    with pytest.raises(ValueError, match="5 weights"):
        class_rebalanced_cross_entropy(torch.zeros(1, 313, 2, 2), ab, bins, torch.ones(5))
    with pytest.raises(ValueError, match="does not reduce"):
        class_rebalanced_cross_entropy(torch.zeros(1, 313, 2, 3), ab, bins)
    grid = AbBins(grid_centres())
    assert class_rebalanced_cross_entropy(torch.zeros(1, 529, 2, 2), ab, grid).item() == pytest.approx(math.log(529))
