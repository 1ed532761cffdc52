"""Configuration, learning-rate schedule and averaged weights: closed forms and refusals."""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn

from chromagan.apps.cli.train import add_arguments
from chromagan.errors import UsageError
from chromagan.options import Section, at_least, option
from chromagan.training.config import PRESETS, TrainConfig, from_preset, read_config
from chromagan.training.export import command_of
from chromagan.training.run import ExponentialAverage


def test_learning_rate_rises_holds_and_falls_to_zero():
    shape = from_preset("default", images=1000, warmup=100, decay=0.5).schedule
    shares = [shape.learning_rate_share(i) for i in range(0, 1001, 10)]
    assert shares[0] == pytest.approx(0.01)
    assert shares[10:50] == [1.0] * 40
    assert shares[75] == pytest.approx(0.5)
    assert shares[100] == pytest.approx(0.0, abs=1e-9)
    assert from_preset("paper").schedule.learning_rate_share(10**6) == 1.0


def test_average_follows_the_closed_form_and_carries_buffers():
    network = nn.BatchNorm1d(1)
    average = ExponentialAverage(network, 0.5)
    expected = 1.0
    for step in range(1, 6):
        with torch.no_grad():
            network.weight.fill_(step)
            network.running_mean.fill_(step)
            network.num_batches_tracked.fill_(step)
        average.update(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert average.tensors["weight"].item() == pytest.approx(expected)
    assert average.tensors["num_batches_tracked"].item() == 5
    assert average.tensors["running_mean"].item() > 1


def test_presets_are_valid_and_the_papers_numbers_stand():
    for name in PRESETS:
        from_preset(name)
    paper, numbers = from_preset("paper").flat(), {
        "lr": 2e-5, "beta1": 0.5, "batch_size": 10, "size": 224, "chroma_weight": 1.0, "adversarial_weight": 0.1,
        "class_weight": 0.003, "gradient_penalty": 10.0, "penalty_on": "sum", "ab_unit": 255.0,
    }  # fmt: skip
    assert {name: paper[name] for name in numbers} == numbers


NAMED = "--size|no_such_option|--backbone-weights|--accumulate|--penalty-on|--critic-warmup"


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 3},
        {"no_such_option": 1},
        {"backbone_weights": "x", "no_pretrained": True},
        {"accumulate": 3},
        {"gradient_penalty": 0.0, "penalty_on": "sum"},
        {"critic_warmup": 5},
    ],
)
def test_wrong_options_are_named(wrong):
    with pytest.raises(UsageError, match=NAMED):
        from_preset("default", **wrong)


def test_recorded_command_gives_the_configuration_back():
    original = from_preset("cpu", data=["DATA/shards"], seed=4, adversarial_weight=0.05, no_pretrained=True)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = command_of(original.as_dict()).split()[2:]
    args = vars(parser.parse_args([*words, "--out", "x"]))
    given = {k: v for k, v in args.items() if k in TrainConfig.options() and v is not None}
    assert from_preset("default", **given) == original


SAVED = Path(__file__).with_name("config_of_0_1.json")


def test_a_flat_configuration_of_version_0_1_and_a_nested_one_of_today_are_read_alike(tmp_path):
    config = from_preset("default", data=["photos"], no_pretrained=True, size=64, best_metric="psnr")
    assert from_preset("default", base=read_config(SAVED)).flat() == config.flat()
    assert json.loads(SAVED.read_text()).items() <= config.flat().items()
    nested = tmp_path / "config.json"
    nested.write_text(json.dumps(config.as_dict()))
    assert json.loads(nested.read_text())["objective"]["chroma"]["objective"] == "ab_mse"
    assert from_preset("fast", base=read_config(nested)).flat() == config.flat()


