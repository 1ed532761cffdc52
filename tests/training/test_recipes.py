"""Recipes of the zoo as presets, and what their options make the trainer compute."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from chromagan.color.ab_bins import AbBins
from chromagan.data.loader import Batch
from chromagan.errors import UsageError
from chromagan.models.contract import NOTHING, ColorizationNetwork, Prediction
from chromagan.models.registry import list_models, model_record, register_model
from chromagan.training.config import TrainConfig, from_preset, preset_names
from chromagan.training.run_folder import RunFolder
from chromagan.training.train import open_loop
from chromagan.training.trainer import Trainer

CPU = torch.device("cpu")


@register_model("tiny_with_bins_and_hints", paper="a test", recipe={"objective": "ab_bins", "lr": 0.5})
class Tiny(ColorizationNetwork):
    """ab at 1/1, bins at 1/4, hints taken; remembers what it was shown."""

    bin_stride = 4
    accepts = frozenset({"local"})

    def __init__(self):
        super().__init__()
        self.config = {}
        self.bins = AbBins()
        self.to_ab = nn.Conv2d(4, 2, 3, padding=1)
        self.to_bins = nn.Conv2d(1, len(self.bins), 5, stride=4, padding=2)
        self.shown = []

    def predict(self, L, condition):
        hints = condition.local
        self.shown.append(hints)
        given = torch.cat((hints.ab, hints.mask), 1) if hints is not None else L.new_zeros(len(L), 3, *L.shape[2:])
        return Prediction(self.to_ab(torch.cat((L / 50 - 1, given / 50), 1)) * 50, bin_logits=self.to_bins(L / 50 - 1))


@register_model("tiny_without_a_head", paper="a test")
class Plain(ColorizationNetwork):
    def __init__(self):
        super().__init__()
        self.config = {}
        self.to_ab = nn.Conv2d(1, 2, 3, padding=1)

    def predict(self, L, hints):
        return Prediction(self.to_ab(L))


def config(photos, **given):
    plain = {
        "data": [str(photos)], "model": "tiny_with_bins_and_hints", "class_weight": 0.0, "size": 32, "batch_size": 4,
        "images": 16, "warmup": 0, "workers": 0, "precision": "float32", "no_pretrained": True, "ema": 0.0,
        "adversarial_weight": 0.0,
    }  # fmt: skip
    return from_preset("default", **{**plain, **given})


def batch(count=4, size=32, seed=0):
    random = torch.Generator().manual_seed(seed)
    rgb = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=random)
    return Batch(rgb, torch.arange(count))


# presets


@pytest.mark.parametrize("name", list_models())
def test_every_recipe_names_fields_that_exist(name):
    record = model_record(name)
    assert not set(record.recipe) - set(TrainConfig.options())
    if record.weightless:
        assert name not in preset_names()
        return
    preset = from_preset(name)
    assert preset.network.model == name
    values = preset.flat()
    for option, value in record.recipe.items():
        assert values[option] == value, option


def test_typed_options_override_a_recipe_and_the_default_preset_is_untouched():
    assert from_preset("tiny_with_bins_and_hints").optimizer.lr == 0.5
    assert from_preset("tiny_with_bins_and_hints", lr=0.25, model="chromagan").optimizer.lr == 0.25
    plain = from_preset("default", model="tiny_with_bins_and_hints").flat()
    assert (plain["objective"], plain["lr"], plain["model"]) == ("ab_mse", 3e-4, "tiny_with_bins_and_hints")
    assert from_preset("chromagan_paper") == from_preset("released")
    with pytest.raises(UsageError, match="--preset gray: there are default, .*eccv16"):
        from_preset("gray")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"rebalance": True, "bin_weight": 0.0}, "--rebalance"), ({"objective": "x"}, "--obj"),
        ({"global_hints": True, "hints": False}, "--global-hints"),
        ({"rate_steps": ["0.5"]}, "--rate-steps"), ({"rate_steps": ["2:1"]}, "--rate-steps"),
        ({"momentum": 1.0}, "--momentum"),
        ({"chroma_weight": 0.0, "adversarial_weight": 0.0, "bin_weight": 0.0}, "nothing would be learned"),
        ({"objective": "ab_bins", "bin_weight": 0.1}, "--bin-weight"), ({"bin_weight": -1.0}, "--bin-weight"),
        ({"hint_free": 1.5}, "--hint-free"),
    ],
)  # fmt: skip
def test_contradictions_are_named(wrong, named):
    with pytest.raises(UsageError, match=named):
        from_preset("default", **wrong)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"hints": True, "model": "tiny_without_a_head"}, "--hints: tiny_without_a_head takes none"),
        ({"hints": True, "global_hints": True}, "--global-hints: .* built without"),
        ({"objective": "ab_bins", "model": "tiny_without_a_head"}, "predicts no ab bins"),
    ],
)
def test_networks_without_the_right_head_are_refused_in_one_line(photos, tmp_path, wrong, named):
    with pytest.raises(Exception, match=named) as caught:
        Trainer(config(photos, **wrong), tmp_path, CPU)
    assert type(caught.value).__module__ == "chromagan.errors"
    assert "\n" not in str(caught.value)


def test_a_folder_of_before_these_options_goes_on(photos, tmp_path):
    new = ("objective", "rebalance", "hints", "global_hints", "saturation_weight", "optimizer", "momentum")
    new += ("weight_decay", "schedule", "rate_steps")
    plain = config(photos)
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in plain.flat().items() if k not in new}))
    (tmp_path / "state-000000004.pt").touch()  # the folder is a run's from its first state on
    RunFolder(tmp_path, plain)
    with pytest.raises(Exception, match="objective: 'ab_mse' there, 'ab_l1' now"):
        RunFolder(tmp_path, config(photos, objective="ab_l1"))


# what the options compute


def test_steps_of_the_learning_rate():
    run = from_preset("default", schedule="steps", rate_steps=["0.75:0.01", "0.5:0.1"], images=1000, warmup=0).schedule
    assert [run.learning_rate_share(n) for n in (0, 499, 500, 749, 750, 999)] == [1, 1, 0.1, 0.1, 0.01, 0.01]
    rising = from_preset("default", schedule="steps", images=1000, warmup=100)
    assert rising.schedule.learning_rate_share(49) == 0.5


@pytest.mark.parametrize("objective", ["ab_mse", "ab_l1", "ab_huber"])
def test_the_chroma_term_is_the_one_asked_for(photos, tmp_path, objective):
    trainer = Trainer(config(photos, objective=objective, ab_unit=20.0), tmp_path, CPU)
    truth = trainer.prepare(batch())
    answer = trainer.generator(truth.L).ab.detach() / 20
    expected = {"ab_mse": F.mse_loss, "ab_l1": F.l1_loss, "ab_huber": F.smooth_l1_loss}[objective]
    terms, _ = trainer.adversaries.generator_step(truth, 0.0)
    assert terms["chroma"].item() == pytest.approx(expected(answer, truth.small_ab / 20).item(), rel=1e-5)


def test_bins_are_learned_with_rare_colours_weighed_up_by_the_runs_own_photos(photos, tmp_path):
    """Two colours fill the photos, so a prior counted here by hand must give the term."""
    trainer = Trainer(config(photos, objective="ab_bins", rebalance=True), tmp_path, CPU)
    trainer.folder.start(0)
    trainer.save()
    trainer.folder.close()
    prior = json.loads((tmp_path / "ab_prior.json").read_text())
    assert sum(prior) == pytest.approx(1)
    assert sum(share > 0.2 for share in prior) == 2
    truth = trainer.prepare(batch())
    bins = AbBins()
    weights = bins.rebalancing_weights(torch.tensor(prior, dtype=torch.float64))
    small = F.avg_pool2d(truth.small_ab, 4)
    log = F.log_softmax(trainer.generator(truth.L).bin_logits.detach(), 1)
    expected = (-(bins.soft_encode(small) * log).sum(1) * weights[bins.nearest(small)]).mean()
    terms, _ = trainer.adversaries.generator_step(truth, 0.0)
    assert terms["chroma"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert trainer.generator.to_bins.weight.grad is not None
    assert trainer.generator.to_ab.weight.grad is None
    again = Trainer(config(photos, objective="ab_bins", rebalance=True), tmp_path, CPU)
    assert torch.equal(again.adversaries.bin_weights, trainer.adversaries.bin_weights)


def test_adversary_on_top_of_bins_at_full_size_moves_ab(photos, tmp_path):
    trainer = Trainer(config(photos, objective="ab_bins", adversarial_weight=1.0), tmp_path, CPU)
    before = trainer.generator.to_ab.weight.detach().clone()
    terms = trainer.train_batch(batch())
    assert {"chroma", "adversarial", "wasserstein", "penalty"} <= set(terms)
    assert not torch.equal(before, trainer.generator.to_ab.weight)


def test_saturation_term_is_logged_and_moves_the_weights(photos, tmp_path):
    trainer = Trainer(config(photos, chroma_weight=0.0, saturation_weight=1.0), tmp_path, CPU)
    before = trainer.generator.to_ab.weight.detach().clone()
    terms = trainer.train_batch(batch())
    assert 0 < terms["saturation"] < 1
    assert not torch.equal(before, trainer.generator.to_ab.weight)


def test_hints_show_the_true_colours_and_belong_to_the_photos(photos, tmp_path):
    run = config(photos, hints=True, accumulate=2, batch_size=16)
    trainer = Trainer(run, tmp_path, CPU)
    whole = batch(16)
    truth = trainer.prepare(whole)
    trainer.adversaries.generator_step(truth, 0.0)
    shown = trainer.generator.shown
    assert [len(hints.ab) for hints in shown] == [8, 8]
    hints = torch.cat([one.ab for one in shown]), torch.cat([one.mask for one in shown])
    assert torch.equal(hints[0], truth.condition.local.ab)
    assert 0 < hints[1].mean() < 0.5
    assert (hints[0] * (1 - hints[1])).abs().max() == 0
    later = trainer.prepare(Batch(whole.rgb[8:], whole.ordinals[8:]))
    assert torch.equal(later.condition.local.ab, truth.condition.local.ab[8:])
    assert Trainer(config(photos), tmp_path / "plain", CPU).prepare(whole).condition == NOTHING


def test_global_hints_reach_the_network_that_is_built_for_them(photos, tmp_path):
    run = from_preset("siggraph17", data=[str(photos)], hints=True, global_hints=True, size=32, batch_size=2, workers=0)
    trainer = Trainer(run, tmp_path, CPU)
    assert trainer.generator.config == {"global_hints": True}
    truth = trainer.prepare(batch(2))
    assert truth.condition.overall.histogram.shape == (2, 313)
    parts = list(truth.parts(2))
    assert torch.equal(parts[1].condition.overall.saturation, truth.condition.overall.saturation[1:])


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.1},
         lambda p: torch.optim.SGD(p, 0.1, momentum=0.5, weight_decay=0.1)),
        ({"optimizer": "adamw", "weight_decay": 0.1, "beta1": 0.8},
         lambda p: torch.optim.AdamW(p, 0.1, (0.8, 0.999), weight_decay=0.1)),
        ({"optimizer": "adam", "weight_decay": 0.1},
         lambda p: torch.optim.Adam(p, 0.1, (0.9, 0.999), weight_decay=0.1)),
    ],
)  # fmt: skip
def test_optimisers_take_the_steps_of_pytorchs(photos, tmp_path, options, reference):
    trainer = Trainer(config(photos, lr=0.1, decay=0.0, **options), tmp_path, CPU)
    twin = Tiny()
    twin.load_state_dict(trainer.generator.state_dict())
    optimizer = reference(twin.parameters())
    for step in range(3):
        truth = trainer.prepare(batch(seed=step))
        optimizer.zero_grad()
        ((twin(truth.L).ab - truth.small_ab) / 50).square().mean().backward()
        optimizer.step()
        trainer.train_batch(batch(seed=step))
    for ours, theirs in zip(trainer.generator.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_hints_bins_and_steps_resume_to_the_bit(photos, tmp_path):
    run = config(photos, objective="ab_bins", rebalance=True, hints=True, schedule="steps", optimizer="sgd", lr=0.01)

    def train(out, **given):
        trainer = Trainer(run, out, CPU)
        open_loop(trainer, 8, **given).run()
        return trainer

    whole = train(tmp_path / "whole")
    train(tmp_path / "parts", stop_at=8)
    parts = train(tmp_path / "parts")
    assert parts.images == whole.images == 16
    for key, value in whole.generator.state_dict().items():
        assert torch.equal(value, parts.generator.state_dict()[key]), key


# a step of every recipe

LIGHT = {"chromagan_paper": {"classes": 0}}  # its class head alone has 124 million parameters


@pytest.mark.parametrize("name", [name for name in list_models() if not model_record(name).weightless])
def test_a_step_of_every_recipe(name, photos, tmp_path, monkeypatch):
    import chromagan.training.build as build

    plain = build.build_network
    monkeypatch.setattr(build, "build_network", lambda name, **options: plain(name, **LIGHT.get(name, {}), **options))
    count = 1 if name == "chromagan_paper" else 2  # it works at 224 pixels whatever it is given
    run = from_preset(
        name, data=[str(photos)], size=32, batch_size=count, workers=0, warmup=0, no_pretrained=True,
        precision="float32", images=100, ema=0.0,
    )  # fmt: skip
    trainer = Trainer(run, tmp_path, CPU)
    before = {k: v.detach().clone() for k, v in trainer.generator.named_parameters() if v.requires_grad and v.ndim > 1}
    trainer.generator.train()
    terms = trainer.train_batch(batch(count))
    assert all(torch.isfinite(value) for value in terms.values()), terms
    after = dict(trainer.generator.named_parameters())
    assert any(not torch.equal(value, after[key]) for key, value in before.items())


def test_the_command_line_lists_the_networks_recipes(capsys):
    from chromagan.apps.cli.main import main

    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = capsys.readouterr().out
    assert "siggraph17" in shown
    assert "--rate-steps" in shown
