"""`chromagan evaluate --simulated-hints`, through the real pipeline with siggraph17 at a small working size."""

import csv
import json

import numpy as np
import pytest
import torch

from chromagan.apps.cli.main import main
from chromagan.images.read import Photo
from chromagan.images.write import write_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.models.look import Look
from chromagan.models.registry import build_network
from chromagan.models.siggraph17 import Siggraph17


@pytest.fixture(scope="module")
def network():
    """Random weights, whose last layer is strong enough that hints show in 8 bits."""
    torch.manual_seed(0)
    network = Siggraph17().eval()
    torch.nn.init.normal_(network.model_out[0].weight, std=0.05)
    return network


@pytest.fixture(autouse=True)
def weights(monkeypatch, network):
    def from_pretrained(name, device, size, views=None):
        found = network if name == "siggraph17" else build_network("mean")
        return Colorizer(found, look=Look(size=size or 16, views=views or 1), device="cpu", sha256="0" * 64, model=name)

    monkeypatch.setattr(Colorizer, "from_pretrained", from_pretrained)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "deep/b.png", "c.png")):
        small = np.random.default_rng(seed).integers(60, 200, (5, 7, 3), np.uint8)
        write_photo(Photo(np.kron(small, np.ones((6 + seed, 6, 1), np.uint8))), tmp_path / "in" / name, None)
    return tmp_path / "in"


def rows(out):
    found = {}
    for row in csv.DictReader((out / "per_image.csv").open()):
        found.setdefault(row["method"], {})[row["name"]] = row
    return found


def figures(row):
    return {key: value for key, value in row.items() if key not in ("method", "simulated_hints")}


def evaluate(folder, out, *options):
    words = ["evaluate", "--model", "siggraph17", "--data", str(folder), "--metrics", "psnr", "ab_mse"]
    return main([*words, "--out", str(out), *options])


def test_each_number_is_a_row(folder, tmp_path, capsys):
    out = tmp_path / "hinted"
    assert evaluate(folder, out, "--simulated-hints", "0", "1", "5", "20", "--saturation", "0.7", "1") == 0
    methods = json.loads((out / "metrics.json").read_text())["settings"]["methods"]
    names = [f"siggraph17, {n} hint{'s' * (n != 1)} x{f}" for n in (0, 1, 5, 20) for f in ("0.7", "1")]
    assert list(methods) == names
    assert [one["simulated_hints"] for one in methods.values()] == [0, 0, 1, 1, 5, 5, 20, 20]
    assert {(one["hint_size"], one["hint_seed"]) for one in methods.values()} == {(4, 0)}
    assert (out / "report.html").read_text().count("siggraph17, 20 hints x0.7") > 0
    found = rows(out)
    assert list(found) == names
    assert [found[name]["a.png"]["simulated_hints"] for name in names] == ["0", "0", "1", "1", "5", "5", "20", "20"]
    psnrs = [found[f"siggraph17, {label} x1"]["a.png"]["psnr"] for label in ("0 hints", "1 hint", "20 hints")]
    assert len(set(psnrs)) == 3
    assert "siggraph17, 20 hints x0.7" in capsys.readouterr().out


def test_no_hints_are_the_row_without_and_other_numbers_and_photos_change_nothing(folder, tmp_path):
    assert evaluate(folder, tmp_path / "plain") == 0
    assert evaluate(folder, tmp_path / "some", "--simulated-hints", "20", "0", "3") == 0
    assert evaluate(folder, tmp_path / "one", "--simulated-hints", "3") == 0
    assert evaluate(folder / "c.png", tmp_path / "alone", "--simulated-hints", "3") == 0
    plain, some, one, alone = (rows(tmp_path / name) for name in ("plain", "some", "one", "alone"))
    assert "simulated_hints" not in plain["siggraph17"]["a.png"]
    for photo in ("a.png", "deep/b.png", "c.png"):
        assert figures(some["siggraph17, 0 hints"][photo]) == figures(plain["siggraph17"][photo])
        assert figures(some["siggraph17, 3 hints"][photo]) == figures(one["siggraph17, 3 hints"][photo])
    assert figures(alone["siggraph17, 3 hints"]["c.png"]) == figures(one["siggraph17, 3 hints"]["c.png"])


def test_a_run_goes_on_with_the_same_hints_only(folder, tmp_path, network, capsys):
    out = tmp_path / "r"
    assert evaluate(folder, out, "--simulated-hints", "0", "4") == 0
    first = (out / "per_image.csv").read_text()
    with (out / "figures-0000.jsonl").open() as journal:
        lines = journal.readlines()
    (out / "figures-0000.jsonl").write_text("".join(lines[:-1]))  # as a kill before the last photo would leave it
    assert evaluate(folder, out, "--simulated-hints", "0", "4") == 0
    assert (out / "per_image.csv").read_text() == first
    for options in (("0", "4", "--hint-seed", "1"), ("0", "4", "--hint-size", "5")):
        capsys.readouterr()
        assert evaluate(folder, out, "--simulated-hints", *options) == 1
        assert "has another method" in capsys.readouterr().err


def test_the_table_of_saturations_has_a_column_of_hints(folder, tmp_path, capsys):
    out = tmp_path / "r"
    words = ["evaluate", "--model", "siggraph17", "--data", str(folder), "--out", str(out), "--limit", "1"]
    assert main([*words, "--simulated-hints", "0", "2"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["hints", "saturation"]
    results = json.loads((out / "metrics.json").read_text())["results"]
    assert [(r["method"], r["simulated_hints"], r["saturation"]) for r in results] == [
        ("siggraph17, 0 hints", 0, 1.0), ("siggraph17, 2 hints", 2, 1.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--model", "siggraph17", "--simulated-hints", "1", "-2"], "--simulated-hints must be 0 or more, not -2"),
        (["--model", "siggraph17", "--simulated-hints", "1", "--hint-size", "0"], "--hint-size must be at least 1"),
        (["--model", "siggraph17", "--hint-seed", "0"], "--hint-size and --hint-seed are for --simulated-hints"),
        (["--model", "siggraph17", "--no-spread"], "--no-spread is for --simulated-hints"),
        (["--model", "siggraph17", "--simulated-hints", "2", "2"], "two methods are called"),
    ],
)
def test_wrong_usage_is_one_line(folder, capsys, options, line):
    assert main(["evaluate", "--data", str(folder), *options]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_folders_of_pictures_take_no_hints(folder, capsys):
    assert main(["evaluate", "--pred", str(folder), "--truth", str(folder), "--simulated-hints", "1"]) == 2
    assert "--simulated-hints is for models" in capsys.readouterr().err
