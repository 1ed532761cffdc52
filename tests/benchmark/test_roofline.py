"""Arithmetic by closed forms, and what a roof says of it."""

import pytest
import torch
from torch import nn

from chromagan.benchmark.roofline import Roof, RoofMeter, Work, seconds_of, work_of
from chromagan.models.contract import ColorizationNetwork, Prediction


class TwoConvolutions(ColorizationNetwork):
    ab_stride = 2

    def __init__(self):
        super().__init__()
        self.config = {}
        self.first = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2d(8, 2, 5, padding=2, bias=False)
        self.dense = nn.Linear(8, 6)
        self.register_buffer("mean", torch.zeros(4))

    def predict(self, L, hints):
        maps = self.first(L)
        return Prediction(self.second(maps), class_logits=self.dense(maps.mean(dim=(2, 3))))


@pytest.mark.parametrize(("count", "height", "width"), [(1, 12, 20), (3, 8, 8)])
def test_work_is_the_closed_form(count, height, width):
    work = work_of(TwoConvolutions().eval(), torch.zeros(count, 1, height, width))
    points = count * (height // 2) * (width // 2)
    multiply_adds = points * 8 * 9 + points * 2 * 8 * 25 + count * 8 * 6
    assert work.flops == 2 * multiply_adds
    weights = (8 * 9 + 8) + 2 * 8 * 25 + (8 * 6 + 6) + 4
    assert work.bytes == 4 * (weights + count * height * width + 2 * points)
    assert work.intensity == work.flops / work.bytes


def test_the_slower_of_arithmetic_and_memory_is_the_roof():
    roof = Roof(matmul=100.0, convolution=200.0, bandwidth=10.0)
    assert roof.flops == 200
    assert roof.seconds(Work(flops=4000, bytes=100)) == 20
    assert roof.bound(Work(4000, 100)) == "arithmetic"
    assert roof.seconds(Work(flops=400, bytes=100)) == 10
    assert roof.bound(Work(400, 100)) == "memory"
    assert roof.bound(Work(0, 1)) == "memory"


def test_the_meter_keeps_the_best_of_all_bursts(monkeypatch):
    answers = iter([2.0, 4.0] * 3 + [8.0, 1.0] * 3 + [3.0] * 6)

    def told(action, device):
        action()
        return next(answers)

    monkeypatch.setattr("chromagan.benchmark.roofline.seconds_of", told)
    meter = RoofMeter(torch.device("cpu"), [torch.float32])
    meter.burst()
    slow = meter.roof(torch.float32)
    assert slow.matmul == 2 * 1024**3 / 2.0
    assert slow.convolution == 2 * 64 * 64 * 256 * 256 * 9 / 2.0
    meter.burst()
    fast = meter.roof(torch.float32)
    assert (fast.matmul, fast.convolution, fast.bandwidth) == tuple(
        2 * rate for rate in (slow.matmul, slow.convolution, slow.bandwidth)
    )
    meter.burst()
    assert meter.roof(torch.float32) == fast


def test_seconds_are_those_of_the_action():
    import time

    assert 0.02 <= seconds_of(lambda: time.sleep(0.02), torch.device("cpu")) < 10
