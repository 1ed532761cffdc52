"""TensorFlow's conventions against loops over scipy and closed forms."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import nn

from chromagan.models.keras_layers import SameConv2d, keras_batch_norm, keras_initialise, same_padding


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pads"),
    [
        (28, 3, 2, (0, 1)),
        (14, 3, 2, (0, 1)),
        (27, 3, 2, (1, 1)),
        (28, 3, 1, (1, 1)),
        (28, 4, 1, (1, 2)),
        (224, 4, 2, (1, 1)),
        (28, 1, 1, (0, 0)),
        (1, 3, 2, (1, 1)),
        (1, 1, 2, (0, 0)),
    ],
)
def test_same_padding_is_tensorflows(side, kernel, stride, pads):
    assert same_padding(side, kernel, stride) == pads


@pytest.mark.parametrize(
    ("kernel", "stride", "side", "pads"),
    [(3, 2, 8, (0, 1)), (3, 2, 7, (1, 1)), (4, 1, 8, (1, 2)), (4, 2, 8, (1, 1)), (3, 1, 5, (1, 1)), (1, 1, 5, (0, 0))],
)
def test_same_convolution_equals_scipy_on_a_padded_image(kernel, stride, side, pads):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, side, side + 2))  # both sides of one parity
    layer = SameConv2d(2, 3, kernel, stride).double()
    padded = np.pad(image, ((0, 0), pads, pads))
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = np.stack(
        [
            sum(correlate2d(padded[i], weight[o, i], mode="valid") for i in range(2))[::stride, ::stride] + bias[o]
            for o in range(3)
        ]
    )
    got = layer(torch.from_numpy(image)[None])[0].detach().numpy()
    assert got.shape == (3, -(-side // stride), -(-(side + 2) // stride))
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_same_convolution_is_not_padding_one():
    layer = SameConv2d(1, 1, 3, 2)
    usual = nn.Conv2d(1, 1, 3, 2, padding=1)
    usual.load_state_dict(layer.state_dict())
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert (layer(image) - usual(image)).abs().max() > 0.01


def test_batch_norm_has_keras_constants():
    norm = keras_batch_norm(1).double()
    batch = torch.tensor([1.0, 3.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    out = norm(batch)
    # mean 2, variance 1: (x - 2) / sqrt(1 + 1e-3)
    np.testing.assert_allclose(out.flatten().detach().numpy(), np.array([-1, 1]) / np.sqrt(1.001), rtol=1e-12)
    assert norm.running_mean.item() == pytest.approx(0.99 * 0 + 0.01 * 2)


def test_initialisation_is_glorot_uniform_with_zero_bias():
    torch.manual_seed(0)
    module = nn.Sequential(SameConv2d(8, 24, 3), nn.Linear(100, 300))
    keras_initialise(module)
    for layer, fans in zip(module, (9 * (8 + 24), 100 + 300), strict=True):
        limit = np.sqrt(6 / fans)
        weight = layer.weight.detach()
        assert weight.abs().max() <= limit
        assert weight.abs().max() > 0.99 * limit
        assert weight.std() == pytest.approx(limit / np.sqrt(3), rel=0.03)
        assert not layer.bias.any()
