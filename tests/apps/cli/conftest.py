"""What tests of `chromagan sample` share: a network without weights, and photos."""

import cv2
import numpy as np
import pytest
import torch

from chromagan.apps.cli import sample as sample_command
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Painter(ColorizationNetwork):
    stride = ab_stride = 4
    config = {}

    def predict(self, L, hints):
        return Prediction(torch.full((len(L), 2, L.shape[2] // 4, L.shape[3] // 4), 25.0))


@pytest.fixture
def painter(monkeypatch):
    """The command with a network that needs no weights; what it was asked for."""
    asked = []

    def build(name, device, batch_size):
        asked.append((name, device, batch_size))
        return Colorizer(Painter(), look=Look(size=32), device="cpu", batch_size=batch_size, sha256="7" * 64)

    monkeypatch.setattr(Colorizer, "from_pretrained", build)
    monkeypatch.setattr(sample_command, "weights_digest", lambda model: "7" * 64)
    return asked


@pytest.fixture
def album(tmp_path, monkeypatch):
    """Two photos, one of them in a folder, a sidecar and a raw file; the working folder is above."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "sub/b.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8))
    for name in ("a.xmp", "c.dng", "sub/b.xmp"):
        (tmp_path / "in" / name).write_text("x")
    return tmp_path / "in"
