"""The critic of 2020: parameters by hand, TensorFlow's padding, no mixing of samples."""

import pytest
import torch

from chromagan.models.critic import PatchCritic


def test_parameter_count_of_the_paper():
    by_hand = sum(i * o * 16 + o for i, o in [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1)])
    assert by_hand == 2_764_737
    assert sum(p.numel() for p in PatchCritic().parameters()) == by_hand


@pytest.mark.parametrize(("side", "scores"), [(224, 28), (112, 14), (28, 4), (17, 3), (1, 1)])
def test_map_of_scores(side, scores):
    critic = PatchCritic((4, 4, 4, 4))
    assert critic(torch.rand(1, 1, side, side), torch.rand(1, 2, side, side)).shape == (1, 1, scores, scores)


def test_no_sample_sees_another():
    critic = PatchCritic((8, 8, 8))
    assert not [m for m in critic.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    L, ab = torch.rand(3, 1, 32, 32) * 100, torch.randn(3, 2, 32, 32) * 20
    torch.testing.assert_close(critic(L, ab)[1:2], critic(L[1:2], ab[1:2]), rtol=1e-4, atol=1e-5)


def test_it_answers_to_the_order_of_the_channels():
    critic = PatchCritic((8, 8, 8))
    L, ab = torch.rand(1, 1, 32, 32) * 100, torch.randn(1, 2, 32, 32) * 20
    assert not torch.allclose(critic(L, ab), critic(L, ab.flip(1)))
