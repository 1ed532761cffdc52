"""A loss term is one file: here one comes from outside the package, and is trained, logged, saved and refused."""

import json
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.benchmark.networks.matrix import parse_options
from chromagan.errors import UsageError
from chromagan.losses import registry
from chromagan.losses.objective import ObjectiveOptions
from chromagan.losses.registry import LossTerm, Sight, loss_terms, register_term
from chromagan.models import registry as networks
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.registry import list_models, register_model
from chromagan.options import at_least, option
from chromagan.training.config import TrainConfig
from chromagan.training.run_folder import read_stats


class Tiny(ColorizationNetwork):
    def __init__(self):
        super().__init__()
        self.config = {}
        self.body = nn.Conv2d(1, 2, 3, padding=1)

    def predict(self, L, hints):
        return Prediction(self.body(L / 50 - 1) * 50)


@pytest.fixture
def warmth(monkeypatch):
    """A stranger's term, registered as its file would when imported."""
    monkeypatch.setattr(registry, "_TERMS", dict(loss_terms()))

    @register_term("warmth")
    @dataclass(frozen=True)
    class Warmth(LossTerm):
        warmth_weight: float = option(0.0, "weight of the error of warmth", at_least(0))
        warmth_goal: float = option(10.0, "mean b* that is wanted")

        def __call__(self, sight):
            return (sight.predicted_ab[:, 1].mean() - self.warmth_goal).square() / sight.ab_unit**2

    return Warmth


@pytest.fixture
def train(tmp_path, monkeypatch):
    list_models()  # the package's own are there before the copy is made
    monkeypatch.setattr(networks, "_RECORDS", dict(networks._RECORDS))
    register_model("tiny_for_terms", paper="a test")(Tiny)
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(4):
        cv2.imwrite(str(photos / f"{i}.png"), np.random.default_rng(i).integers(0, 256, (40, 40, 3), dtype=np.uint8))

    def call(out, *more):
        words = ["train", "--data", photos, "--out", tmp_path / out, "--model", "tiny_for_terms", "--size", "32"]
        words += ["--images", "8", "--batch-size", "4", "--workers", "0", "--warmup", "0", "--no-pretrained"]
        words += ["--adversarial-weight", "0", "--class-weight", "0", "--device", "cpu", "--precision", "float32"]
        code = main([str(word) for word in (*words, *more)])
        return code, tmp_path / out

    return call


def test_a_term_from_outside_is_trained_by_its_flag(warmth, train):
    code, without = train("without")
    assert code == 0
    code, folder = train("with", "--warmth-weight", "3", "--warmth-goal", "60", "--lr", "0.01")
    assert code == 0
    assert "warmth" in read_stats(folder)[-1]
    assert "warmth" not in read_stats(without)[-1]
    saved = json.loads((folder / "config.json").read_text())
    assert saved["objective"]["warmth"] == {"warmth_weight": 3.0, "warmth_goal": 60.0}
    states = [torch.load(path / "state-000000008.pt", weights_only=True)["generator"] for path in (without, folder)]
    assert not torch.equal(states[0]["body.weight"], states[1]["body.weight"])


def test_a_package_brings_its_term_by_an_entry_point(train, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(registry, "_TERMS", dict(loss_terms()))
    (tmp_path / "calm_term.py").write_text(
        "from dataclasses import dataclass\n"
        "from chromagan.losses.registry import LossTerm, register_term\n"
        "from chromagan.options import at_least, option\n\n\n"
        "@register_term('calm')\n@dataclass(frozen=True)\nclass Calm(LossTerm):\n"
        "    calm_weight: float = option(0.0, 'weight of the mean squared chroma', at_least(0))\n\n"
        "    def __call__(self, sight):\n        return sight.predicted_ab.square().mean()\n"
    )
    (tmp_path / "calm-1.0.dist-info").mkdir()
    (tmp_path / "calm-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: calm\nVersion: 1.0\n")
    (tmp_path / "calm-1.0.dist-info" / "entry_points.txt").write_text(
        "[chromagan.losses]\ncalm = calm_term\nbroken = no_such_module_of_a_test\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry._import_terms.cache_clear()
    code, folder = train("calm", "--calm-weight", "0.5")
    assert code == 0
    assert read_stats(folder)[-1]["calm"] > 0
    assert len([line for line in caplog.messages if "chromagan.losses: broken" in line]) == 1
    monkeypatch.undo()
    registry._import_terms.cache_clear()


def test_its_check_help_and_name_are_read_from_it(warmth, train, capsys):
    assert train("wrong", "--warmth-weight", "-1")[0] == 2
    assert "--warmth-weight is out of range" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "weight of the error of warmth" in capsys.readouterr().out
    assert parse_options(["warmth-goal=4"]) == {"warmth_goal": 4.0}
    assert list(ObjectiveOptions().terms) == [
        "chroma",
        "bins",
        "saturation",
        "class",
        "adversarial",
        "recognition",
        "consistency",
        "warmth",
    ]
    assert TrainConfig.from_flat({"warmth_weight": 1.0}).flat()["warmth_weight"] == 1.0


def test_a_run_with_it_asks_for_it_when_it_goes_on_without(warmth, train, capsys, monkeypatch):
    assert train("run", "--warmth-weight", "1")[0] == 0
    monkeypatch.delitem(registry._TERMS, "warmth")
    code, _ = train("run")
    told = capsys.readouterr().err.splitlines()[-1]
    assert code == 1
    assert "was made by version" in told
    assert "warmth_goal" in told
    assert "--init FILE" in told


def test_names_are_taken_once(warmth):
    with pytest.raises(UsageError, match="'warmth' is taken"):
        register_term("warmth")(type(warmth)("Again", (LossTerm,), {}))
    with pytest.raises(UsageError, match="no option calm_weight"):
        register_term("calm")(dataclass(frozen=True)(type("Calm", (LossTerm,), {})))

    @register_term("greedy")
    @dataclass(frozen=True)
    class Greedy(LossTerm):
        greedy_weight: float = option(0.0, "weight")
        lr: float = option(0.0, "taken already")

    with pytest.raises(UsageError, match="--lr belongs to two sections"):
        TrainConfig.options()


@pytest.mark.parametrize("name", list(loss_terms()))
def test_every_term_is_a_finite_scalar_with_a_gradient(name):
    """On what a run could show it; of the terms that need a critic or a teacher, with one."""
    from chromagan.color.ab_bins import AbBins

    ab = torch.randn(2, 2, 8, 8, requires_grad=True)
    bins, classes = torch.randn(2, 313, 8, 8, requires_grad=True), torch.randn(2, 5, requires_grad=True)
    sight = Sight(
        ab, torch.randn(2, 2, 8, 8) * 20, torch.rand(2, 1, 8, 8) * 100, bins, classes, ab_unit=50.0, bins=AbBins(),
        classify=lambda: torch.full((2, 5), 0.2), recognise=lambda ab: ab.mean((2, 3)).repeat(1, 3)[:, :5],
        look_again=lambda halved, mirrored: (ab[:, :, ::2, ::2] / 2, None),
        critic=lambda L, ab: ab.sum(1, keepdim=True) * L,
    )  # fmt: skip
    value = loss_terms()[name]()(sight)
    assert value.shape == ()
    assert torch.isfinite(value)
    gradients = torch.autograd.grad(value, [ab, bins, classes], allow_unused=True)
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
