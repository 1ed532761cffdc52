"""What `siggraph17` promises beyond the authors' release (that is in tests/pretrained/test_published.py)."""

from dataclasses import replace

import pytest
import torch

from chromagan.conditioning.condition import Condition, GlobalHints, LocalHints
from chromagan.errors import ModelError
from chromagan.models.contract import count_parameters
from chromagan.models.registry import model_record
from chromagan.models.siggraph17 import Siggraph17


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(2)
    return Siggraph17().eval()


def some_L(n=1, rows=16, columns=24, seed=0):
    return torch.rand(n, 1, rows, columns, generator=torch.Generator().manual_seed(seed)) * 100


def some_hints(L):
    mask = torch.zeros_like(L)
    mask[..., 2:5, 3:6] = 1
    return Condition(LocalHints(torch.cat((60 * mask, -40 * mask), 1), mask))


def test_parameters_and_keys(network):
    assert count_parameters(network) == 34_187_027
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert len(shapes) == 107
    assert shapes["model1.0.weight"] == (64, 4, 3, 3)
    assert shapes["model8up.0.weight"] == (512, 256, 4, 4)
    assert shapes["model8.5.running_var"] == (256,)
    assert shapes["model9.3.weight"] == (128,)
    assert shapes["model1short10.0.weight"] == (128, 64, 3, 3)
    assert shapes["model10.1.bias"] == (128,)
    assert shapes["model_class.0.weight"] == (529, 256, 1, 1)
    assert shapes["model_out.0.weight"] == (2, 128, 1, 1)
    assert model_record("siggraph17").network.accepts == {"local"}


@torch.no_grad()
def test_no_hints_are_hints_of_nothing(network):
    L = some_L()
    empty = Condition(LocalHints(torch.zeros(1, 2, 16, 24), torch.zeros(1, 1, 16, 24)))
    assert torch.equal(network(L).ab, network(L, empty).ab)
    assert not torch.allclose(network(L, some_hints(L)).ab, network(L).ab, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (37, 41)])
def test_any_size_with_and_without_hints(network, size):
    L = some_L(1, *size)
    hints = Condition(LocalHints(torch.full((1, 2, *size), 20.0), torch.ones(1, 1, *size)))
    assert network(L).ab.shape == network(L, hints).ab.shape == (1, 2, *size)


@torch.no_grad()
def test_bins_in_training_or_when_asked(network):
    L = some_L(2, 10, 13)
    assert network(L).bin_logits is None
    network.bins_in_eval = True
    asked = network(L).bin_logits
    network.bins_in_eval = False
    assert asked.shape == (2, 529, 3, 4)
    assert len(network.bins) == 529
    assert Siggraph17().train()(L).bin_logits.shape == (2, 529, 3, 4)


@torch.no_grad()
def test_photos_of_a_batch_do_not_mix(network):
    L = some_L(2)
    hints = some_hints(L)
    both = network(L, hints).ab
    for i in range(2):
        alone = network(L[i : i + 1], hints.chunk(2)[i]).ab
        assert (alone - both[i : i + 1]).abs().max() < 1e-4


def test_hints_that_do_not_fit_are_refused(network):
    L = some_L()
    with pytest.raises(ModelError, match="mask"):
        network(L, Condition(LocalHints(torch.zeros(1, 2, 8, 8), torch.zeros(1, 1, 8, 8))))
    with pytest.raises(ModelError, match="siggraph17 takes no global hints"):
        network(L, replace(some_hints(L), overall=statistics(1)))


def statistics(n, given=(1.0, 1.0), colour=7):
    histogram = torch.zeros(n, 313)
    histogram[:, colour] = 1
    return GlobalHints(histogram, torch.full((n, 1), 0.8), torch.tensor([given]).expand(n, 2))


def test_global_hints_and_gradients():
    torch.manual_seed(1)
    network = Siggraph17(global_hints=True).train()
    assert network.config == {"global_hints": True}
    assert count_parameters(network) == 34_187_027 + 954_368
    L = some_L(2)
    hints = replace(some_hints(L), overall=statistics(2))
    hints.overall.given[1].fill_(1)
    overall = GlobalHints(hints.overall.histogram.clone(), hints.overall.saturation, torch.tensor([[1.0, 0], [0, 1]]))
    prediction = network(L, replace(hints, overall=overall))
    (prediction.ab.square().mean() + prediction.bin_logits.logsumexp(1).mean()).backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]

    network.eval()
    with torch.no_grad():
        known = network(L, hints).ab
        other = network(L, replace(hints, overall=statistics(2, colour=99))).ab
        hidden = [network(L, replace(hints, overall=statistics(2, (0.0, 0.0), colour))).ab for colour in (7, 99)]
        local_only = network(L, replace(hints, overall=None)).ab
        wrong = GlobalHints(torch.zeros(2, 5), torch.zeros(2, 1), torch.zeros(2, 2))
        with pytest.raises(ModelError, match=r"\(N, 313\)"):
            network(L, replace(hints, overall=wrong))
    assert (known - other).abs().max() > 1e-4
    assert torch.equal(hidden[0], hidden[1])
    assert torch.equal(hidden[0], local_only)


@torch.no_grad()
def test_half_precision_stays_close(network):
    L = some_L()
    with torch.autocast("cpu", torch.bfloat16):
        half = network(L, some_hints(L))
    assert half.ab.dtype == torch.float32
    assert (half.ab - network(L, some_hints(L)).ab).abs().max() < 2
