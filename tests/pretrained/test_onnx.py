"""ONNX graphs under onnxruntime against the networks they were made from."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from skimage.color import lab2rgb, rgb2lab
from torch import nn

from chromagan.color.lab import rgb_to_lightness
from chromagan.errors import ModelError
from chromagan.images.resize import resize_antialiased
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction, pad_to_stride
from chromagan.models.look import Look
from chromagan.models.registry import build_network, register_model
from chromagan.pretrained import onnx as module
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.catalog import named_weights
from chromagan.pretrained.create import load_model
from chromagan.pretrained.onnx import OPSET, TOLERANCE, export_onnx
from chromagan.pretrained.store import digest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@register_model("onnx_test", paper="none")
class Net(ColorizationNetwork):
    """Answers to each pixel of its padded input, so that a wrong padding shows."""

    stride, ab_stride, training_only_prefixes = 16, 4, ("class_head.",)

    def __init__(self, classes=3, scale=40.0):
        super().__init__()
        self.config = {"classes": classes, "scale": scale}
        self.scale = scale
        self.reduce = nn.Sequential(nn.Conv2d(1, 8, 4, 4), nn.BatchNorm2d(8), nn.ReLU())
        self.coarse = nn.Conv2d(8, 8, 4, 4)
        self.to_ab = nn.Conv2d(16, 2, 3, padding=1)
        self.class_head = nn.Linear(8, classes) if classes else None

    def predict(self, L, hints):
        fine = self.reduce(L / 50 - 1)
        coarse = self.coarse(fine)
        up = nn.functional.interpolate(coarse, size=fine.shape[-2:], mode="nearest")
        head = None if self.class_head is None else self.class_head(coarse.mean((2, 3)))
        return Prediction(self.to_ab(torch.cat((fine, up), 1)) * self.scale, class_logits=head)


def card(name="onnx_test", **entries):
    return WeightsCard(name, entries, "chromagan 9.9", "Apache-2.0", "", "train --seed 1", Look(208))


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def lightness(count, rows, columns):
    """Photographs: two of scikit-image, in several crops."""
    photos = [torch.from_numpy(photo).permute(2, 0, 1).float() / 255 for photo in (data.astronaut(), data.coffee())]
    L = [rgb_to_lightness(photos[i % 2].roll(37 * i, 2)[None]) for i in range(count)]
    return torch.cat([resize_antialiased(one, (rows, columns)) for one in L]).contiguous()


@torch.no_grad()
def difference(running, network, L):
    (answer,) = running.run(None, {"L": L.numpy()})
    expected = network(L).ab.numpy()
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
    assert worst <= TOLERANCE
    running = session(path)
    # reflected, edge only, one side of each, none; the wider side of each as well
    for size in [(2, 2), (16, 16), (17, 9), (9, 17), (9, 8), (8, 9), (33, 47), (5, 40), (48, 3), (31, 16), (64, 80)]:
        for count in (1, 3):
            random = torch.Generator().manual_seed(size[0])
            assert difference(running, network, torch.rand(count, 1, *size, generator=random) * 100) < TOLERANCE


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 8), (9, 9), (9, 8), (17, 200), (32, 16), (33, 31)])
@pytest.mark.parametrize("stride", [1, 2, 16])
def test_padding_by_gather_is_that_of_the_contract(size, stride):
    image = torch.rand(2, 1, *size)
    assert torch.equal(module._pad(image, stride), pad_to_stride(image, stride))


def test_graph_says_what_it_is(small):
    network, path, _ = small
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["model"], told["licence"], told["created_by"]) == ("onnx_test", "Apache-2.0", "chromagan 9.9")
    assert json.loads(told["config"])["classes"] == 0
    assert Look.from_dict(json.loads(told["look"])) == Look(size=208)
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


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    network, its_card = load_model(named_weights("chromagan"))
    path = tmp_path_factory.mktemp("shipped") / "chromagan.onnx"
    export_onnx(path, network, its_card)
    return network, its_card, path


def test_shipped_weights_at_several_sizes(shipped):
    network, its_card, path = shipped
    running = session(path)
    assert running.get_modelmeta().custom_metadata_map["sha256"] == its_card.sha256
    for count, rows, columns in [(1, 224, 224), (2, 112, 160), (1, 149, 203), (3, 33, 47), (1, 7, 90), (1, 2, 3)]:
        assert difference(running, network, lightness(count, rows, columns)) < TOLERANCE


def test_the_page_of_the_docs_colours_a_photo(shipped, monkeypatch):
    """The snippet is run as it stands, and agrees with the Colorizer up to what the page says is left out."""
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    (snippet,) = re.findall(r"```python\n(import json.*?)```", page, re.DOTALL)
    monkeypatch.chdir(shipped[2].parent)
    gray = rgb2lab(data.astronaut()[:300])[..., 0]
    Image.fromarray(np.rint(lab2rgb(np.dstack([gray, gray * 0, gray * 0])) * 255).astype(np.uint8)).save(
        "photo.jpg", quality=98
    )
    exec(compile(snippet, "docs/export.md", "exec"), {})
    page_lab = rgb2lab(np.asarray(Image.open("colour.png")))
    ours_lab = rgb2lab(np.asarray(Colorizer.from_pretrained("chromagan", device="cpu")("photo.jpg")))
    assert page_lab.shape == ours_lab.shape
    assert np.abs(page_lab[..., 0] - ours_lab[..., 0]).mean() < 1
    assert ours_lab[..., 1:].std() > 3
    for channel in (1, 2):
        assert np.corrcoef(page_lab[..., channel].ravel(), ours_lab[..., channel].ravel())[0, 1] > 0.9


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

    def mistaken(given, its_card):
        other = Net().eval()
        other.load_state_dict(given.state_dict())
        other.scale = given.scale * 1.01
        return real(other, its_card)

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
