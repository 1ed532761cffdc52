"""The package's own generator: branches, scales, bins, hints, contract, gradients, folding."""

import itertools

import pytest
import torch

from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.errors import ModelError
from chromagan.models.contract import count_parameters
from chromagan.models.conv_norm import fold_frozen_norms, unfold_tensors
from chromagan.models.registry import build_network

LITE = ["tf_efficientnet_lite2"]
BOTH = ["vgg16", *LITE]


def shaken(**config):
    """A small network whose zeros are filled too, so that every part has a say."""
    torch.manual_seed(0)
    network = build_network("chromagan", **{"backbone": LITE, "classes": 10, "width": 24, "bins": True, **config})
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
        network.to_ab.weight.mul_(30)
    return network


def hints_at(shape, row, column, side=4, ab=(40.0, -30.0)):
    colours, mask = torch.zeros(shape[0], 2, *shape[2:]), torch.zeros(shape[0], 1, *shape[2:])
    window = (slice(None), slice(None), slice(row, row + side), slice(column, column + side))
    colours[window] = torch.tensor(ab)[:, None, None]
    mask[window] = 1
    return Condition(LocalHints(colours, mask))


@pytest.fixture(scope="module")
def network():
    return shaken().eval()


@pytest.mark.parametrize(("backbone", "count"), [(["vgg16"], 17_185_000), (LITE, 7_305_000), (BOTH, 22_521_000)])
def test_sizes(backbone, count):
    network = build_network("chromagan", backbone=backbone)
    assert count_parameters(network) == pytest.approx(count, rel=0.001)
    inference = sum(p.numel() for name, p in network.named_parameters() if not name.startswith("class_head."))
    assert 2 * inference <= (17 if backbone == LITE else 46) * 2**20  # half precision, what may be shipped


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (16, 16), (37, 50), (112, 112), (65, 33)])
def test_any_size(network, size):
    prediction = network(torch.rand(2, 1, *size) * 100)
    small = (-(-size[0] // 4), -(-size[1] // 4))
    assert prediction.ab.shape == (2, 2, *small)
    assert prediction.bin_logits.shape == (2, 313, *small)
    assert prediction.ab.dtype == torch.float32
    assert prediction.class_logits.shape == (2, 10)


@pytest.mark.parametrize("size", [(16, 16), (37, 50), (112, 96)])
def test_bins_of_training_are_means_over_two_by_two(size):
    network = shaken()
    prediction = network(torch.rand(2, 1, *size) * 100)
    assert prediction.bin_logits.shape == (2, 313, -(-size[0] // 8), -(-size[1] // 8))


@pytest.mark.parametrize("backbone", [["vgg16"], LITE, BOTH, ["resnet18"], ["vit_tiny_patch16_224"]])
def test_gradient_reaches_every_parameter(backbone):
    network = shaken(backbone=backbone)
    L = torch.rand(2, 1, 64, 64) * 100
    prediction = network(L, hints_at(L.shape, 20, 20))
    sum(part.square().mean() for part in (prediction.ab, prediction.bin_logits, prediction.class_logits)).backward()
    untouched = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    # of a transformer's blocks the last map alone is read at each stride, before its closing norm
    assert not [name for name in untouched if ".net.norm." not in name]


def test_the_class_term_reaches_what_the_decoder_shares():
    network = shaken()
    network(torch.rand(2, 1, 64, 64) * 100).class_logits.square().sum().backward()
    assert network.global_features[0].weight.grad.abs().sum() > 0
    assert network.trunks[0].blocks[6][0].project.conv.weight.grad.abs().sum() > 0
    before = network.eval()(torch.full((1, 1, 64, 64), 50.0)).ab
    with torch.no_grad():
        network.global_features[0].weight.zero_()
    assert not torch.allclose(before, network(torch.full((1, 1, 64, 64), 50.0)).ab)  # the decoder reads them


def test_every_branch_has_a_say_at_its_scales():
    network = shaken(backbone=BOTH, semantic=True).eval()
    L = torch.rand(1, 1, 64, 64) * 100
    before = network(L).ab
    for level, branch in itertools.product(network.levels, (0, 1)):
        if branch >= len(level.laterals):
            continue
        lateral = level.laterals[branch]
        kept = lateral.norm.weight.detach().clone()
        with torch.no_grad():
            lateral.norm.weight.zero_()
        assert not torch.allclose(before, network(L).ab, atol=1e-4)
        with torch.no_grad():
            lateral.norm.weight.copy_(kept)
    assert torch.equal(before, network(L).ab)


def test_samples_are_independent_in_eval_mode(network):
    L = torch.rand(3, 1, 48, 48) * 100
    hints = hints_at(L.shape, 8, 8)
    alone = Condition(LocalHints(hints.local.ab[2:], hints.local.mask[2:]))
    torch.testing.assert_close(network(L, hints).ab[2:], network(L[2:], alone).ab, rtol=1e-4, atol=1e-4)


def test_hints_that_give_nothing_are_no_hints(network):
    L = torch.rand(2, 1, 48, 64) * 100
    nothing = Condition(LocalHints(torch.full((2, 2, 48, 64), 77.0), torch.zeros(2, 1, 48, 64)))
    torch.testing.assert_close(network(L, nothing).ab, network(L).ab, rtol=0, atol=1e-5)


def test_a_fresh_network_does_not_see_hints_yet():
    network = build_network("chromagan", backbone=LITE, classes=0).eval()
    L = torch.rand(1, 1, 64, 64) * 100
    torch.testing.assert_close(network(L, hints_at(L.shape, 30, 30)).ab, network(L).ab, rtol=0, atol=1e-5)


def test_a_hint_acts_where_it_lies(network):
    L = torch.rand(1, 1, 128, 128) * 100
    change = (network(L, hints_at(L.shape, 40, 40)).ab - network(L).ab).square().sum(1).sqrt()[0]
    assert change[8:13, 8:13].mean() > 4 * change[24:, 24:].mean()


def test_a_small_hint_keeps_its_colour_at_every_scale():
    from chromagan.models.chromagan import _at_scale

    given = torch.zeros(1, 3, 64, 64)
    given[:, 0, 21:24, 40:43], given[:, 1, 21:24, 40:43], given[:, 2, 21:24, 40:43] = 0.5, -0.25, 1.0
    for side in (16, 8, 4, 2):
        seen = _at_scale(given, torch.Size((side, side)))
        there = seen[0, 2] > 0
        assert there.any()
        torch.testing.assert_close(seen[0, :2, there], torch.tensor([[0.5], [-0.25]]).expand(-1, int(there.sum())))
        assert seen[0, 3].sum() * (64 / side) ** 2 == pytest.approx(9)


def test_networks_built_without_hints_or_bins():
    network = build_network("chromagan", backbone=LITE, classes=0, bins=False, hints=False, width=24).eval()
    L = torch.rand(1, 1, 32, 32) * 100
    assert network(L).bin_logits is None
    assert not network.accepts
    with pytest.raises(ModelError, match="takes no colour hints"):
        network(L, hints_at(L.shape, 4, 4))


def test_config_rebuilds(network):
    twin = build_network("chromagan", **network.config)
    twin.load_state_dict(network.state_dict())
    L = torch.rand(1, 1, 32, 32) * 100
    assert torch.equal(network(L).ab, twin.eval()(L).ab)


def test_without_semantics_the_deep_features_do_not_matter():
    network = shaken(semantic=False).eval()
    L = torch.rand(1, 1, 64, 64) * 100
    before = network(L).ab
    torch.nn.init.zeros_(network.trunks[0].blocks[5][4].project.conv.weight)
    assert torch.equal(network(L).ab, before)


def test_folding_changes_no_answer_and_can_be_undone(network):
    L = torch.rand(1, 1, 64, 48) * 100
    folded = build_network("chromagan", **{**network.config, "folded": True})
    source = build_network("chromagan", **network.config)
    source.load_state_dict(network.state_dict())
    for module in source.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    before = source.eval()(L).ab
    state = source.state_dict()
    assert fold_frozen_norms(source)
    assert not [key for key in source.state_dict() if key.startswith("trunks") and "norm" in key]
    folded.load_state_dict(source.state_dict())
    torch.testing.assert_close(folded.eval()(L).ab, before, rtol=1e-4, atol=1e-3)
    again = build_network("chromagan", **network.config)
    again.load_state_dict(unfold_tensors(again, source.state_dict()))
    assert again.state_dict().keys() == state.keys()
    torch.testing.assert_close(again.eval()(L).ab, before, rtol=1e-4, atol=1e-3)


def test_a_branch_at_half_size_sees_the_photo_at_half_its_size():
    network = shaken(backbone=[*LITE, "vgg16"], half_size=["vgg16"]).eval()
    seen = []
    network.trunks[1].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    L = torch.rand(1, 1, 64, 96) * 100
    network(L)
    gray = network.grays[1](L)
    quarters = [gray[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
    torch.testing.assert_close(seen[0], sum(quarters) / 4)
    before = network(L).ab
    torch.nn.init.zeros_(network.trunks[1].features[-2].weight)  # its map at 1/32 of the photo
    assert not torch.equal(network(L).ab, before)
    twin = build_network("chromagan", **network.config)
    twin.load_state_dict(network.state_dict())


@pytest.mark.parametrize("size", [(48, 80), (112, 112), (16, 16)])
def test_branches_that_round_their_maps_differently(size):
    network = shaken(backbone=[*LITE, "resnet18"])
    assert network.stride == 32
    assert network(torch.rand(2, 1, *size) * 100).ab.shape == (2, 2, size[0] // 4, size[1] // 4)


@pytest.mark.parametrize("backbone", [[], ["vgg16", "vgg16"], ["vgg16", "resnet18", "resnet34"]])
def test_wrong_branches(backbone):
    with pytest.raises(ModelError, match="one or two different"):
        build_network("chromagan", backbone=backbone)
