"""What holds for every registered network: sizes, independence, gradients, files, seeds, half precision, hints.

A network of another family is covered as soon as it is registered; only its literal size has to be added here. Networks
that take hints say so by `accepts`.
"""

import copy
import hashlib
import importlib
import math

import numpy as np
import pytest
import torch

from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.errors import ModelError
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import NOTHING, count_parameters
from chromagan.models.look import Look
from chromagan.models.registry import build_network, list_models, model_record
from chromagan.pretrained.create import create_model
from chromagan.pretrained.store import save_weights

# Of the network as it is built without options, with its class head.
PARAMETERS = {
    "chromagan": 17_185_155,
    "chromagan_paper": 171_166_090,
    "cunet": 31_300_226,
    "densenet_unet": 12_858_658,
    "eccv16": 32_236_011,
    "gray": 0,
    "iizuka": 42_562_602,
    "koalarization": 62_417_258,
    "mean": 0,
    "mobilenet_unet": 4_157_090,
    "residual_vgg19": 23_568_706,
    "siggraph17": 34_187_027,
    "unet": 31_036_546,
}
# The first ten digits of the SHA-256 of "name shape" lines of the state dict, timm's part left out.
LAYOUTS = {
    "chromagan": "58b1559be8",
    "chromagan_paper": "289fb453cb",
    "cunet": "cff1e85017",
    "densenet_unet": "d334ff13b3",
    "iizuka": "446cb07342",
    "koalarization": "e39cd65f1d",
    "mobilenet_unet": "ef0fd40b0c",
    "residual_vgg19": "9aa0465238",
    "unet": "c75bd6e53f",
}
SIZES = [(1, 1), (7, 13), (37, 41)]
# The package's own: other tests register networks of theirs when they are collected.
NAMES = [name for name in list_models() if model_record(name).network.__module__.startswith("chromagan.")]
TRAINED = [name for name in NAMES if not model_record(name).weightless]


# What makes the costly parts small, by name of a module and of its constants: an input of fixed size, a classifier.
SMALL_PARTS = {
    "chromagan_paper": {"INPUT_SIDE": 32, "_TRUNK_SIDE": 4, "_GLOBAL_SIDE": 1},
    "iizuka": {"GLOBAL_SIDE": 32},
    "koalarization": {"_CLASSIFIER": "test_resnet", "_CLASSIFIER_SIDE": 64},
}
SMALL_OPTIONS = {"classes": 10, "width": 8}


def small_options(name):
    known = model_record(name).options
    return {key: value for key, value in SMALL_OPTIONS.items() if key in known}


def build(name, seed=0):
    torch.manual_seed(seed)
    return build_network(name, **small_options(name))


def lightness(count, height, width, seed=0):
    return torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(seed)) * 100


@pytest.fixture(scope="module", params=TRAINED)
def named(request):
    """Name and network, small and in evaluation mode; one network is kept at a time."""
    with pytest.MonkeyPatch.context() as patch:
        for constant, value in SMALL_PARTS.get(request.param, {}).items():
            patch.setattr(importlib.import_module(f"chromagan.models.{request.param}"), constant, value)
        yield request.param, build(request.param).eval()


@pytest.fixture(scope="module")
def network(named):
    return named[1]


@pytest.fixture(scope="module", params=NAMES)
def blank(request):
    """Name and network as it is built without options, without memory for its weights."""
    with torch.device("meta"):
        return request.param, build_network(request.param)


def test_number_of_parameters(blank):
    name, network = blank
    assert count_parameters(network) == PARAMETERS[name]


def test_layout_of_the_state_dict(blank):
    name, network = blank
    if name not in LAYOUTS:
        assert name in set(PARAMETERS) - set(LAYOUTS)  # pinned in the tests of its own file
        return
    state = network.state_dict()
    lines = [f"{key} {list(value.shape)}" for key, value in state.items() if not key.startswith("trunk.net.")]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:10] == LAYOUTS[name]


def test_record_says_what_it_is(blank):
    name, network = blank
    record = model_record(name)
    assert record.paper
    assert record.title
    assert type(network) is record.network
    assert network.registered_as == name
    # A branch at half size is written where there is one: configurations of files from before are still alike.
    assert set(network.config) | {"half_size"} == set(record.options) | {"half_size"}


