"""The benchmark's arithmetic and its processes; no time is asserted."""

import json
import os
import sys

import numpy as np
import pytest
import torch
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.benchmark.child_process import measure_process
from chromagan.benchmark.photos import make_photo, measure_sample, sample_command, time_folder, time_photo
from chromagan.errors import DataError
from chromagan.images.read import read_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Tinted(ColorizationNetwork):
    ab_stride = 4

    def __init__(self, a=20.0):
        super().__init__()
        self.config = {}
        self.a = nn.Parameter(torch.tensor(a))

    def predict(self, L, hints):
        return Prediction(self.a.expand(L.shape[0], 2, -(-L.shape[2] // 4), -(-L.shape[3] // 4)))


def tinted(a=20.0):
    return Colorizer(Tinted(a), look=Look(size=32), device="cpu", sha256="0" * 64, model="tinted")


@pytest.fixture
def photo(tmp_path):
    make_photo(tmp_path / "photo.jpg", 0.003)
    return tmp_path / "photo.jpg"


def test_generated_photo_has_the_pixels_asked_for(photo):
    pixels = read_photo(photo).pixels
    assert pixels.shape == (47, 63, 3)
    assert pixels.std() > 10


def test_ratio_is_the_whole_over_the_parts(photo):
    timings = time_photo(tinted(), photo, runs=2)
    assert set(timings.parts) == {"decode", "encode", "forward"}
    assert all(value > 0 for value in (*timings.parts.values(), *timings.stages.values(), timings.whole))
    assert timings.ratio == timings.whole / sum(timings.parts.values())
    assert timings.megapixels == pytest.approx(47 * 63 / 1e6)


def test_folder_counts_every_copy(photo):
    timings = time_folder(tinted(), [photo] * 3, runs=1)
    assert timings.photos == 3
    assert timings.megapixels == pytest.approx(3 * 47 * 63 / 1e6)


def test_a_photo_that_fails_gives_no_figure(photo):
    from chromagan.errors import ChromaganError

    with pytest.raises(ChromaganError, match="gray"):
        time_photo(tinted(a=0.0), photo, runs=1)


@pytest.mark.parametrize("copies", [1, 2])
def test_command_prints_and_writes_consistent_figures(photo, tmp_path, monkeypatch, capsys, copies):
    monkeypatch.setattr(Colorizer, "from_pretrained", lambda name, device, size: tinted())
    out = tmp_path / "figures.json"
    arguments = ["benchmark", "sample", "--data", str(photo), "--runs", "2", "--copies", str(copies), "--out", str(out)]
    assert main(arguments) == 0
    warm = json.loads(out.read_text())["warm"]
    assert warm["photos"] == copies
    assert warm["ratio"] == pytest.approx(warm["whole_seconds"] / sum(warm["parts_seconds"].values()))
    assert f"{warm['ratio']:.2f}" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["figures.json", "photo.jpg"]


def test_command_says_what_is_wrong(photo, capsys):
    assert main(["benchmark", "sample"]) == 2
    assert main(["benchmark", "sample", "--data", str(photo), "--runs", "0"]) == 2
    assert "--runs" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell a child's memory")
def test_memory_is_the_childs_own():
    ballast = np.ones(300_000_000, np.uint8)  # this process is large; a small child must not look so
    small = measure_process([sys.executable, "-c", "pass"])
    large = measure_process([sys.executable, "-c", "b = b'x' * 150_000_000"])
    assert ballast[-1] == 1
    assert small.exit_code == large.exit_code == 0
    assert small.peak_bytes < 100e6
    assert 150e6 < large.peak_bytes < 250e6


def test_exit_code_and_message_of_a_child_are_told(photo):
    cost = measure_process([sys.executable, "-c", "import sys; sys.exit('no luck')"])
    assert cost.exit_code == 1
    assert cost.message == "no luck"
    with pytest.raises(DataError, match="failed: chromagan: error: .*missing.jpg"):
        measure_sample(photo.with_name("missing.jpg"), "chromagan")


def test_child_gets_the_options(photo, tmp_path):
    command = sample_command(photo, tmp_path, "m", device="cpu", size=64)
    assert command[1:4] == ["-m", "chromagan", "sample"]
    assert command[-4:] == ["--device", "cpu", "--size", "64"]
