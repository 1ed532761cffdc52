"""`chromagan fairness` from files to report."""

import csv
import json
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest
import torch
from skimage.color import lab2rgb
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look

TONES = {"light": (68, 11, 17), "tan": (58, 14, 21), "dark": (30, 10, 13)}
SVG = "{http://www.w3.org/2000/svg}"


class Tinted(ColorizationNetwork):
    """The same ab everywhere."""

    ab_stride = 4

    def __init__(self):
        super().__init__()
        self.config = {}
        self.ab = nn.Parameter(torch.tensor([14.0, 21.0]))

    def predict(self, L, hints):
        return Prediction(self.ab.reshape(1, 2, 1, 1).expand(len(L), 2, -(-L.shape[2] // 4), -(-L.shape[3] // 4)))


def write(path, lab):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.rint(lab2rgb(lab) * 255).astype(np.uint8)[..., ::-1])


@pytest.fixture
def folders(tmp_path):
    """Truth in .png, a method that reddens dark skin in .tiff, one that changes nothing, and masks in .bmp."""
    rng = np.random.default_rng(0)
    for group, tone in TONES.items():
        for index in range(3):
            lab = np.array(tone) + rng.normal(0, 1, (24, 32, 3))
            name = f"{group}/{index}.x"
            write(tmp_path / "truth" / f"{name}.png", lab)
            write(tmp_path / "red & raw" / f"{name}.tiff", lab + np.array((0, 6, 0)) * (group == "dark"))
            write(tmp_path / "same" / f"{name}.png", lab)
            mask = np.zeros((24, 32), np.uint8)
            mask[4:20, 4:20] = 1
            (tmp_path / "masks" / group).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "masks" / f"{name}.bmp"), mask)
    return tmp_path


def compare(folders, *more):
    return main([
        "fairness", "--pred", str(folders / "red & raw"), f"still={folders / 'same'}",
        "--truth", str(folders / "truth"),
        "--masks", str(folders / "masks"), "--min-faces", "3", *more,
    ])  # fmt: skip


def test_report_of_folders(folders, capsys):
    out = folders / "new" / "report"
    assert compare(folders, "--out", str(out)) == 0
    printed = capsys.readouterr().out
    report = json.loads((out / "fairness.json").read_text())
    assert [m["name"] for m in report["methods"]] == ["red & raw", "still", "gray", "mean ab"]
    assert [m["baseline"] for m in report["methods"]] == [False, False, True, True]
    assert {g["name"]: g["faces"] for g in report["groups"] if g["faces"]} == {"light": 3, "tan": 3, "dark": 3}
    red, still = (m["measures"]["a_shift"] for m in report["methods"][:2])
    assert red["groups"]["dark"]["value"] == pytest.approx(6, abs=0.2)
    assert red["groups"]["tan"]["value"] == 0
    assert red["groups"]["very light"]["value"] is None
    assert red["gap"]["value"] == pytest.approx(6, abs=0.2)
    assert red["gap"]["highest"] == "dark"
    assert still["gap"]["value"] == 0
    assert report["settings"]["photos_sha256"]

    rows = list(csv.DictReader((out / "per_face.csv").open()))
    assert len(rows) == 9 * 4
    dark = [float(r["a_shift"]) for r in rows if r["method"] == "red & raw" and r["group"] == "dark"]
    assert np.mean(dark) == pytest.approx(red["groups"]["dark"]["value"], abs=1e-4)
    assert {r["hue_shift"] for r in rows if r["method"] == "gray"} == {""}
    assert {int(r["pixels"]) for r in rows} == {256}

    rows = [[cell.strip() for cell in line.split("|")] for line in (out / "fairness.md").read_text().splitlines()]
    line = next(row for row in rows if row[1:3] == ["red & raw", "a* shift"])
    assert line[3].startswith(f"{red['all']['value']:+.1f} [")
    assert "red & raw  " in printed
    assert f"{red['groups']['dark']['value']:+.1f}" in printed
    assert "fewer than 3 faces" in printed


@pytest.mark.parametrize("name", ["fairness.json", "per_face.csv", "fairness.md", "fairness.svg"])
def test_a_report_that_stands_there_is_kept_unless_told_otherwise(folders, capsys, name):
    out = folders / "report"
    out.mkdir()
    (out / name).write_text("mine")
    assert compare(folders, "--out", str(out)) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{out / name}: a report stands there; choose another --out, or --overwrite to replace it" in error
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [(name, "mine")]
    assert compare(folders, "--out", str(out), "--overwrite") == 0
    assert (out / name).read_text() != "mine"


