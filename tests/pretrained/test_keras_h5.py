"""ChromaGAN's Keras file: a synthetic one of its layout becomes our network, layer by layer, and others are refused."""

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from chromagan.errors import WeightsError
from chromagan.models.registry import build_network
from chromagan.pretrained import create, keras_h5
from chromagan.pretrained.create import create_model, load_model
from chromagan.pretrained.keras_h5 import read_keras

h5py = pytest.importorskip("h5py")

VGG = [(64, 2), (128, 2), (256, 3), (512, 3)]
# Numbers begin where the critic's end, as in a file of the authors' program; layers in the file are in another order.
CONVS = {
    **{f"conv2d_{6 + i}": (3, 3, 512, 512) for i in range(4)},
    "conv2d_10": (3, 3, 512, 512), "conv2d_11": (3, 3, 512, 256), "conv2d_12": (1, 1, 512, 256),
    "conv2d_13": (3, 3, 256, 128), "conv2d_14": (3, 3, 128, 64), "conv2d_15": (3, 3, 64, 64),
    "conv2d_16": (3, 3, 64, 32), "conv2d_17": (3, 3, 32, 2),
}  # fmt: skip
DENSES = {
    "dense_1": (25088, 1024), "dense_2": (1024, 512), "dense_3": (512, 256),
    "dense_4": (25088, 4096), "dense_5": (4096, 4096), "dense_6": (4096, 7),
}  # fmt: skip
NARROW = {"dense_4": (25088, 8), "dense_5": (8, 8), "dense_6": (8, 7)}  # the same class head with 0.2 M parameters
NORMS = {f"batch_normalization_{i + 1}": 512 if i < 5 else 256 for i in range(6)}


def layout(denses=DENSES):
    """Layer names in the file's order, each with its arrays' names and shapes."""
    trunk, channels = {}, 3
    for block, (width, depth) in enumerate(VGG, 1):
        for number in range(1, depth + 1):
            trunk[f"block{block}_conv{number}_1/kernel:0"] = (3, 3, channels, width)
            trunk[f"block{block}_conv{number}_1/bias:0"] = (width,)
            channels = width
    layers = {"input_1": {}, "model_2": trunk}
    for name, shape in reversed((CONVS | denses).items()):
        layers[name] = {f"{name}/kernel:0": shape, f"{name}/bias:0": shape[-1:]}
    for name, width in NORMS.items():
        leaves = ("gamma", "beta", "moving_mean", "moving_variance")
        layers[name] = {f"{name}/{leaf}:0": (width,) for leaf in leaves}
    return layers | {"flatten_1": {}, "reshape_1": {}}


