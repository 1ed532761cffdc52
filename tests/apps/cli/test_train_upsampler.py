from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from skimage import data, io

from chromagan.apps.cli.main import main
from chromagan.evaluation.chroma_edges import measure_chroma_edges, plain_enlarger, stepwise_enlarger
from chromagan.pretrained.create import load_upsampler

WEIGHTS = Path(__file__).parents[3] / "weights" / "chroma_upsampler.safetensors"


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    io.imsave(folder / "chelsea.png", data.chelsea()[:160, 100:260])
    return folder


def test_trains_writes_and_measures(photographs, tmp_path, capsys):
    out = tmp_path / "step.safetensors"
    flags = ["--measure", str(photographs), "--images", "8", "--crop", "32", "--width", "8", "--depth", "0"]
    assert main(["train-upsampler", "--data", str(photographs), "--out", str(out), *flags]) == 0
    printed = capsys.readouterr().out
    assert "bilinear" in printed
    assert "learned" in printed
    with safe_open(out, framework="pt") as file:
        command = file.metadata()["command"]
    assert command.startswith("chromagan train-upsampler --data DATA/photos --out step.safetensors")
    assert "--depth 0" in command
    assert str(tmp_path) not in command


@pytest.mark.parametrize("flags", [[], ["--data", "x"], ["--data", "x", "--out", "y", "--weights", "z"]])
def test_wrong_usage(flags, capsys):
    assert main(["train-upsampler", *flags]) == 2
    assert "give" in capsys.readouterr().err or flags[-1] == "z"


def test_missing_folder_is_one_line(tmp_path, capsys):
    assert main(["train-upsampler", "--measure", str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("factor", "share"), [(2, 0.64), (4, 0.77), (8, 0.88)])
def test_shipped_weights_beat_bilinear(factor, share):
    photos = []
    for picture in (data.astronaut(), data.coffee(), data.chelsea()):
        rgb = torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255
        # Reduced by two: the files themselves hold colour at half size.
        photos.append(torch.nn.functional.avg_pool2d(rgb, 2))
    enlargers = {"bilinear": plain_enlarger("bilinear"), "learned": stepwise_enlarger(load_upsampler(WEIGHTS))}
    figures = measure_chroma_edges(photos, enlargers, factor=factor)
    assert figures["learned"] < share * figures["bilinear"]
