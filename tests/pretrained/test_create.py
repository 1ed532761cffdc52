import subprocess
import sys

import pytest
import torch
from torch import nn

import chromagan
from chromagan.errors import ModelError, WeightsError
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.registry import build_network, register_model
from chromagan.pretrained import catalog
from chromagan.pretrained.create import create_model, load_model
from chromagan.pretrained.store import save_weights


@register_model("create_test", paper="none")
class Net(ColorizationNetwork):
    stride = ab_stride = 2

    def __init__(self, width=4):
        super().__init__()
        self.config = {"width": width}
        self.net = nn.Sequential(nn.Conv2d(1, width, 3, 2, 1), nn.BatchNorm2d(width), nn.Conv2d(width, 2, 1))
        self.register_buffer("scale", torch.tensor(50.0), persistent=False)

    def predict(self, L, hints):
        return Prediction(self.net(L) * self.scale)


@register_model("create_test_other", paper="none")
class Other(Net):
    pass


@register_model("create_test_head", paper="none")
class WithHead(Net):
    training_only_prefixes = ("class_head.",)

    def __init__(self, width=4, classes=7):
        super().__init__(width)
        self.config["classes"] = classes
        self.class_head = nn.Linear(width, classes) if classes else None


@pytest.fixture
def trained(tmp_path):
    net = Net(width=6)
    path = tmp_path / "net.safetensors"
    save_weights(path, net, model="create_test", config=net.config, command="train", half=False)
    return net, path


def test_file_rebuilds_the_network_bit_equal(trained):
    net, path = trained
    again = create_model("create_test", weights=path)
    assert again.config == {"width": 6}
    L = torch.rand(1, 1, 8, 6) * 100
    assert torch.equal(again.eval()(L).ab, net.eval()(L).ab)


def test_loading_leaves_other_networks_random(trained):
    load_model(trained[1])
    first, second = create_model("create_test"), create_model("create_test")
    assert first.net[0].weight.std() > 0.01
    assert not torch.equal(first.net[0].weight, second.net[0].weight)


def test_options_are_laid_over_those_of_the_file(trained):
    with pytest.raises(WeightsError, match="other shapes"):
        create_model("create_test", weights=trained[1], width=5)


def test_a_class_head_that_the_file_lacks_starts_at_random_and_one_that_it_has_is_loaded(tmp_path):
    net = WithHead(classes=5)
    save_weights(tmp_path / "a.safetensors", net, model="create_test_head", config=net.config, command="train")
    fresh = create_model("create_test_head", weights=tmp_path / "a.safetensors", classes=5)
    again = create_model("create_test_head", weights=tmp_path / "a.safetensors", classes=5)
    bound = net.class_head.in_features**-0.5  # the limit of PyTorch's uniform law: not left-over memory
    assert 0.1 * bound < fresh.class_head.weight.abs().max() <= bound
    assert not torch.equal(fresh.class_head.weight, again.class_head.weight)
    assert torch.equal(fresh.net[0].weight.half(), net.net[0].weight.half())

    whole = tmp_path / "whole.safetensors"
    save_weights(whole, net.state_dict(), model="create_test_head", config=net.config, command="train", half=False)
    assert torch.equal(create_model("create_test_head", weights=whole).class_head.weight, net.class_head.weight)
    with pytest.raises(WeightsError, match="other shapes: class_head.weight"):
        create_model("create_test_head", weights=whole, classes=9)
    with pytest.raises(WeightsError, match="unknown entries class_head"):
        create_model("create_test_head", weights=whole, classes=0)


def test_weights_of_another_model_are_refused(trained):
    with pytest.raises(WeightsError, match="is for model 'create_test', not 'create_test_other'"):
        create_model("create_test_other", weights=trained[1])


def test_weights_by_name_and_tag(trained, tmp_path, monkeypatch):
    narrow = Net(width=3)
    save_weights(tmp_path / "narrow.safetensors", narrow, model="create_test", config=narrow.config, command="")
    entries = [catalog.Entry("create_test", name, f"{name}.safetensors", 0, "MIT", "") for name in ("net", "narrow")]
    monkeypatch.setattr(catalog, "CATALOGUE", tuple(entries))
    monkeypatch.setattr(catalog, "weights_folder", lambda: tmp_path)
    for name, width in (("create_test", 6), ("create_test@net", 6), ("create_test@narrow", 3)):
        assert create_model(name, pretrained=True).config == {"width": width}
    with pytest.raises(WeightsError, match=r"shipped: create_test, create_test@narrow"):
        create_model("create_test_other", pretrained=True)
    with pytest.raises(WeightsError, match="shipped for 'create_test@wide'"):
        create_model("create_test@wide", pretrained=True)
    with pytest.raises(ModelError):
        create_model("create_test@narrow")  # a tag names weights


def test_unknown_names_and_options():
    with pytest.raises(ModelError, match="create_test"):
        create_model("create_tset", pretrained=True)
    with pytest.raises(ModelError, match="depth"):
        create_model("create_test", depth=3)


def test_public_names():
    assert set(chromagan.__all__) <= set(dir(chromagan))
    assert len(chromagan.__all__) <= 15
    assert chromagan.create_model is create_model
    for name in chromagan.__all__:
        getattr(chromagan, name)
    with pytest.raises(AttributeError):
        chromagan.Nothing  # noqa: B018


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        (
            "chromagan",
            {"backbone": "vgg16", "classes": 0, "width": 10**9},
            "width=1000000000; give a whole number from 1",
        ),
        ("chromagan", {"backbone": None, "classes": 0, "width": 256}, "backbone=None; give a word or a list"),
        ("cunet", {"width": "6"}, "width='6'; give a whole number"),
        ("unet", {"width": 4096}, "does not fit UNet: it lacks"),
        ("unet", {"self": 1}, "multiple values"),
    ],
)
def test_a_file_that_describes_the_absurd_is_refused_before_anything_is_built(
    tmp_path, monkeypatch, model, options, told
):
    devices = []

    def noting(name, **config):
        devices.append(torch.empty(0).device.type)
        return build_network(name, **config)

    monkeypatch.setattr("chromagan.pretrained.create.build_network", noting)
    file = tmp_path / "absurd.safetensors"
    save_weights(file, {"a": torch.ones(1)}, model=model, config=options, command="")
    with pytest.raises((ModelError, WeightsError), match=told) as caught:
        load_model(file)
    assert str(file) in str(caught.value)
    assert devices == ["meta"]


@pytest.mark.parametrize("name", ["chromagan", "chromagan@small"])
def test_loading_leaves_pytorchs_compiler_alone(name):
    """Its import takes seconds; arithmetic on the meta device, of which outlines are made, would bring it in."""
    program = f"import sys; from chromagan import Colorizer; Colorizer.from_pretrained({name!r}); "
    done = subprocess.run(
        [sys.executable, "-c", program + "print('torch._dynamo' in sys.modules)"], capture_output=True, text=True
    )
    assert done.stdout.split() == ["False"], done.stderr
