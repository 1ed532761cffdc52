"""Real weights files under `chromagan sample`: outputs know them by their tensors."""

import os
import shutil
from pathlib import Path

import torch
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.registry import register_model
from chromagan.pretrained.store import save_weights


@register_model("tiny_for_sampling", paper="a test")
class Tiny(ColorizationNetwork):
    stride = ab_stride = 4

    def __init__(self):
        super().__init__()
        self.config = {}
        self.body = nn.Conv2d(1, 2, 5, stride=4, padding=2)

    def predict(self, L, condition):
        return Prediction(self.body(L / 50 - 1) * 20)


def save(path, network, command=""):
    save_weights(path, network, model="tiny_for_sampling", config={}, command=command)


def sample(*arguments):
    return main(["sample", "in", *map(str, arguments)])


def test_weights_that_were_moved_or_renamed_are_the_same_weights(album, capsys):
    """Known by the digest of their tensors; other tensors under the same name are other weights."""
    network = Tiny()
    save("mine.safetensors", network)
    assert sample("--model", "mine.safetensors", "--device", "cpu") == 0
    assert "2 colorized" in capsys.readouterr().out
    # Renamed, moved, and written again with another command on the card.
    os.rename("mine.safetensors", "yours.safetensors")
    os.mkdir("elsewhere")
    shutil.copy("yours.safetensors", "elsewhere/mine.safetensors")
    save("again.safetensors", network, command="by another way")
    assert Path("again.safetensors").read_bytes() != Path("yours.safetensors").read_bytes()
    for name in ("yours.safetensors", "elsewhere/mine.safetensors", "again.safetensors"):
        assert sample("--model", name, "--device", "cpu") == 0
        assert "0 colorized, 2 finished before and skipped" in capsys.readouterr().out
    # Other tensors under the first name.
    with torch.no_grad():
        network.body.bias += 1
    save("mine.safetensors", network)
    assert sample("--model", "mine.safetensors", "--device", "cpu") == 0
    assert "0 colorized, 2 made before with other options and kept" in capsys.readouterr().out