def write(path, layers, values=None):
    """A file as Keras writes it; without values its arrays are never written, and read as zeros."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = np.bytes_('{"class_name": "Model"}')
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [full.encode() for full in arrays]
            for full, shape in arrays.items():
                group.create_dataset(full, shape, np.float32, data=None if values is None else values(full, shape))
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    rng, kept = np.random.default_rng(0), {}

    def values(full, shape):
        array = rng.standard_normal(shape, np.float32)
        if "kernel" in full:
            array *= (2 / np.prod(shape[:-1])) ** 0.5
        elif "variance" in full or "gamma" in full:
            array = np.abs(array) + 0.5
        kept[full] = array
        return array

    path = write(tmp_path_factory.mktemp("keras") / "my_model_colorization.h5", layout(DENSES | NARROW), values)
    return path, kept


def with_narrow_head(name, **options):
    network = build_network(name, classes=0)
    network.class_head = nn.Sequential(nn.Linear(25088, 8), nn.Linear(8, 8), nn.Linear(8, options["classes"]))
    network.config = options
    return network


def test_it_computes_what_the_file_describes(published, monkeypatch):
    """An independent forward pass in the file's own terms: NHWC maps, kernels as stored, "same" padding by hand."""
    for module in (create, keras_h5):
        monkeypatch.setattr(module, "build_network", with_narrow_head)
    path, arrays = published
    network = create_model("chromagan_paper", weights=path).eval()
    assert network.config == {"classes": 7}

    def conv(x, name, stride=1):
        kernel, bias = (torch.from_numpy(arrays[f"{name}/{leaf}:0"]) for leaf in ("kernel", "bias"))
        if kernel.shape[0] == 3:
            x = F.pad(x, (0, 0, 0, 1, 0, 1) if stride == 2 else (0, 0, 1, 1, 1, 1))  # NHWC: channels, columns, rows
        y = F.conv2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), stride=stride)
        return y.permute(0, 2, 3, 1) + bias

    def norm(x, number):
        gamma, beta, mean, variance = (
            torch.from_numpy(arrays[f"batch_normalization_{number}/{leaf}:0"])
            for leaf in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (x - mean) / (variance + 1e-3).sqrt() + beta

    def dense(x, number):
        kernel, bias = (torch.from_numpy(arrays[f"dense_{number}/{leaf}:0"]) for leaf in ("kernel", "bias"))
        return x @ kernel + bias

    x = torch.rand(1, 224, 224, 1, generator=torch.Generator().manual_seed(1))
    lightness, x = x.permute(0, 3, 1, 2), x.expand(-1, -1, -1, 3)
    for block, (_, depth) in enumerate(VGG, 1):
        if block > 1:
            x = x.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).amax((2, 4))
        for number in range(1, depth + 1):
            x = conv(x, f"block{block}_conv{number}_1").relu()
    trunk = x
    for i, stride in enumerate((2, 1, 2, 1)):
        x = norm(conv(x, f"conv2d_{6 + i}", stride).relu(), 1 + i)
    flat = x.flatten(1)  # rows, columns, channels
    vector = dense(dense(dense(flat, 1), 2), 3)
    mid = norm(conv(norm(conv(trunk, "conv2d_10").relu(), 5), "conv2d_11").relu(), 6)
    x = torch.cat((mid, vector[:, None, None].expand(-1, 28, 28, -1)), 3)
    enlarge = lambda x: x.repeat_interleave(2, 1).repeat_interleave(2, 2)  # noqa: E731
    x = enlarge(conv(conv(x, "conv2d_12").relu(), "conv2d_13").relu())
    x = enlarge(conv(conv(x, "conv2d_14").relu(), "conv2d_15").relu())
    expected = enlarge(conv(conv(x, "conv2d_16").relu(), "conv2d_17").sigmoid())
    with torch.no_grad():
        found, logits = network.predict_released(lightness)
    assert expected.std() > 0.01
    torch.testing.assert_close(found.permute(0, 2, 3, 1), expected, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(logits, dense(dense(dense(flat, 4), 5), 6), atol=1e-4, rtol=1e-3)


def test_the_card_says_whose_it_is_and_other_models_are_refused(published):
    path, _ = published
    with pytest.raises(WeightsError, match="for model 'chromagan_paper', not 'eccv16'"):
        load_model(path, "eccv16")


def changed(change):
    layers = layout()
    change(layers)
    return layers


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.pop("conv2d_9"), "it has 21 layers of the kind conv, not 22"),
        (lambda f: f.pop("batch_normalization_2"), "5 layers of the kind norm, not 6"),
        (lambda f: f.update(dense_7={"dense_7/kernel:0": (7, 7), "dense_7/bias:0": (7,)}), "7 layers of the kind"),
        (lambda f: f.update(conv2d_18={"conv2d_18/kernel:0": (3, 3, 2, 2), "conv2d_18/bias:0": (2,)}), "23 layers"),
        (lambda f: f.update(lstm_1={"lstm_1/kernel:0": (3, 3)}), "layer lstm_1 has no place"),
        (lambda f: f["conv2d_12"].update({"conv2d_12/kernel:0": (3, 3, 512, 256)}), "kernel of layer conv2d_12 has"),
        (lambda f: f["dense_2"].update({"dense_2/kernel:0": (512, 1024)}), "kernel of layer dense_2 has the shape"),
        (lambda f: f["model_2"].pop("block3_conv2_1/bias:0"), "block3_conv2_1 has kernel instead of kernel, bias"),
        (lambda f: f["dense_3"].update({"dense_3/scale:0": (256,)}), "layer dense_3 has bias, kernel, scale"),
        (lambda f: f["batch_normalization_6"].update({"batch_normalization_6/beta:0": (5,)}), "beta of layer batch"),
        (lambda f: [f.pop(name) for name in DENSES], "no dense layer for the classes"),
    ],
)  # fmt: skip
def test_missing_extra_and_misshaped_layers_are_named_in_one_line(tmp_path, change, says):
    path = write(tmp_path / "wrong.h5", changed(change))
    with pytest.raises(WeightsError, match=says) as caught:
        read_keras(path)
    assert "\n" not in str(caught.value)
    assert "my_model_colorization.h5" in str(caught.value)


def test_damaged_and_foreign_files_are_one_line(published, tmp_path):
    cut = tmp_path / "cut.h5"
    with open(published[0], "rb") as source, open(cut, "wb") as target:
        target.write(source.read(1 << 20))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    for path in (cut, tmp_path / "other.h5"):
        with pytest.raises(WeightsError, match="damaged or not written by Keras") as caught:
            create_model("chromagan_paper", weights=path)
        assert "\n" not in str(caught.value)


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "any.h5", {})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match=r"pip install 'chromagan\[keras\]'"):
        read_keras(path)
