"""A network of four layers that the processes started by tests register and train."""

import sys

from torch import nn

from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.registry import register_model

sys.modules["torch.utils.tensorboard"] = None  # it would take seconds of every start


@register_model("tiny_process", paper="a test")
class TinyInProcesses(ColorizationNetwork):
    ab_stride = 4

    def __init__(self):
        super().__init__()
        self.config = {}
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=4, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2),
            nn.Conv2d(8, 2, 3, padding=1),
        )  # fmt: skip

    def predict(self, L, hints):
        return Prediction(self.body(L / 50 - 1) * 50)
