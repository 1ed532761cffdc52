"""How far a painting moves, on painters whose answer is known."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from chromagan.apps.cli.main import main
from chromagan.benchmark.consistency import CHANGES, SIZES, distance, measure
from chromagan.images.read import Photo


class Known:
    """A colorizer that answers what a function of the gray picture and the size says."""

    def __init__(self, answer):
        self.answer = answer

    def colorize(self, photos, request):
        made = Photo(self.answer(photos[0], request.size), format="png")
        return [[SimpleNamespace(photo=made)]]


def tinted(gray, red):
    """(H, W, 3): the same in all channels but for red."""
    return np.dstack([np.clip(gray.astype(int) + red, 0, 255).astype(np.uint8), gray, gray])


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(3)
    paths = []
    for number in range(2):
        coarse = rng.integers(60, 180, (6, 8, 3), np.uint8)
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC))
    return paths


def test_a_distance_is_that_of_the_means():
    one, other = np.zeros((2, 128, 192), np.float32), np.zeros((2, 100, 150), np.float32)
    other[0], other[1] = 3, 4
    assert distance(one, other) == pytest.approx(5)
    checks = np.indices((128, 192)).sum(0) % 2 * 10.0 - 5.0  # gone at 64 x 64
    assert distance(one, np.stack([checks, checks]).astype(np.float32)) == pytest.approx(0, abs=1e-5)


def test_what_looks_at_each_pixel_alone_is_the_same_flipped_and_cropped(photos):
    found = measure(Known(lambda gray, size: tinted(gray, (gray > 120) * 40)), photos)
    assert found.distances["flipped"] == pytest.approx(0, abs=1e-4)
    assert found.distances["cropped by 5 %"] == pytest.approx(0, abs=1e-6)
    assert all(found.distances[f"{size} px"] == 0 for size in SIZES)
    assert found.distances["grain of 5 levels"] > 0.3  # pixels on the other side of 120
    assert found.chroma > 5


def test_what_stays_in_its_place_is_told(photos):
    """Red on the left half, whatever the picture: flipped it is on the wrong side everywhere."""

    def left(gray, size):
        return tinted(gray, np.where(np.arange(gray.shape[1]) < gray.shape[1] / 2, 40, 0))

    found = measure(Known(left), photos)
    assert found.distances["flipped"] == pytest.approx(2 * found.chroma, rel=0.05)
    assert found.distances["JPEG 50"] < 1
    assert set(found.distances) == {f"{size} px" for size in SIZES} | set(CHANGES)


def test_sizes_and_far_errors(photos):
    found = measure(Known(lambda gray, size: tinted(gray, 40 if size == 512 else 0)), photos)
    assert found.distances["512 px"] > 10
    assert found.distances["256 px"] == 0
    assert found.far == found.gray_far  # the answer at the default size is gray


def test_the_command(photos, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert main(["benchmark", "consistency", "--data", str(tmp_path), "--limit", "1", "--model", "mean",
                 "--device", "cpu", "--out", str(out)]) == 0  # fmt: skip
    found = json.loads(out.read_text())["consistency"]["mean"]
    assert found["photos"] == 1
    assert found["distances"]["flipped"] < 0.5  # one colour for all
    assert "mean chroma" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    assert main(["benchmark", "consistency", "--data", str(tmp_path / "none")]) == 1
