"""Metrics of packages that are no part of this one: found by entry point, shown everywhere; broken ones are told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = str(Path(__file__).parents[2])
MODULE = """
import numpy as np
from chromagan.metrics.metric import PictureMetric

RED_ERROR = PictureMetric(
    name="red_error", label="Error of red", unit="levels", digits=1, better="lower", about="mean error of red",
    compute=lambda pair: float(np.abs(pair.picture.pixels[..., 0].astype(int) - pair.truth.pixels[..., 0]).mean()),
)
"""


@pytest.fixture
def site(tmp_path):
    """A folder as pip leaves it: the stranger's module beside the record that declares it, and a broken package's."""
    packages = {"strangers": "red_error = strangers_metrics:RED_ERROR", "broken": "broken_metric = broken_module:NO"}
    for name, points in packages.items():
        record = tmp_path / "site" / f"{name}-1.0.dist-info"
        record.mkdir(parents=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text(f"[chromagan.metrics]\n{points}\n")
    (tmp_path / "site" / "strangers_metrics.py").write_text(MODULE)
    (tmp_path / "site" / "broken_module.py").write_text("raise RuntimeError('half\\ninstalled')\n")
    for folder in ("truth", "made"):
        (tmp_path / folder).mkdir()
    truth = np.random.default_rng(0).integers(0, 200, (24, 32, 3), np.uint8)
    for number in range(2):
        cv2.imwrite(str(tmp_path / "truth" / f"{number}.png"), truth)
        cv2.imwrite(str(tmp_path / "made" / f"{number}.png"), truth + np.array([0, 0, 4 + number], np.uint8))  # BGR
    return tmp_path


def evaluate(folder, *metrics):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((ROOT, str(folder / "site"))), "OMP_NUM_THREADS": "1"}
    words = ["evaluate", "--pred", f"ours={folder / 'made'}", "--truth", folder / "truth", "--out", folder / "out"]
    command = [sys.executable, "-m", "chromagan", *map(str, words), "--metrics", *metrics]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)


@pytest.mark.process
def test_a_strangers_metric_is_measured_and_shown(site):
    answer = evaluate(site, "psnr", "red_error")
    assert answer.returncode == 0, answer.stderr
    assert "broken" not in answer.stderr  # nobody asked for it, so nobody imports it
    assert any(line.split()[:3] == ["red_error", "(-)", "4.5"] for line in answer.stdout.splitlines())
    found = json.loads((site / "out" / "metrics.json").read_text())
    assert found["higher_is_better"] == {"psnr": True, "red_error": False}
    assert found["methods"][0]["figures"]["red_error"]["value"] == 4.5
    page = (site / "out" / "report.html").read_text(encoding="utf-8")
    assert "Error of red" in page
    assert "levels" in page
    assert "red_error ↓" in (site / "out" / "table.md").read_text(encoding="utf-8")


@pytest.mark.process
def test_a_broken_one_is_a_line_and_no_crash(site):
    answer = evaluate(site, "psnr", "psmr")
    assert answer.returncode == 2
    lines = answer.stderr.splitlines()
    assert len(lines) == 2
    assert "broken_metric (broken_module:NO) cannot be loaded: half" in lines[0]
    assert "there is no metric 'psmr'" in lines[1]
    assert "red_error" in lines[1]


@pytest.mark.process
@pytest.mark.parametrize("damage", [b"[chromagan.metrics]\nno equals sign\n", b"[chromagan.metrics]\n\xff = a:b\n"])
def test_a_package_whose_entry_points_cannot_be_read_is_named_and_hides_no_other(site, damage):
    record = site / "site" / "damaged-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n")
    (record / "entry_points.txt").write_bytes(damage)
    answer = evaluate(site, "psnr", "red_error")
    assert answer.returncode == 0, answer.stderr
    assert any(line.split()[:1] == ["red_error"] for line in answer.stdout.splitlines())
    told = [line for line in answer.stderr.splitlines() if "damaged" in line]
    assert len(told) == 1
    assert "entry_points.txt cannot be read" in told[0]
    assert "Traceback" not in answer.stderr
