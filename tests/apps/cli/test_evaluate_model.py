"""`chromagan evaluate` of a model, through the real pipeline with a tiny network."""

import csv
import json

import numpy as np
import pytest
import torch
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.images.read import Photo
from chromagan.images.write import write_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Tinted(ColorizationNetwork):
    """The same ab everywhere."""

    ab_stride = 4

    def __init__(self, a=20.0, b=10.0):
        super().__init__()
        self.config = {}
        self.ab = nn.Parameter(torch.tensor([a, b]))

    def predict(self, L, hints):
        ab = self.ab.reshape(1, 2, 1, 1).expand(L.shape[0], 2, -(-L.shape[2] // 4), -(-L.shape[3] // 4))
        return Prediction(ab)


def photo(seed=0, height=40, width=56):
    rng = np.random.default_rng(seed)
    small = rng.uniform(60, 200, (5, 7, 3))
    return np.kron(small, np.ones((height // 5, width // 7, 1))).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    write_photo(Photo(photo(0)), tmp_path / "in" / "b.png", None)
    write_photo(Photo(photo(1)), tmp_path / "in" / "deep" / "a.png", None)
    (tmp_path / "in" / "notes.txt").write_text("no photo")
    (tmp_path / "in" / ".hidden.png").write_bytes(b"")
    return tmp_path / "in"


@pytest.fixture
def tiny(monkeypatch):
    """The command with a tiny network in place of weights."""

    def from_pretrained(name, device, size, views=None):
        return Colorizer(
            Tinted(), look=Look(size=size or 32, views=views or 1), device="cpu", sha256="0" * 64, model="tinted"
        )

    monkeypatch.setattr(Colorizer, "from_pretrained", from_pretrained)


def test_command_writes_the_report(folder, tiny, tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["evaluate", "--data", str(folder), "--saturation", "1.0", "0.5", "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["settings"]["weights_sha256"] == "0" * 64
    assert metrics["settings"]["size"] == 32
    assert [r["saturation"] for r in metrics["results"]] == [1.0, 0.5]
    rows = list(csv.DictReader((out / "per_image.csv").open()))
    assert [(r["saturation"], r["name"]) for r in rows] == [
        ("1.0", "b.png"), ("1.0", "deep/a.png"), ("0.5", "b.png"), ("0.5", "deep/a.png"),
    ]  # fmt: skip
    for result in metrics["results"]:
        mine = [float(r["psnr"]) for r in rows if float(r["saturation"]) == result["saturation"]]
        assert result["psnr"] == pytest.approx(np.mean(mine))
        assert result["gain"] == pytest.approx(result["psnr"] - result["gray_psnr"])
    printed = capsys.readouterr().out
    assert f"{metrics['results'][0]['psnr']:.3f}" in printed


def test_views_are_told_where_there_are_several(folder, tiny, tmp_path):
    for count in ("1", "2"):
        out = tmp_path / count
        assert main(["evaluate", "--data", str(folder), "--views", count, "--metrics", "psnr", "--out", str(out)]) == 0
        settings = json.loads((out / "metrics.json").read_text())["settings"]
        assert settings.get("views", 1) == int(count)


def test_command_reports_nothing_as_null(tiny, tmp_path):
    gray = np.full((32, 32), 128, np.uint8)
    write_photo(Photo(gray), tmp_path / "gray.png", None)
    assert main(["evaluate", "--data", str(tmp_path / "gray.png"), "--out", str(tmp_path / "r")]) == 0
    result = json.loads((tmp_path / "r" / "metrics.json").read_text())["results"][0]
    assert (result["psnr"], result["left_out"]) == (None, 1)


def test_command_says_what_is_wrong(folder, tiny, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["evaluate", "--data", str(tmp_path / "empty")]) == 1
    assert "no photographs there" in capsys.readouterr().err
    assert main(["evaluate", "--data", str(folder), "--saturation", "-1"]) == 2
    (folder / "c.png").write_text("no photo")
    assert main(["evaluate", "--data", str(folder)]) == 1
    assert "c.png" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    (folder / "c.png").unlink()
    assert main(["evaluate", "--data", str(folder), "--limit", "1", "--out", str(tmp_path / "file" / "r")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_network_and_folders_join_one_report(folder, tiny, tmp_path, monkeypatch, capsys):
    """The first two commands of docs/evaluate.md, and a third that opens no network."""
    for name in ("ours", "theirs"):
        (tmp_path / name / "deep").mkdir(parents=True)
        for photo_name in ("b.png", "deep/a.png"):
            write_photo(Photo(photo(len(name))), tmp_path / name / photo_name, None)
    out = ("--metrics", "psnr", "ssim", "--out", str(tmp_path / "report"))
    assert main(["evaluate", "--pred", f"ours={tmp_path / 'ours'}", "--truth", str(folder), *out]) == 0
    assert main(["evaluate", "--model", "chromagan", "--data", str(folder), *out]) == 0
    first = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert [method["name"] for method in first["methods"]] == ["ours", "chromagan", "gray", "mean ab", "truth"]
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    known = Colorizer.from_pretrained
    monkeypatch.setattr(Colorizer, "from_pretrained", lambda *_, **__: pytest.fail("the network was opened again"))
    assert main(["evaluate", "--pred", f"theirs={tmp_path / 'theirs'}", "--truth", str(folder), *out]) == 0
    second = json.loads((tmp_path / "report" / "metrics.json").read_text())
    names = ["ours", "theirs", "chromagan", "gray", "mean ab", "truth"]
    assert [method["name"] for method in second["methods"]] == names
    figures = [{method["name"]: method["figures"] for method in found["methods"]} for found in (first, second)]
    assert all(figures[0][name] == figures[1][name] for name in figures[0])
    again = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert again.count("<img") == page.count("<img") + 2  # of both photos the new method's
    # Its pictures are gone: the network is opened again, and must be the one that it was.
    (tmp_path / "report" / "pictures.npz").write_bytes(b"no zip")
    monkeypatch.setattr(Colorizer, "from_pretrained", known)
    assert main(["evaluate", "--pred", f"ours={tmp_path / 'ours'}", "--truth", str(folder), *out]) == 0
    assert (tmp_path / "report" / "report.html").read_text(encoding="utf-8").count("<img") == again.count("<img")
    (tmp_path / "report" / "pictures.npz").unlink()
    other = Colorizer(Tinted(), look=Look(size=32), device="cpu", sha256="1" * 64, model="tinted")
    monkeypatch.setattr(Colorizer, "from_pretrained", lambda *_, **__: other)
    capsys.readouterr()
    assert main(["evaluate", "--pred", f"ours={tmp_path / 'ours'}", "--truth", str(folder), *out]) == 1
    assert "its method 'chromagan' has other weights" in capsys.readouterr().err
    assert main(["evaluate", "--model", "chromagan", "--data", str(folder), *out]) == 1
    assert "has another method 'chromagan' (weights_sha256: 000" in capsys.readouterr().err


def test_one_saturation_more(folder, tiny, tmp_path):
    """Of the rows of one network some are known, some are new, and some are asked for no more."""
    words = ["evaluate", "--data", str(folder), "--metrics", "psnr", "--out", str(tmp_path / "report"), "--saturation"]
    assert main([*words, "0.5", "1"]) == 0
    first = json.loads((tmp_path / "report" / "metrics.json").read_text())["methods"]
    (tmp_path / "report" / "pictures.npz").unlink()
    assert main([*words, "1", "0"]) == 0
    second = json.loads((tmp_path / "report" / "metrics.json").read_text())["methods"]
    names = ["chromagan x0.5", "chromagan x1", "chromagan x0"]
    assert [method["name"] for method in second] == [*names, "gray", "mean ab", "truth"]
    figures = [{method["name"]: method["figures"] for method in found} for found in (first, second)]
    assert all(figures[0][name] == figures[1][name] for name in figures[0])
    assert figures[1]["chromagan x0"]["psnr"]["value"] == pytest.approx(figures[1]["gray"]["psnr"]["value"], abs=0.05)
