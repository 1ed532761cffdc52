"""ONNX graphs under onnxruntime against the networks they were made from."""

import json
from unittest.mock import patch

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.color.ab_bins import AbBins
from chromagan.color.lab import rgb_to_lightness
from chromagan.errors import ModelError, UsageError
from chromagan.images.resize import resize_antialiased
from chromagan.inference.predict import predict
from chromagan.models import chroma_upsampler
from chromagan.models.contract import ColorizationNetwork, Prediction, pad_to_stride
from chromagan.models.conv_norm import ConvNorm
from chromagan.models.look import Look, settle
from chromagan.models.registry import build_network, register_model
from chromagan.pretrained import onnx as module
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.catalog import named_weights
from chromagan.pretrained.create import load_model, load_upsampler
from chromagan.pretrained.onnx import BINS_TOLERANCE, OPSET, TOLERANCE, export_onnx
from chromagan.pretrained.onnx_graphs import pad
from chromagan.pretrained.store import digest, read_weights
from chromagan.training.export import export
from chromagan.version import __version__

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


LOOK = Look(208, 1.2, 13.6, 0.5, views=2)


@register_model("onnx_test", paper="none")
class Net(ColorizationNetwork):
    """Answers to each pixel of its padded input, so that a wrong padding shows."""

    stride, ab_stride, training_only_prefixes = 16, 4, ("class_head.",)

    def __init__(self, classes=3, scale=40.0):
        super().__init__()
        self.config = {"classes": classes, "scale": scale}
        self.scale = scale
        self.reduce = nn.Sequential(nn.Conv2d(1, 8, 4, 4), nn.BatchNorm2d(8), nn.ReLU())
        self.coarse = nn.Sequential(nn.Conv2d(8, 8, 4, 4), ConvNorm(8, 8, stride=2, tf_padding=True))
        self.bins = AbBins()
        self.to_bins = nn.Conv2d(8, len(self.bins), 1)
        self.to_ab = nn.Conv2d(16, 2, 3, padding=1)
        self.class_head = nn.Linear(8, classes) if classes else None

    def predict(self, L, hints):
        fine = self.reduce(L / 50 - 1)
        coarse = self.coarse(fine)
        up = nn.functional.interpolate(coarse, size=fine.shape[-2:], mode="nearest")
        head = None if self.class_head is None else self.class_head(coarse.mean((2, 3)))
        return Prediction(self.to_ab(torch.cat((fine, up), 1)) * self.scale, 4 * self.to_bins(up), head)


def card(name="onnx_test", **entries):
    return WeightsCard(name, entries, "chromagan 9.9", "Apache-2.0", "", "train --seed 1", LOOK)


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def lightness(count, rows, columns):
    """Photographs: two of scikit-image, in several crops."""
    photos = [torch.from_numpy(photo).permute(2, 0, 1).float() / 255 for photo in (data.astronaut(), data.coffee())]
    L = [rgb_to_lightness(photos[i % 2].roll(37 * i, 2)[None]) for i in range(count)]
    return torch.cat([resize_antialiased(one, (rows, columns)) for one in L]).contiguous()


@torch.no_grad()
def difference(running, network, L, look=LOOK):
    (answer,) = running.run(None, {"L": L.numpy()})
    with patch("chromagan.inference.predict.has_fast_bfloat16", lambda device: False):  # in float32 on any machine
        shown = predict(network, L.split(1), views=[look.views] * len(L))
    expected = torch.cat([settle(one, look, network.bins) for one in shown]).numpy()
    assert answer.shape == expected.shape
    assert answer.dtype == np.float32
    assert expected.std() > 1e-2  # a constant answer would prove nothing
    return np.abs(answer - expected).max()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    torch.manual_seed(0)
    network = Net().eval()
    path = tmp_path_factory.mktemp("onnx") / "deep" / "small.onnx"
    worst = export_onnx(path, network, card(classes=3, scale=40.0))
    return network, path, worst


def test_small_network_at_every_kind_of_padding(small):
    network, path, worst = small
    assert worst <= BINS_TOLERANCE
    running = session(path)
    # reflected, edge only, one side of each, none; the wider side of each as well
    for size in [(2, 2), (16, 16), (17, 9), (9, 17), (9, 8), (8, 9), (33, 47), (5, 40), (48, 3), (31, 16), (64, 80)]:
        for count in (1, 3):
            random = torch.Generator().manual_seed(size[0])
            assert difference(running, network, torch.rand(count, 1, *size, generator=random) * 100) < BINS_TOLERANCE


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 8), (9, 9), (9, 8), (17, 200), (32, 16), (33, 31)])
@pytest.mark.parametrize("stride", [1, 2, 16])
def test_padding_by_gather_is_that_of_the_contract(size, stride):
    image = torch.rand(2, 1, *size)
    assert torch.equal(pad(image, stride), pad_to_stride(image, stride))


def test_graph_says_what_it_is(small):
    network, path, _ = small
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["model"], told["licence"], told["created_by"]) == ("onnx_test", "Apache-2.0", "chromagan 9.9")
    assert json.loads(told["config"])["classes"] == 0
    assert told["software"] == f"chromagan {__version__}"
    assert Look.from_dict(json.loads(told["look"])) == LOOK
    kept = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("class_head.")}
    assert told["sha256"] == digest(kept)
    assert told["ab_stride"] == "4"
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    shapes = [
        [side.dim_param or side.dim_value for side in tensor.type.tensor_type.shape.dim]
        for tensor in (model.graph.input[0], model.graph.output[0])
    ]
    assert shapes == [["N", 1, "H", "W"], ["N", 2, "h", "w"]]
    assert [model.graph.input[0].name, model.graph.output[0].name] == ["L", "ab"]
    assert b"site-packages" not in path.read_bytes()
    assert b"test_onnx.py" not in path.read_bytes()


