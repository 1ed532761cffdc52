"""Black and white alone is never counted as colorized, nor marked; photos that end early are taken on request only."""

import logging
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from chromagan.images.metadata import read_provenance
from chromagan.images.read import Photo, read_pages, read_photo
from chromagan.images.write import write_pages
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look

GRAY = np.tile(np.linspace(30, 220, 64, dtype=np.uint8), (48, 1))
BITS = (np.random.default_rng(0).random((48, 64)) > 0.5).astype(np.uint8) * 255


class Painter(ColorizationNetwork):
    stride = ab_stride = 4
    config = {}

    def predict(self, L, hints):
        low = torch.nn.functional.avg_pool2d(L, 4)
        return Prediction(torch.cat((low * 0 + 25, low * 0 - 20), dim=1))


def colorizer():
    return Colorizer(Painter(), look=Look(size=32), device="cpu", sha256="5" * 64, model="painter")


def run(folder, out, **changes):
    told = {}
    jobs = [replace(job, **changes) for job in plan_jobs([str(folder)], out).jobs]
    outcome = colorize_files(jobs, colorizer, lambda job, error: told.update({job.source.name: error}))
    return outcome, told


@pytest.mark.parametrize("kind", ["bits", "black", "white", "deep", "fax"])
def test_a_picture_without_grays_is_refused(tmp_path, kind):
    photos = tmp_path / "in"
    photos.mkdir()
    pixels = {"black": BITS * 0, "white": BITS * 0 + 255, "deep": BITS.astype(np.uint16) * 257}.get(kind, BITS)
    if kind == "fax":
        Image.fromarray(BITS).convert("1").save(photos / "a.tif", compression="group4")
    else:
        cv2.imwrite(str(photos / "a.png"), pixels)
    cv2.imwrite(str(photos / "good.png"), GRAY)
    outcome, told = run(photos, tmp_path / "out")
    assert (outcome.done, outcome.failed) == (1, 1)
    (line,) = [str(error) for error in told.values() if error]
    assert "no grays to colour" in line
    assert str(photos / "a.") in line
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]


def test_a_blank_page_among_others_stays_and_has_no_mark(tmp_path, caplog):
    photos = tmp_path / "in"
    photos.mkdir()
    write_pages([Photo(GRAY), Photo(BITS), Photo(GRAY[::-1].copy())], photos / "a.tif", None)
    with caplog.at_level(logging.WARNING):
        outcome, _ = run(photos, tmp_path / "out")
    assert outcome.done == 1
    assert "black and white alone, and left as they are: page 2" in caplog.text
    first, second, third = read_pages(tmp_path / "out" / "a.tif")
    np.testing.assert_array_equal(second.pixels, np.dstack([BITS] * 3))
    assert all(np.ptp(page.pixels, axis=-1).max() > 8 for page in (first, third))
    with tifffile.TiffFile(tmp_path / "out" / "a.tif") as file:
        marked = [b"compositeWithTrainedAlgorithmicMedia" in page.tags.valueof(700, b"") for page in file.pages]
    assert marked == [True, False, True]


def test_what_python_saves_of_black_and_white_has_no_mark(tmp_path):
    for name, pixels in (("bits", BITS), ("gray", GRAY)):
        ((colored,),) = colorizer().colorize([Photo(pixels)])
        colored.save(tmp_path / f"{name}.png")
    assert read_provenance(tmp_path / "bits.png") is None
    assert read_provenance(tmp_path / "gray.png") is not None


@pytest.mark.parametrize("accept", [False, True])
def test_a_photo_that_ends_early(tmp_path, caplog, accept):
    photos = tmp_path / "in"
    photos.mkdir()
    data = cv2.imencode(".jpg", cv2.resize(GRAY, (320, 240)))[1].tobytes()
    (photos / "a.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    with caplog.at_level(logging.WARNING):
        outcome, told = run(photos, tmp_path / "out", accept_truncated=accept)
    assert (outcome.done, outcome.failed) == ((1, 0) if accept else (0, 1))
    if accept:
        assert "a.jpg: it is damaged or cut short; what is missing is black or gray" in caplog.text
        assert read_photo(tmp_path / "out" / "a.jpg").pixels.shape == (240, 320, 3)
    else:
        assert "damaged" in str(told["a.jpg"])