def test_the_screen_speaks_of_the_figures_that_it_shows(folders, capsys):
    assert compare(folders, "--out", str(folders / "report")) == 0
    printed, written = capsys.readouterr().out, (folders / "report" / "fairness.md").read_text()
    assert "[" not in printed
    assert "--out writes their 95 % intervals into fairness.md" in printed
    assert "means over faces with 95 % bootstrap intervals" in written
    assert "[" in written


def test_plot_is_well_formed_and_shows_every_face(folders):
    out = folders / "report"
    assert compare(folders, "--out", str(out)) == 0
    root = ET.parse(out / "fairness.svg").getroot()
    assert root.tag == f"{SVG}svg"
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"red & raw", "still"} <= set(texts)
    assert not {"gray", "mean ab"} & set(texts)
    assert any("a* shift" in text for text in texts)
    assert any("ITA of the truth" in text for text in texts)
    assert len(list(root.iter(f"{SVG}circle"))) == 9 * 2 * 5  # faces, methods, measures
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(0 < float(c.get("cx")) < width and 0 < float(c.get("cy")) < height for c in root.iter(f"{SVG}circle"))


def test_report_of_a_model(folders, monkeypatch, capsys):
    def from_pretrained(name, device, size):
        return Colorizer(Tinted(), look=Look(size=size or 32), device="cpu", sha256="0" * 64, model="tinted")

    monkeypatch.setattr(Colorizer, "from_pretrained", from_pretrained)
    out = folders / "report"
    arguments = ["fairness", "--model", "any", "--data", str(folders / "truth"), "--masks", str(folders / "masks")]
    assert main([*arguments, "--min-faces", "3", "--out", str(out)]) == 0
    report = json.loads((out / "fairness.json").read_text())
    assert report["settings"]["weights_sha256"] == "0" * 64
    measures = report["methods"][0]["measures"]
    for group, (_, a, b) in TONES.items():
        assert measures["a_shift"]["groups"][group]["value"] == pytest.approx(14 - a, abs=0.3)
        assert measures["b_shift"]["groups"][group]["value"] == pytest.approx(21 - b, abs=0.3)
    assert "tinted" in capsys.readouterr().out


def test_groups_by_lightness(folders, capsys):
    out = folders / "report"
    assert compare(folders, "--group-by", "lightness", "--out", str(out)) == 0
    report = json.loads((out / "fairness.json").read_text())
    assert report["settings"]["grouping"] == "lightness"
    counts = {group["name"]: group["faces"] for group in report["groups"] if group["faces"]}
    assert counts == {"L* 65-75": 3, "L* 55-65": 3, "L* to 35": 3}
    red = report["methods"][0]["measures"]["a_shift"]["groups"]
    assert red["L* to 35"]["value"] == pytest.approx(6, abs=0.2)
    assert "mean L* of the true skin" in (out / "fairness.svg").read_text()
    assert "L* to 35 (3)" in capsys.readouterr().out


def test_missing_and_extra_pictures_are_listed(folders, capsys):
    (folders / "same" / "tan" / "1.x.png").unlink()
    assert compare(folders) == 1
    assert "1 missing (tan/1.x.png)" in capsys.readouterr().err

    write(folders / "red & raw" / "tan" / "new.png", np.full((4, 4, 3), 50.0))
    assert compare(folders) == 1
    assert "1 extra (tan/new.png)" in capsys.readouterr().err


def test_two_files_of_one_name_are_refused(folders, capsys):
    write(folders / "truth" / "tan" / "1.x.bmp", np.full((4, 4, 3), 50.0))
    assert compare(folders) == 1
    assert "1 doubled (tan/1.x.bmp and tan/1.x.png)" in capsys.readouterr().err


def test_a_mask_of_another_size_is_refused(folders, capsys):
    cv2.imwrite(str(folders / "masks" / "tan" / "1.x.bmp"), np.ones((24, 30), np.uint8))
    assert compare(folders) == 1
    assert "the mask is 30x24 pixels and its photo 32x24" in capsys.readouterr().err


def test_photos_without_a_mask_are_counted(folders, capsys):
    (folders / "masks" / "tan" / "1.x.bmp").unlink()
    assert compare(folders) == 0
    assert "1 of 9 photos have no face" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--pred", "a"], ["--truth", "a"], ["--model", "m"], ["--pred", "a", "--truth", "b", "--model", "m"],
        ["--model", "m", "--data", "d", "--min-faces", "1"], ["--model", "m", "--data", "d", "--seed", "-1"],
    ],
)  # fmt: skip
def test_wrong_usage(arguments, capsys):
    assert main(["fairness", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("names", [["gray=same"], ["same", "same"], ["=same"], ["x="]])
def test_names_must_differ_and_be_there(folders, monkeypatch, names):
    monkeypatch.chdir(folders)
    assert main(["fairness", "--pred", *names, "--truth", "truth", "--masks", "masks"]) == 2
