import math

import pytest
import torch
from torch import nn

from chromagan.metrics.frechet import FeatureStatistics, frechet_distance, frechet_distance_of_features
from chromagan.models.trunk import import_timm

import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

from torchmetrics.image.fid import FrechetInceptionDistance  # noqa: E402


def gaussian(count, dimensions, seed):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64)
    return torch.randn(count, dimensions, generator=generator, dtype=torch.float64) @ mixing + seed


class TinyFeatures(nn.Module):
    """Deterministic features of uint8 pictures, in place of Inception."""

    num_features = 12

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layer = nn.Linear(3 * 16, 12).double()

    def forward(self, pictures):
        pooled = nn.functional.adaptive_avg_pool2d(pictures.double() / 255, 4).flatten(1)
        return self.layer(pooled).detach()


def statistics(features):
    found = FeatureStatistics(features.shape[1])
    found.update(features)
    return found


def of(a, b):
    return frechet_distance(a.mean(), a.covariance(), b.mean(), b.covariance())


def test_closed_form_of_commuting_covariances():
    # For diagonal covariances the distance is |m1 - m2|^2 + sum (s1 - s2)^2.
    s1, s2 = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, 0.5, 4.0])
    m1, m2 = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 1.0, -2.0])
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double())[0]
    c1, c2 = (turn @ torch.diag(s.double() ** 2) @ turn.T for s in (s1, s2))
    expected = 1 + 16 + 4 + 2.25 + 16
    assert frechet_distance(m1, c1, m2, c2) == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(m2, c2, m1, c1) == pytest.approx(expected, abs=1e-6)


def test_closed_form_of_two_dimensions():
    # tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)) for 2 x 2, here of covariances that do not commute
    c1 = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    c2 = torch.tensor([[1.0, -0.8], [-0.8, 3.0]], dtype=torch.float64)
    product = c1 @ c2
    root = math.sqrt(product.trace() + 2 * math.sqrt(torch.linalg.det(product)))
    zero = torch.zeros(2)
    assert frechet_distance(zero, c1, zero, c2) == pytest.approx(float((c1 + c2).trace()) - 2 * root, abs=1e-9)


def test_equals_torchmetrics_on_the_same_pictures():
    generator = torch.Generator().manual_seed(1)
    real = torch.randint(0, 256, (40, 3, 20, 24), generator=generator, dtype=torch.uint8)
    fake = torch.randint(0, 180, (30, 3, 20, 24), generator=generator, dtype=torch.uint8)
    network = TinyFeatures()
    theirs = FrechetInceptionDistance(feature=network, normalize=False)
    theirs.set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    expected = float(theirs.compute())
    assert expected > 0.01
    assert of(statistics(network(real)), statistics(network(fake))) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance_of_features(network(fake), network(real)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n", "m"), [(5, 7), (30, 9), (9, 30), (60, 60)])
def test_features_and_statistics_agree(n, m):
    a, b = gaussian(n, 20, 0), gaussian(m, 20, 1)
    assert frechet_distance_of_features(a, b) == pytest.approx(of(statistics(a), statistics(b)), rel=1e-5)


def test_identical_sets_are_at_no_distance():
    a = gaussian(10, 16, 2)
    assert frechet_distance_of_features(a, a) == pytest.approx(0, abs=1e-9 * float(a.square().sum()))


def test_statistics_do_not_depend_on_batches_or_order():
    features = gaussian(31, 8, 3).float()
    whole, pieces = statistics(features), FeatureStatistics(8)
    for piece in features.flip(0).split(2):
        pieces.update(piece)
    assert pieces.count == 31
    torch.testing.assert_close(pieces.mean(), features.double().mean(dim=0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(pieces.covariance(), torch.cov(features.double().T), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(pieces.covariance(), whole.covariance(), rtol=1e-9, atol=1e-9)


def test_one_picture_has_no_covariance():
    one = gaussian(1, 4, 0)
    assert math.isnan(of(statistics(one), statistics(gaussian(5, 4, 1))))
    assert math.isnan(frechet_distance_of_features(one, gaussian(5, 4, 1)))
