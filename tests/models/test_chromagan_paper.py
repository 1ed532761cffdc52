"""The 2020 network: counts from its layer table, and a second forward written from the paper's figure alone."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.errors import ModelError
from chromagan.models.contract import count_parameters
from chromagan.models.registry import build_network, model_record
from chromagan.models.trunk import fill_trunk
from chromagan.training.config import TrainConfig


def conv(inputs, outputs, kernel=3):
    return kernel * kernel * inputs * outputs + outputs


def dense(inputs, outputs):
    return inputs * outputs + outputs


WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512)
TRUNK = list(zip(WIDTHS, WIDTHS[1:], strict=False))
FLAT = 7 * 7 * 512
CLASS_HEAD = dense(FLAT, 4096) + dense(4096, 4096) + dense(4096, 1000)
WITHOUT_HEAD = (
    sum(conv(i, o) for i, o in TRUNK)
    + 4 * (conv(512, 512) + 2 * 512)  # global features; batch norm has a scale and a shift
    + dense(FLAT, 1024) + dense(1024, 512) + dense(512, 256)
    + conv(512, 512) + 2 * 512 + conv(512, 256) + 2 * 256  # mid-level features
    + conv(512, 256, kernel=1) + conv(256, 128) + conv(128, 64) + conv(64, 64) + conv(64, 32) + conv(32, 2)
)  # fmt: skip


@pytest.fixture(scope="module")
def network():
    """For inference, with batch norm statistics and biases that are not the identity."""
    torch.manual_seed(0)
    network = build_network("chromagan_paper", classes=0).eval()
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.1, 0.5, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            tensor.uniform_(-0.1, 0.1, generator=generator)
    return network


def meta(**config):
    with torch.device("meta"):
        return build_network("chromagan_paper", **config)


def test_counts_are_those_of_the_paper():
    assert CLASS_HEAD == 123_642_856
    assert WITHOUT_HEAD == 47_523_234
    full = meta()
    assert count_parameters(full) == CLASS_HEAD + WITHOUT_HEAD == 171_166_090
    assert count_parameters(full.class_head) == CLASS_HEAD
    assert count_parameters(meta(classes=0)) == WITHOUT_HEAD


def test_class_head_is_all_that_inference_drops():
    full, small = meta(), meta(classes=0)
    dropped = set(full.state_dict()) - set(small.state_dict())
    assert set(small.state_dict()) < set(full.state_dict())
    assert dropped == {name for name in full.state_dict() if name.startswith(full.training_only_prefixes)}
    assert full.config == {"classes": 1000}
    assert small.config == {"classes": 0}


def test_trunk_keys_are_those_of_torchvisions_vgg16_features():
    keys = [f"{i}.{kind}" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21) for kind in ("weight", "bias")]
    state = meta(classes=0).trunk.features.state_dict()
    assert list(state) == keys
    assert [(s.shape[1], s.shape[0]) for name, s in state.items() if name.endswith("weight")] == TRUNK


def test_trunk_takes_the_published_weights(network):
    published = {f"features.{k}": torch.full_like(v, 0.5) for k, v in network.trunk.features.state_dict().items()}
    other = build_network("chromagan_paper", classes=0)
    fill_trunk(other.trunk, {**published, "classifier.0.weight": torch.zeros(1)}, "file")
    assert all(bool((p == 0.5).all()) for p in other.trunk.parameters())


def test_dense_layers_are_linear():
    full = meta(classes=7)
    assert {type(layer).__name__ for layer in (*full.global_vector, *full.class_head)} == {"Linear"}
    assert full(torch.rand(2, 1, 224, 224, device="meta")).class_logits.shape == (2, 7)


def reference(state, x):
    """The forward pass from the network's description: (N, 1, 224, 224) in [0, 1] to (N, 2, 224, 224) in [0, 1]."""

    def convolve(x, name, pads=(1, 1, 1, 1), stride=1):
        return F.conv2d(F.pad(x, pads), state[f"{name}.weight"], state[f"{name}.bias"], stride)

    def norm(x, name):
        mean, variance, scale, shift = (
            state[f"{name}.{kind}"][:, None, None] for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 0.001) * scale + shift

    def double(x):
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    x = torch.cat((x, x, x), dim=1)
    for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21):
        if i in (5, 10, 17):
            x = F.max_pool2d(x, 2)
        x = torch.relu(convolve(x, f"trunk.features.{i}"))
    assert x.shape[1:] == (512, 28, 28)
    y = x
    for i, stride in ((0, 2), (3, 1), (6, 2), (9, 1)):
        pads = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        y = norm(torch.relu(convolve(y, f"global_features.{i}", pads, stride)), f"global_features.{i + 2}")
    assert y.shape[1:] == (512, 7, 7)
    vector = torch.stack([torch.from_numpy(np.moveaxis(one.numpy(), 0, 2).ravel()) for one in y])
    for i in range(3):
        vector = vector @ state[f"global_vector.{i}.weight"].T + state[f"global_vector.{i}.bias"]
    mid = x
    for i in (0, 3):
        mid = norm(torch.relu(convolve(mid, f"mid_features.{i}")), f"mid_features.{i + 2}")
    z = torch.cat((mid, vector[:, :, None, None].repeat(1, 1, 28, 28)), dim=1)
    z = torch.relu(convolve(z, "decoder.0", (0, 0, 0, 0)))
    z = double(torch.relu(convolve(z, "decoder.2")))
    z = torch.relu(convolve(z, "decoder.5"))
    z = double(torch.relu(convolve(z, "decoder.7")))
    z = torch.relu(convolve(z, "decoder.10"))
    return double(torch.sigmoid(convolve(z, "decoder.12")))


