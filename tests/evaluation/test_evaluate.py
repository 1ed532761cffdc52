"""`chromagan.evaluate` as a function: the figures of the command, and refusals before anything is loaded."""

import json
import shutil

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

import chromagan
from chromagan.errors import DataError, UsageError
from chromagan.evaluation.options import EvaluateOptions


@pytest.fixture
def folders(tmp_path):
    random = np.random.default_rng(0)
    for name in ("truth", "made", "harsh"):
        (tmp_path / name).mkdir()
    for number in range(3):
        truth = random.integers(0, 256, (40, 36, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "truth" / f"{number}.png"), truth)
        cv2.imwrite(str(tmp_path / "made" / f"{number}.png"), cv2.blur(truth, (3, 3)))
        cv2.imwrite(str(tmp_path / "harsh" / f"{number}.png"), 255 - truth)
    return tmp_path


def test_figures_and_report(folders):
    out = folders / "report"
    found = chromagan.evaluate(
        pred=[f"ours={folders / 'made'}"], truth=folders / "truth", metrics=["psnr", "ssim"], out=out
    )
    pairs = [[cv2.imread(str(folders / place / f"{i}.png")) for place in ("truth", "made")] for i in range(3)]
    expected = np.mean([peak_signal_noise_ratio(*pair, data_range=255) for pair in pairs])
    assert found.figures["ours"]["psnr"] == pytest.approx(expected)
    assert list(found.figures) == ["ours", "gray", "mean ab", "truth"]
    assert f"{expected:.3f}" in found.text()
    assert (
        json.loads((out / "metrics.json").read_text())["methods"][0]["figures"]["psnr"]["value"]
        == (found.figures["ours"]["psnr"])
    )
    assert (out / "report.html").exists()


def lines_of(report):
    return (report / "figures-0000.jsonl").read_text().count("\n")


@pytest.mark.parametrize("moved", ["all", "the report"])
def test_a_report_that_was_moved_shows_its_pictures_and_takes_further_methods(folders, tmp_path_factory, moved):
    """Together with its photos, or alone where its methods are models."""
    options = {"metrics": ["psnr"]}
    method = {"pred": [f"ours={folders / 'made'}"], "truth": folders / "truth"}
    first = method if moved == "all" else {"model": ["ours=gray"], "data": folders / "truth"}
    chromagan.evaluate(**first, out=folders / "report", **options)
    page = (folders / "report" / "report.html").read_bytes()
    assert page.count(b"data:image/jpeg;base64,") == 9  # gray, the method and the truth of three photos
    # Nothing is where it was.
    place = tmp_path_factory.mktemp("elsewhere") / "album"
    shutil.move(folders if moved == "all" else folders / "report", place)
    photos, report = (place, place / "report") if moved == "all" else (folders, place)
    assert (report / "report.html").read_bytes() == page
    before, own = lines_of(report), (report / "metrics.json").read_text()
    found = chromagan.evaluate(pred=[f"theirs={photos / 'harsh'}"], truth=photos / "truth", out=report, **options)
    assert set(found.figures) == {"ours", "theirs", "gray", "mean ab", "truth"}
    assert found.figures["ours"]["psnr"] == json.loads(own)["methods"][0]["figures"]["psnr"]["value"]
    added = [json.loads(line) for line in (report / "figures-0000.jsonl").read_text().splitlines()[before:]]
    assert {method for line in added for method in line["content"]["figures"]} == {"theirs"}


def test_other_photos_in_the_place_of_a_reports_are_told(folders, tmp_path):
    method = {"pred": [f"ours={folders / 'made'}"], "metrics": ["psnr"], "out": folders / "report"}
    chromagan.evaluate(truth=folders / "truth", **method)
    shutil.copytree(folders / "truth", tmp_path / "others")
    with pytest.raises(DataError, match="truth: other files now"):
        chromagan.evaluate(truth=tmp_path / "others", **method)


def test_options_are_checked_where_they_are_made():
    with pytest.raises(UsageError, match="both name the true photos"):
        EvaluateOptions(data="a", truth="b")
    with pytest.raises(UsageError, match="--limit must be at least 1"):
        EvaluateOptions(data="a", limit=0)
    with pytest.raises(UsageError, match="--against takes published"):
        EvaluateOptions(data="a", against="rumours")
    assert EvaluateOptions(data="a").models == ["chromagan"]
    with pytest.raises(UsageError, match="name what to measure"):
        chromagan.evaluate()
