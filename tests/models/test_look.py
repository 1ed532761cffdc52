"""From a prediction to the painted ab: mixture of regression and bins, calm, balance."""

import pytest
import torch

from chromagan.color.ab_bins import AbBins
from chromagan.models.contract import Prediction
from chromagan.models.look import Look, balance, mixture, settle

BINS = AbBins()


def logits(*weights):
    """Logits (1, 313, 1, 1) whose bins nearest to some colours have some shares at a temperature of 0.38."""
    answer = torch.full((1, len(BINS), 1, 1), -60.0)
    for share, (a, b) in weights:
        index = (BINS.centres - torch.tensor((float(a), float(b)))).square().sum(1).argmin()
        answer[0, index] = 0.38 * torch.log(torch.tensor(share))
    return answer


def prediction(ab, *weights):
    return Prediction(torch.tensor(ab, dtype=torch.float32).view(1, 2, 1, 1), logits(*weights))


def flat(ab):
    return ab.flatten().tolist()


def test_bins_that_agree_take_part_by_their_share():
    sure = prediction((10.0, 0.0), (1.0, (50, 20)))
    assert flat(mixture(sure, BINS, Look(annealed_share=0.0))) == [10.0, 0.0]
    assert flat(mixture(sure, BINS, Look(annealed_share=1.0))) == pytest.approx([50, 20], abs=1e-3)
    assert flat(mixture(sure, BINS, Look(annealed_share=0.5))) == pytest.approx([30, 10], abs=1e-3)


def test_bins_that_disagree_are_left_out():
    torn = prediction((3.0, -2.0), (0.5, (50, 0)), (0.5, (-50, 0)))
    assert flat(mixture(torn, BINS, Look(annealed_share=1.0))) == pytest.approx([3, -2], abs=1e-3)


def test_between_the_two_the_mixture_is_that_of_the_formula():
    half = prediction((0.0, 10.0), (0.75, (40, 0)), (0.25, (-40, 0)))
    # mean (20, 0), mean chroma 40: agreement 1/2, so a share of 0.8 counts as 0.8 / 16
    mixed = pytest.approx([0.05 * 20, 0.95 * 10], abs=1e-3)
    assert flat(mixture(half, BINS, Look(annealed_share=0.8))) == mixed
    assert [2 * value for value in flat(mixture(half, BINS, Look(annealed_share=0.8, calm=1.0)))] == mixed
    assert flat(mixture(half, BINS, Look(calm=0.5))) == pytest.approx([0, 7.5], abs=1e-3)


def test_no_bin_is_further_than_the_regression_and_the_annealed_mean():
    torch.manual_seed(0)
    some = Prediction(torch.randn(2, 2, 5, 7) * 30, torch.randn(2, 313, 5, 7) * 3)
    annealed, chroma = BINS.annealed_mean_and_chroma(some.bin_logits)
    torch.testing.assert_close(annealed, BINS.annealed_mean(some.bin_logits))
    assert (chroma >= annealed.square().sum(1, keepdim=True).sqrt() - 1e-4).all()
    mixed = mixture(some, BINS, Look(annealed_share=1.0))
    low, high = torch.minimum(some.ab, annealed), torch.maximum(some.ab, annealed)
    assert ((mixed >= low - 1e-4) & (mixed <= high + 1e-4)).all()


def test_mean_chroma_is_that_of_the_shares():
    shares = torch.softmax(torch.randn(1, 313, 2, 2) / 1.0, dim=1)
    _, chroma = BINS.annealed_mean_and_chroma(shares.log() * 0.38)
    expected = (shares * BINS.centres.norm(dim=1).view(1, -1, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(chroma, expected, rtol=1e-4, atol=1e-3)


def test_networks_without_bins_are_left_alone():
    plain = Prediction(torch.randn(1, 2, 4, 4))
    assert torch.equal(mixture(plain, None, Look(annealed_share=1.0, calm=1.0)), plain.ab)
    assert torch.equal(settle(plain, Look()), plain.ab)
    torch.testing.assert_close(settle(plain, Look(typical_chroma=9.0)), balance(plain.ab, 9.0))
