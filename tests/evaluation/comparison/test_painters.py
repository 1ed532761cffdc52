"""Models in a comparison: one run of the network a photo, whatever the number of saturations."""

import numpy as np
import torch
from torch import nn

from chromagan.evaluation.baselines import as_rgb
from chromagan.evaluation.comparison.painters import ModelPainter
from chromagan.inference.colorizer import Colorizer
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.lab_8bit import lab_of_8bit
from chromagan.metrics.lightness import largest_lightness_difference
from chromagan.models.contract import ColorizationNetwork, Prediction


class Tinted(ColorizationNetwork):
    """The same ab everywhere, counting its calls."""

    ab_stride = 4

    def __init__(self, a=20.0, b=10.0):
        super().__init__()
        self.config = {}
        self.ab = nn.Parameter(torch.tensor([a, b]))
        self.calls = 0

    def predict(self, L, hints):
        self.calls += 1
        ab = self.ab.reshape(1, 2, 1, 1).expand(L.shape[0], 2, -(-L.shape[2] // 4), -(-L.shape[3] // 4))
        return Prediction(ab)


def gray(seed):
    small = np.random.default_rng(seed).integers(60, 200, (5, 7), np.uint8)
    return np.kron(small, np.ones((8, 8), np.uint8))


def test_the_network_runs_once_a_photo():
    network = Tinted()
    painter = ModelPainter("tinted", Colorizer(network, size=32, device="cpu", sha256="ab"), (0.0, 0.5, 1.0))
    assert painter.names == ("tinted x0", "tinted x0.5", "tinted x1")
    assert [settings["saturation"] for settings in painter.settings.values()] == [0.0, 0.5, 1.0]
    assert {settings["weights_sha256"] for settings in painter.settings.values()} == {"ab"}
    for seed in (0, 3):
        plane = gray(seed)
        answers = painter.paint(plane, as_rgb(plane), "a.png")
        np.testing.assert_array_equal(answers[0], as_rgb(plane))
        assert 0 == colourfulness(answers[0]) < colourfulness(answers[1]) < colourfulness(answers[2])
        for answer in answers:
            assert answer.dtype == np.uint8
            assert largest_lightness_difference(lab_of_8bit(answer), lab_of_8bit(as_rgb(plane))) < 1
    assert network.calls == 2


def test_one_saturation_has_the_plain_name():
    assert ModelPainter("tinted", Colorizer(Tinted(), size=32, device="cpu")).names == ("tinted",)