@pytest.mark.parametrize("size", SIZES, ids=str)
@torch.no_grad()
def test_any_size(network, size):
    L = lightness(1, *size)
    ab = network(L).ab
    assert ab.shape == (1, 2, *(math.ceil(side / network.ab_stride) for side in size))
    assert ab.dtype == torch.float32
    assert ab.isfinite().all()


def test_tiny_photo_through_the_colorizer(network):
    gray = np.random.default_rng(0).integers(0, 256, (7, 13), dtype=np.uint8)
    colour = Colorizer(copy.deepcopy(network), look=Look(size=32), device="cpu")(gray)
    assert colour.shape == (7, 13, 3)
    assert colour.dtype == np.uint8


@torch.no_grad()
def test_photos_of_a_batch_are_independent(network):
    L = lightness(2, 24, 40)
    both = network(L)
    alone = network(L[1:])
    torch.testing.assert_close(both.ab[1:], alone.ab, rtol=1e-3, atol=1e-3)
    if both.class_logits is not None:
        torch.testing.assert_close(both.class_logits[1:], alone.class_logits, rtol=1e-3, atol=1e-4)
    assert not torch.equal(both.ab[0], both.ab[1])


def test_gradients_reach_every_trainable_parameter(network):
    buffers = {key: value.clone() for key, value in network.named_buffers()}
    frozen = {key: value.clone() for key, value in network.named_parameters() if not value.requires_grad}
    try:
        hints = hints_in_the_middle(2, 64) if network.accepts else NOTHING
        answer = network.train()(lightness(2, 64, 64), hints)
        outputs = (answer.ab / 10, answer.bin_logits, answer.class_logits)
        sum(output.square().mean() + output.mean() for output in outputs if output is not None).backward()
        wanted = [(key, p.grad) for key, p in network.named_parameters() if p.requires_grad]
    finally:
        network.eval().zero_grad(set_to_none=True)
    assert not [key for key, grad in wanted if grad is None or not grad.abs().sum() > 0]
    for key, value in network.named_buffers():
        if key.startswith("trunk.") and frozen:
            assert torch.equal(value, buffers[key]), f"{key} of the frozen part has moved"
        value.copy_(buffers[key])


def test_saved_and_loaded_it_answers_bit_for_bit(named, tmp_path):
    name, network = named
    L = lightness(1, 37, 41)
    file = tmp_path / "weights.safetensors"
    card = save_weights(file, network, model=name, config=network.config, command="test", half=False)
    loaded = create_model(name, weights=file).eval()
    assert loaded.config == card.config
    with torch.no_grad():
        answer = loaded(L)
        assert torch.equal(answer.ab, network(L).ab)
    assert answer.class_logits is None  # inference files leave the class head out


def test_the_seed_decides_the_weights(named):
    name, network = named
    state, twin = network.state_dict(), build(name).state_dict()
    assert list(twin) == list(state)
    assert all(torch.equal(twin[key], value) for key, value in state.items())


@torch.no_grad()
def test_half_precision_answers_about_the_same(network):
    L = lightness(1, 37, 41)
    full = network(L).ab
    with torch.autocast("cpu", torch.bfloat16):
        half = network(L).ab
    assert half.dtype == torch.float32
    assert (half - full).square().mean().sqrt() < 0.05 * full.square().mean().sqrt() + 0.02


def hints_in_the_middle(count, side):
    mask = torch.zeros(count, 1, side, side)
    mask[..., side // 4 : side // 2, side // 4 : side // 2] = 1
    return Condition(LocalHints(mask * torch.tensor((60.0, -40.0)).view(1, 2, 1, 1), mask))


@torch.no_grad()
def test_hints_are_refused_or_used(network):
    L, hints = lightness(1, 32, 32), hints_in_the_middle(1, 32)
    network = copy.deepcopy(network)
    for parameter in network.parameters():  # some networks begin with weights of zero for hints
        if not parameter.any():
            parameter.normal_(std=0.1)
    if not network.accepts:
        with pytest.raises(ModelError, match="takes no colour hints"):
            network(L, hints)
        return
    assert not torch.allclose(network(L, hints).ab, network(L).ab)
    none = Condition(LocalHints(torch.zeros(1, 2, 32, 32), torch.zeros(1, 1, 32, 32)))
    torch.testing.assert_close(network(L, none).ab, network(L).ab)
