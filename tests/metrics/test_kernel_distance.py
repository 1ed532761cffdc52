import math

import numpy as np
import pytest
import torch
from torch import nn

from chromagan.metrics.kernel_distance import kernel_distance, polynomial_mmd
from chromagan.models.trunk import import_timm

import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

from torchmetrics.image.kid import KernelInceptionDistance  # noqa: E402


def features(count, shift=0.0, seed=0, dimensions=6):
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def by_definition(x, y):
    def k(a, b):
        return (float(np.dot(a, b)) / len(a) + 1) ** 3

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    return xx + yy - 2 * np.mean([k(a, b) for a in x for b in y])


def test_equals_the_definition():
    x, y = features(9), features(13, 0.5, seed=1)
    assert polynomial_mmd(x, y) == pytest.approx(by_definition(x.numpy(), y.numpy()), rel=1e-12)
    assert kernel_distance(x, y) == (polynomial_mmd(x, y), 0.0)


def test_equals_torchmetrics_on_the_same_features():
    class Flat(nn.Module):
        num_features = 12

        def forward(self, pictures):
            return pictures.double().flatten(1)[:, :12] / 100

    generator = torch.Generator().manual_seed(0)
    real = torch.randint(0, 256, (25, 3, 4, 4), generator=generator, dtype=torch.uint8)
    fake = torch.randint(0, 150, (25, 3, 4, 4), generator=generator, dtype=torch.uint8)
    theirs = KernelInceptionDistance(feature=Flat(), subsets=2, subset_size=25)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert kernel_distance(Flat()(fake), Flat()(real))[0] == pytest.approx(float(theirs.compute()[0]), rel=1e-5)


def test_unbiased_for_equal_distributions_and_grows_with_the_shift():
    near = [polynomial_mmd(features(50, seed=2 * i), features(50, seed=2 * i + 1)) for i in range(60)]
    assert abs(np.mean(near)) < 3 * np.std(near) / math.sqrt(60)
    assert min(near) < 0 < max(near)
    assert polynomial_mmd(features(50), features(50, 1.0, 1)) > polynomial_mmd(features(50), features(50, 0.5, 1)) > 0.1


def test_subsets_are_seeded_and_bounded():
    x, y = features(300), features(200, 0.5, seed=1)
    first = kernel_distance(x, y, subsets=20, subset_size=50, seed=3)
    assert first == kernel_distance(x, y, subsets=20, subset_size=50, seed=3)
    assert first != kernel_distance(x, y, subsets=20, subset_size=50, seed=4)
    assert first[1] > 0
    assert first[0] == pytest.approx(polynomial_mmd(x, y), abs=4 * first[1] / math.sqrt(20))


def test_too_few_members():
    assert all(math.isnan(v) for v in kernel_distance(features(1), features(5)))
    with pytest.raises(ValueError, match="no kernel distance"):
        polynomial_mmd(features(5), features(5, dimensions=7))
