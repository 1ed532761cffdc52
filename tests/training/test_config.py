"""Configuration, learning-rate schedule and averaged weights: closed forms and refusals."""

import argparse

import pytest
import torch
from torch import nn

from chromagan.apps.cli.export import command_of
from chromagan.apps.cli.train import add_arguments
from chromagan.errors import UsageError
from chromagan.training.config import PRESETS, TrainConfig, from_preset
from chromagan.training.ema import ExponentialAverage
from chromagan.training.schedule import learning_rate_share


def test_learning_rate_rises_holds_and_falls_to_zero():
    shape = from_preset("default", images=1000, warmup=100, decay=0.5)
    shares = [learning_rate_share(shape, i) for i in range(0, 1001, 10)]
    assert shares[0] == pytest.approx(0.01)
    assert shares[10:50] == [1.0] * 40
    assert shares[75] == pytest.approx(0.5)
    assert shares[100] == pytest.approx(0.0, abs=1e-9)
    assert learning_rate_share(from_preset("paper"), 10**6) == 1.0


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
    paper = from_preset("paper")
    assert (paper.lr, paper.beta1, paper.batch_size, paper.size) == (2e-5, 0.5, 10, 224)
    assert (paper.chroma_weight, paper.adversarial_weight, paper.class_weight) == (1.0, 0.1, 0.003)
    assert (paper.gradient_penalty, paper.penalty_on, paper.ab_unit) == (10.0, "sum", 255.0)


NAMED = "--size|no_such_option|--backbone-weights|--accumulate|--penalty-on|--critic-warmup"


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 3}, {"no_such_option": 1}, {"backbone_weights": "x", "no_pretrained": True}, {"accumulate": 3},
        {"gradient_penalty": 0.0, "penalty_on": "sum"}, {"critic_warmup": 5},
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
    given = {k: v for k, v in args.items() if k in TrainConfig().as_dict() and v is not None}
    assert from_preset("default", **given) == original
