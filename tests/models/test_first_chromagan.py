"""The generator of version 0.1, whose files are still read: contract, gradients, ablation."""

import pytest
import torch

from chromagan.models.first_chromagan import FirstChromaGAN
from chromagan.models.registry import build_network

OLD = {"backbone": "vgg16", "width": 256, "semantic": True}  # what files of version 0.1 say


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network("chromagan", **OLD, classes=10).eval()


def test_size_budget():
    count = sum(p.numel() for p in build_network("chromagan", **OLD, classes=0).parameters())
    assert count == 18_357_826
    assert count <= 20_000_000


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (16, 16), (37, 50), (65, 33)])
def test_any_size(network, size):
    assert isinstance(network, FirstChromaGAN)
    prediction = network(torch.rand(2, 1, *size) * 100)
    assert prediction.ab.shape == (2, 2, -(-size[0] // 4), -(-size[1] // 4))
    assert prediction.ab.dtype == torch.float32
    assert prediction.class_logits.shape == (2, 10)


def test_samples_are_independent_in_eval_mode(network):
    L = torch.rand(3, 1, 48, 48) * 100
    torch.testing.assert_close(network(L).ab[2:], network(L[2:]).ab, rtol=1e-4, atol=1e-4)


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    network = build_network("chromagan", **OLD, classes=10)
    prediction = network(torch.rand(2, 1, 64, 64) * 100)
    (prediction.ab.square().sum() + prediction.class_logits.square().sum()).backward()
    untouched = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert not untouched


def test_config_rebuilds(network):
    twin = build_network("chromagan", **network.config)
    twin.load_state_dict(network.state_dict())
    L = torch.rand(1, 1, 32, 32) * 100
    assert torch.equal(network(L).ab, twin.eval()(L).ab)


def test_without_semantics_the_deep_features_do_not_matter():
    torch.manual_seed(0)
    network = build_network("chromagan", **{**OLD, "semantic": False}, classes=0).eval()
    L = torch.rand(1, 1, 32, 32) * 100
    before = network(L).ab
    torch.nn.init.zeros_(network.trunk.features[-2].weight)
    assert torch.equal(network(L).ab, before)
