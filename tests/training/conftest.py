"""What tests of training share: networks of a few layers, by their registered names, and photographs."""

import cv2
import numpy as np
import pytest
from torch import nn

from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.registry import register_model


@register_model("tiny_for_training", paper="a test")
class Tiny(ColorizationNetwork):
    ab_stride = 4

    def __init__(self):
        super().__init__()
        self.config = {}
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=4, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 2, 3, padding=1)
        )

    def predict(self, L, hints):
        return Prediction(self.body(L / 50 - 1) * 50)


@register_model("tiny_with_a_head", paper="a test")
class Headed(Tiny):
    """By its option `classes` it is one that a teacher teaches."""

    def __init__(self, classes=10):
        super().__init__()
        self.config = {"classes": classes}


@register_model("tiny_for_folders", paper="a test")
class Dropping(Tiny):
    """By its dropout one that a run's random numbers show in."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 5, stride=4, padding=2), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Conv2d(4, 2, 1)
        )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Bright is orange, dark is blue: a rule that a few convolutions learn."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(24):
        mask = cv2.resize(rng.random((5, 5)), (64, 64), interpolation=cv2.INTER_CUBIC)[..., None] > 0.5
        cv2.imwrite(str(folder / f"{i:02d}.png"), np.where(mask, (60, 170, 240), (150, 60, 20)).astype(np.uint8))
    return folder