def test_forward_equals_a_second_implementation(network):
    L = torch.rand(1, 1, 224, 224, generator=torch.Generator().manual_seed(2)) * 100
    with torch.inference_mode():
        got = network(L).ab
        expected = reference(network.state_dict(), L / 100) * 255 - 128
    assert expected.std() > 1e-3
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)
    # Chrominance is decided at 112 x 112: every 2 x 2 block has one colour.
    assert torch.equal(got[..., ::2, ::2], got[..., 1::2, 1::2])


@pytest.mark.parametrize("size", [(1, 1), (37, 301)])
def test_other_sizes_give_ab_of_the_input_size(network, size):
    L = torch.full((1, 1, *size), 40.0)
    with torch.inference_mode():
        ab = network(L).ab
        square = network(torch.full((1, 1, 224, 224), 40.0)).ab[0].numpy()
    assert ab.shape == (1, 2, *size)
    assert ab.dtype == torch.float32
    # A flat photo is the same flat photo at any size; Pillow's bilinear reduction is the oracle.
    expected = [Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR) for plane in square]
    np.testing.assert_allclose(ab[0].numpy(), np.stack(expected), atol=1e-3)


def test_neutral_output_is_gray(network):
    last = network.decoder[12]
    weight, bias = last.weight.clone(), last.bias.clone()
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(float(np.log(128 / 127)))  # the sigmoid then gives 128 / 255, OpenCV's neutral
        try:
            ab = network(torch.full((1, 1, 224, 224), 50.0)).ab
        finally:
            last.weight.copy_(weight)
            last.bias.copy_(bias)
    assert ab.abs().max() < 1e-4


def test_hints_and_negative_classes_are_refused(network):
    hints = Condition(LocalHints(torch.zeros(1, 2, 8, 8), torch.zeros(1, 1, 8, 8)))
    with pytest.raises(ModelError, match="hints"):
        network(torch.zeros(1, 1, 8, 8), hints)
    with pytest.raises(ModelError, match="classes"):
        build_network("chromagan_paper", classes=-1)


def test_recipe_is_the_papers_and_in_the_trainers_words():
    recipe = model_record("chromagan_paper").recipe
    config = SimpleNamespace(**TrainConfig.from_flat({"model": "chromagan_paper", **recipe}).flat())
    assert (config.lr, config.critic_lr, config.beta1, config.critic_beta1) == (2e-5, 2e-5, 0.5, 0.5)
    assert (config.batch_size, config.size, config.penalty_on) == (10, 224, "sum")
    assert (config.chroma_weight, config.adversarial_weight, config.class_weight) == (1.0, 0.1, 0.003)
    assert config.images == 5 * 1_281_167
    # Differences of ab are scaled as the paper's targets are: 8-bit values over 255.
    assert config.ab_unit == 255


def test_half_precision_keeps_fine_steps_of_ab_near_gray():
    sigmoid = build_network("chromagan_paper", classes=0).decoder[-2]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        steps = sigmoid(torch.linspace(0, 0.02, 50).bfloat16()).double() * 255
    assert steps.unique().diff().max() < 0.05
