"""What `eccv16` promises beyond the authors' release (that is in tests/pretrained/test_published.py)."""

import pytest
import torch

from chromagan.color.ab_bins import AbBins
from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.errors import ModelError
from chromagan.losses.bins import class_rebalanced_cross_entropy
from chromagan.models.contract import count_parameters
from chromagan.models.eccv16 import Eccv16
from chromagan.models.registry import build_network, model_record


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(2)
    return Eccv16().eval()


def some_L(*size, seed=0):
    return torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(seed)) * 100


def test_parameters_and_keys(network):
    assert count_parameters(network) == 32_236_011
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert len(shapes) == 82
    assert shapes["model1.0.weight"] == (64, 1, 3, 3)
    assert shapes["model3.6.running_mean"] == (256,)
    assert shapes["model8.0.weight"] == (512, 256, 4, 4)
    assert shapes["model8.6.bias"] == (313,)
    assert shapes["model_out.weight"] == (2, 313, 1, 1)


@torch.no_grad()
def test_annealed_mean_is_that_of_the_bins(network):
    prediction = network(some_L(16, 24))
    assert prediction.bin_logits.shape == (1, 313, 4, 6)
    sharp = prediction.bin_logits * 4
    for logits, ab in ((prediction.bin_logits, prediction.ab), (sharp, network._ab(sharp))):
        assert (AbBins().annealed_mean(logits, 0.38) - ab).abs().max() < 1e-3
    shares = torch.softmax(sharp[0, :, 1, 2].double() / 0.38, 0)
    expected = (shares[:, None] * network.bins.centres.double()).sum(0)
    assert (network._ab(sharp)[0, :, 1, 2] - expected).abs().max() < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (37, 41)])
def test_any_size_at_a_quarter_and_whole(network, size):
    L = some_L(*size)
    small = network(L)
    rows, columns = -(-size[0] // 4), -(-size[1] // 4)
    assert small.ab.shape[2:] == small.bin_logits.shape[2:] == (rows, columns)
    released = Eccv16.__new__(Eccv16)  # the same weights, decoded as in the release
    released.__dict__.update(network.__dict__)
    released.decode, released.ab_stride = "release", 1
    whole = released(L)
    assert whole.ab.shape[2:] == size
    assert torch.equal(whole.bin_logits, small.bin_logits)


def test_training_the_bins_reaches_every_trainable_parameter():
    torch.manual_seed(0)
    network = Eccv16().train()
    ab = (torch.rand(2, 2, 20, 24) - 0.5) * 100
    prediction = network(torch.rand(2, 1, 20, 24) * 100)
    weights = network.bins.rebalancing_weights(network.bins.count_prior([ab]))
    class_rebalanced_cross_entropy(prediction.bin_logits, ab, network.bins, weights).backward()
    frozen = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert frozen == ["model_out.weight"]
    assert not [n for n, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]


def test_release_trains_its_last_layer():
    network = Eccv16("release", 1.0)
    assert network.model_out.weight.requires_grad
    assert network.config == {"decode": "release", "temperature": 1.0}
    assert model_record("eccv16").network.published.config == {"decode": "release"}


def test_wrong_options_and_hints_are_refused(network):
    with pytest.raises(ModelError, match="annealed_mean, release"):
        build_network("eccv16", decode="mode")
    with pytest.raises(ModelError, match="temperature=0; give a number from 0.001"):
        build_network("eccv16", temperature=0)
    with pytest.raises(ModelError, match="siggraph17"):
        network(some_L(8, 8), Condition(LocalHints(torch.zeros(1, 2, 8, 8), torch.zeros(1, 1, 8, 8))))


@torch.no_grad()
def test_half_precision_stays_close(network):
    L = some_L(16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(L)
    assert half.ab.dtype == torch.float32
    assert (half.ab - network(L).ab).abs().max() < 2