def test_flags_win_over_a_configuration_file(tmp_path, capsys):
    from chromagan.apps.cli.main import main

    words = ["train", "--out", str(tmp_path / "x"), "--config", str(SAVED), "--lr", "0.5", "--dry-run"]
    assert main(words) == 0
    told = capsys.readouterr().out
    shown = json.loads(told[: told.index("\n}") + 2])
    assert shown["optimizer"]["lr"] == 0.5
    assert (shown["photos"]["data"], shown["photos"]["size"]) == (["photos"], 64)
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "other.json").write_text('{"strokes": []}')
    for file in ("absent.json", "list.json", "other.json"):
        assert main([*words[:4], str(tmp_path / file)]) == 2
        assert file in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path / "x")]) == 2
    assert "--data" in capsys.readouterr().err
    assert main([*words, "--preset", "cpu"]) == 2


def test_every_option_has_help_and_every_section_checks_its_own():
    options = TrainConfig.options()
    assert all(one.help for one in options.values())
    assert all(one.allows(one.default) for one in options.values())
    for name in ("size", "decay", "cache", "weight_decay", "eval_limit", "penalty_on", "trunk_frozen"):
        with pytest.raises(UsageError, match=options[name].flag):
            TrainConfig.from_flat({name: -1})


@dataclass(frozen=True)
class Inner(Section):
    width: int = option(4, "width", at_least(1))
    names: list[str] = option(["a"], "names")


@dataclass(frozen=True)
class Outer(Section):
    inner: Inner = field(default_factory=Inner)
    seed: int = option(0, "seed")


def test_a_section_is_written_nested_and_typed_flat():
    outer = Outer.from_flat({"width": 2, "names": "b"})
    assert outer.as_dict() == {"seed": 0, "inner": {"width": 2, "names": ["b"]}}
    assert outer.flat() == {"seed": 0, "width": 2, "names": ["b"]}
    assert Outer.from_flat(Outer.read(outer.as_dict())) == outer
    assert outer.changed(width=7).inner.width == 7
    assert outer.inner.width == 2
    with pytest.raises(UsageError, match="--width is out of range"):
        outer.changed(width=0)
    with pytest.raises(UsageError, match="unknown option depth"):
        outer.changed(depth=0)


@pytest.mark.parametrize("text", [
    '{"size": "abc"}', '{"size": null}', '{"size": 112.5}', '{"size": 1e400}', '{"seed": true}', '{"lr": NaN}',
    '{"hints": "yes"}', '{"model": 5}', '{"model": ["x"]}', '{"backbone": 5}', '{"backbone": [5]}', "[" * 100_000,
])  # fmt: skip
def test_a_configuration_with_values_of_another_kind_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match="does not take|not a readable"):
        from_preset("default", base=read_config(tmp_path / "config.json"))


@pytest.mark.parametrize("words", [
    ["--lr", "-1"], ["--lr", "nan"], ["--lr", "inf"], ["--critic-lr", "-0.1"], ["--seed", "-1"], ["--ab-unit", "0"],
    ["--chroma-weight", "-1"], ["--adversarial-weight", "-0.1"], ["--class-weight", "-1"], ["--gradient-penalty", "-9"],
    ["--beta1", "1"], ["--warmup", "-5"], ["--trunk-start", "-1"], ["--adversarial-start", "-1"], ["--trunk-lr", "-1"],
    ["--max-minutes", "nan"], ["--max-minutes", "-1"], ["--stop-at", "-1"], ["--rank-timeout", "0"],
])  # fmt: skip
def test_values_out_of_range_are_wrong_usage_in_one_line(tmp_path, capsys, words):
    from chromagan.apps.cli.main import main

    assert main(["train", "--data", str(tmp_path), "--out", str(tmp_path / "x"), *words]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert words[0] in told
    assert not (tmp_path / "x").exists()


def test_a_list_may_stand_in_several_flags():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--data", "a", "b", "--data", "c", "--metrics", "psnr", "--metrics", "ssim"]
    args = parser.parse_args(["--out", "x", *words])
    assert (args.data, args.metrics) == (["a", "b", "c"], ["psnr", "ssim"])
