"""The wheel carries the weights, and what it installs colorizes from any folder."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromagan.pretrained.catalog import CATALOGUE

ROOT = Path(__file__).parents[1]
HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
FORCED = {Path(file).name for file in HATCH["build"]["targets"]["wheel"]["force-include"]}
SHIPPED = sorted(name for name in FORCED if name.endswith(".safetensors"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with nothing but the wheel's contents on the path."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    wheel = next(out.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out / "site")
    return out / "site"


@pytest.mark.process
def test_wheel_holds_weights_card_and_licence(site):
    assert {"chromagan.safetensors", "chroma_upsampler.safetensors"} <= set(SHIPPED)
    assert {"MODEL_CARD.md", "LICENSES.md"} <= FORCED
    for name in FORCED:
        assert (site / "chromagan" / "_weights" / name).read_bytes() == (ROOT / "weights" / name).read_bytes()
    assert not [*site.glob("tests*"), *site.glob("adapters*")]


@pytest.mark.process
def test_wheel_holds_the_templates_of_pages(site):
    folder = Path("chromagan", "reports", "templates")
    ours = {path.name for path in (ROOT / folder).iterdir()}
    assert {"page.html", "page.css", "comparison.js", "study.html", "fairness.svg"} <= ours
    assert {path.name for path in (site / folder).iterdir()} == ours


@pytest.mark.process
def test_installed_package_colorizes_from_any_folder(site, tmp_path):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))
    cv2.imwrite(str(tmp_path / "old photo.png"), ramp)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "chromagan", "sample", "old photo.png"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / "colorized" / "old photo.png"), cv2.IMREAD_UNCHANGED).shape == (48, 64, 3)


def test_shipped_weights_stay_small():
    total = sum((ROOT / "weights" / name).stat().st_size for name in SHIPPED)
    assert total <= 64 * 2**20


def test_the_wheel_holds_entries_of_the_catalogue():
    assert set(SHIPPED) <= {entry.file for entry in CATALOGUE}
