"""`chromagan.evaluate` as a function: the figures of the command, and refusals before anything is loaded."""

import json

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

import chromagan
from chromagan.errors import UsageError
from chromagan.evaluation.options import EvaluateOptions


@pytest.fixture
def folders(tmp_path):
    random = np.random.default_rng(0)
    for name in ("truth", "made"):
        (tmp_path / name).mkdir()
    for number in range(3):
        truth = random.integers(0, 256, (40, 36, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "truth" / f"{number}.png"), truth)
        cv2.imwrite(str(tmp_path / "made" / f"{number}.png"), cv2.blur(truth, (3, 3)))
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