def test_half_weights_halve_the_file(tmp_path, small):
    network, path, _ = small
    worst = export_onnx(tmp_path / "half.onnx", network, card(), half=True)
    weights = sum(t.numel() for n, t in network.state_dict().items() if t.ndim > 1 and "class_head" not in n)
    assert path.stat().st_size - (tmp_path / "half.onnx").stat().st_size > 2 * weights * 0.8
    assert 0 < worst < 0.1
    assert difference(session(tmp_path / "half.onnx"), network, torch.rand(1, 1, 20, 30) * 100) < 0.1


@pytest.mark.parametrize(
    ("name", "half", "allowed"),
    [
        ("chromagan", False, 0.01),
        pytest.param("chromagan@small", False, 0.01, marks=pytest.mark.slow),
        pytest.param("chromagan@small", True, 0.5, marks=pytest.mark.slow),
    ],
)
def test_shipped_weights_at_several_sizes(tmp_path, name, half, allowed):
    """What the stages of a photo make at its working size, of batches and of one photo, and with odd sides."""
    network, its_card = load_model(named_weights(name))
    export_onnx(tmp_path / "graph.onnx", network, its_card, half)
    running = session(tmp_path / "graph.onnx")
    assert running.get_modelmeta().custom_metadata_map["sha256"] == its_card.sha256
    for count, rows, columns in [
        (1, 224, 224),
        (2, 112, 160),
        (1, 149, 203),
        (3, 33, 47),
        (1, 7, 90),
        (1, 2, 3),
        (2, 208, 276),
    ]:
        assert difference(running, network, lightness(count, rows, columns), its_card.look) < allowed


@pytest.fixture(scope="module")
def chroma_step(tmp_path_factory):
    path = tmp_path_factory.mktemp("step") / "chroma_step.onnx"
    with pytest.MonkeyPatch.context() as patching:
        # in float32 on any machine
        patching.setattr(chroma_upsampler, "has_fast_bfloat16", lambda device: True)
        assert main(["export", "chroma_upsampler", "-o", str(path), "--onnx"]) == 0
    return path


@pytest.mark.parametrize("size", [(1, 52, 69), (3, 9, 31), (1, 1, 1), (1, 2, 40)])
def test_chroma_step_is_that_of_the_photos(chroma_step, size, monkeypatch):
    monkeypatch.setattr(chroma_upsampler, "has_fast_bfloat16", lambda device: False)
    count, rows, columns = size
    L = lightness(count, 2 * rows, 2 * columns)
    ab = torch.randn(count, 2, rows, columns, generator=torch.Generator().manual_seed(rows)) * 20
    (finer,) = session(chroma_step).run(["finer_ab"], {"ab": ab.numpy(), "L": L.numpy()})
    with torch.no_grad():
        expected = load_upsampler()(ab, L).numpy()
    assert finer.shape == expected.shape == (count, 2, 2 * rows, 2 * columns)
    assert np.abs(finer - expected).max() < TOLERANCE
    assert rows * columns == 1 or np.abs(expected - np.repeat(np.repeat(ab, 2, 2), 2, 3).numpy()).max() > 0.1


def test_chroma_step_says_what_it_is(chroma_step):
    model = onnx.load(str(chroma_step))
    told = {entry.key: entry.value for entry in model.metadata_props}
    its_card = read_weights(named_weights("chroma_upsampler"))[1]
    assert (told["model"], told["sha256"], told["licence"]) == ("chroma_upsampler", its_card.sha256, its_card.licence)
    assert "look" not in told
    tensors = (*model.graph.input, *model.graph.output)
    shapes = [[side.dim_param or side.dim_value for side in one.type.tensor_type.shape.dim] for one in tensors]
    assert shapes == [["N", 2, "h", "w"], ["N", 1, "2*h", "2*w"], ["N", 2, "2*h", "2*w"]]
    with pytest.raises(UsageError, match="chroma_upsampler is the chroma step, which takes --half alone"):
        export(source="chroma_upsampler", out="step.onnx", onnx=True, saturation=1.2)


def test_paper_network_resizes_inside_the_graph(tmp_path):
    torch.manual_seed(0)
    network = build_network("chromagan_paper", classes=0).eval()
    with torch.no_grad():
        network.decoder[-3].weight.mul_(30)  # fresh weights answer nearly the same everywhere
    export_onnx(tmp_path / "paper.onnx", network, card("chromagan_paper", classes=0))
    running = session(tmp_path / "paper.onnx")
    for count, rows, columns in [(1, 224, 224), (2, 97, 131), (1, 301, 240)]:
        assert difference(running, network, lightness(count, rows, columns)) < TOLERANCE


def test_a_graph_that_answers_otherwise_is_refused(tmp_path, monkeypatch):
    network = Net()
    real = module._translate

    def mistaken(graph, its_card):
        scale, network.scale = network.scale, network.scale * 1.01
        translated = real(graph, its_card)
        network.scale = scale
        return translated

    monkeypatch.setattr(module, "_translate", mistaken)
    with pytest.raises(ModelError, match="answers otherwise"):
        export_onnx(tmp_path / "no.onnx", network, card())
    assert not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_exported_is_told_in_one_line(tmp_path):
    class Deciding(Net):
        def predict(self, L, hints):
            return super().predict(L if float(L.mean()) > 50 else L * 2, hints)

    with pytest.raises(ModelError, match="onnx_test cannot be written as ONNX") as caught:
        export_onnx(tmp_path / "no.onnx", Deciding(), card())
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ModelError, match=r"chromagan\[onnx\]"):
        export_onnx(tmp_path / "no.onnx", Net(), card())
