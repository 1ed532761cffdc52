import threading
import zlib

import cv2
import numpy as np
import pytest
import tifffile
import torch

from chromagan.errors import ChromaganError
from chromagan.images.metadata import read_provenance
from chromagan.images.read import read_photo
from chromagan.inference import batch, crew, stages
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Painter(ColorizationNetwork):
    stride = ab_stride = 4
    config = {}

    def predict(self, L, hints):
        low = torch.nn.functional.avg_pool2d(L, 4)
        return Prediction(torch.cat((low * 0 + 25, low * 0.2), dim=1))


def make_colorizer():
    return Colorizer(Painter(), look=Look(size=32), device="cpu", sha256="5" * 64, model="painter")


@pytest.fixture
def folder(tmp_path):
    """Twelve photos in two folders, and four files that cannot be read."""
    photos = tmp_path / "in"
    (photos / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(12):
        place = photos / ("sub" if index % 2 else "") / f"p{index}.{'jpg' if index % 3 else 'png'}"
        cv2.imwrite(str(place), rng.integers(0, 256, (30 + index, 40), dtype=np.uint8))
    (photos / "text.png").write_text("this is no picture\n" * 30)
    (photos / "empty.jpg").write_bytes(b"")
    jpeg = (photos / "sub" / "p1.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    bomb = bytearray(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    (photos / "bomb.png").write_bytes(bytes(bomb))
    return photos


def run(inputs, out, colorizer=make_colorizer, files=None, **plan_options):
    plan = plan_jobs([str(i) for i in inputs], out, **plan_options)
    told = {}
    outcome = colorize_files(plan.jobs, colorizer, lambda job, error: told.update({job.source: error}), files)
    return plan, outcome, {path.name: str(error) for path, error in told.items() if error}


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_bad_file_fails_alone(folder, tmp_path):
    out = tmp_path / "out"
    _, outcome, errors = run([folder], out)
    assert (outcome.done, outcome.failed, outcome.interrupted) == (12, 4, False)
    assert set(errors) == {"text.png", "empty.jpg", "cut.jpg", "bomb.png"}
    for name, message in errors.items():
        assert str(folder / name) in message
        assert "\n" not in message
    good = [f"p{i}.{'jpg' if i % 3 else 'png'}" for i in range(12)]
    assert files(out) == sorted(f"sub/{name}" if i % 2 else name for i, name in enumerate(good))
    for path in out.rglob("p*"):
        source = read_photo(folder / path.relative_to(out))
        coloured = read_photo(path)
        assert coloured.pixels.shape == (*source.pixels.shape, 3)
        assert np.ptp(coloured.pixels.astype(int), axis=2).max() > 20
        assert read_provenance(path).sha256 == "5" * 64
    assert threading.active_count() == 1 or not any(t.name in ("reader", "writer") for t in threading.enumerate())


def test_outputs_equal_those_of_the_colorizer(folder, tmp_path):
    run([folder / "p0.png"], tmp_path / "out")
    (direct,) = make_colorizer().colorize([read_photo(folder / "p0.png")])[0]
    assert np.array_equal(read_photo(tmp_path / "out" / "p0.png").pixels, direct.photo.pixels)
    direct.save(tmp_path / "direct.png")
    assert (tmp_path / "direct.png").read_bytes() == (tmp_path / "out" / "p0.png").read_bytes()
    mark = read_provenance(tmp_path / "direct.png")
    assert (mark.seed, mark.request) == (0, Request().digest) != (0, Request(saturation=0.9).digest)


def test_finished_outputs_are_skipped(folder, tmp_path):
    out = tmp_path / "out"
    run([folder], out)
    (out / "p0.png").unlink()
    plan, outcome, _ = run([folder], out)
    assert (len(plan.skipped), outcome.done) == (11, 1)
    plan, outcome, _ = run([folder], out, compare=True)  # the sheets are missing
    assert (len(plan.skipped), outcome.done) == (0, 12)
    plan, outcome, _ = run([folder], out, overwrite=True)
    assert (len(plan.skipped), outcome.done) == (0, 12)


def test_extra_outputs(folder, tmp_path):
    out = tmp_path / "out"
    run([folder / "p0.png"], out, compare=True, layer=True)
    assert files(out) == ["p0-compare.png", "p0-layer.png", "p0.png"]
    before, after = read_photo(folder / "p0.png").pixels, read_photo(out / "p0.png").pixels
    sheet = read_photo(out / "p0-compare.png").pixels
    assert np.array_equal(sheet[:, :40], np.dstack([before] * 3))
    assert np.array_equal(sheet[:, 40:], after)
    from skimage.color import rgb2lab

    layer = rgb2lab(read_photo(out / "p0-layer.png").pixels)
    assert np.abs(layer[..., 0] - 60).max() < 0.5
    assert layer[..., 1].mean() == pytest.approx(25, abs=1)


def test_pages_of_a_tiff(tmp_path):
    pages = np.random.default_rng(0).integers(0, 65536, (3, 20, 30), dtype=np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, photometric="minisblack")
    _, outcome, _ = run([tmp_path / "a.tif"], tmp_path / "out", layer=True, compare=True)
    assert outcome.done == 1
    for name in ("a", "a-layer", "a-compare"):
        with tifffile.TiffFile(tmp_path / "out" / f"{name}.tif") as tiff:
            assert len(tiff.pages) == 3
            assert tiff.pages[2].dtype == np.uint16
    _, _, errors = run([tmp_path / "a.tif"], tmp_path / "png", photo_format="png")
    assert "3 pages" in errors["a.tif"]


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"),
                                   RuntimeError("DefaultCPUAllocator: can't allocate memory")])  # fmt: skip
def test_running_out_of_memory_is_told(folder, tmp_path, monkeypatch, error):
    predict = stages.predict

    def limited(network, lightness, *arguments, **named):
        if len(lightness) > 1 or any(L.shape[-2] > 32 for L in lightness):
            raise error
        return predict(network, lightness, *arguments, **named)

    monkeypatch.setattr(stages, "predict", limited)

    cv2.imwrite(str(tmp_path / "tall.png"), np.full((400, 100), 90, np.uint8))
    _, outcome, errors = run([folder / "p0.png", folder / "p2.jpg", tmp_path / "tall.png"], tmp_path / "out")
    assert (outcome.done, outcome.failed) == (2, 1)
    assert "memory ran out" in errors["tall.png"]
    assert "--size" in errors["tall.png"]
    assert files(tmp_path / "out") == ["p0.png", "p2.jpg"]


def test_gray_answers_are_not_saved(folder, tmp_path):
    class Nothing(Painter):
        def predict(self, L, hints):
            return Prediction(torch.zeros(len(L), 2, L.shape[2] // 4, L.shape[3] // 4))

    nothing = Colorizer(Nothing(), device="cpu", look=Look(size=32))
    _, outcome, errors = run([folder / "p0.png"], tmp_path / "out", lambda: nothing)
    assert outcome.failed == 1
    assert "gray" in errors["p0.png"]
    assert not (tmp_path / "out").exists()


def test_errors_of_the_program_itself_are_told(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "join", lambda *a: 1 / 0)
    _, outcome, errors = run([folder / "p0.png"], tmp_path / "out")
    assert outcome.failed == 1
    assert "unexpected ZeroDivisionError" in errors["p0.png"]


def test_a_model_that_cannot_load_ends_the_batch(folder, tmp_path):
    def missing():
        raise ChromaganError("no model")

    with pytest.raises(ChromaganError, match="no model"):
        run([folder], tmp_path / "out", missing)
    assert not any(t.name in ("reader", "writer") for t in threading.enumerate())


def test_interruption_leaves_whole_files_only(folder, tmp_path, monkeypatch):
    predict, calls = stages.predict, []

    def once(*arguments):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return predict(*arguments)

    monkeypatch.setattr(stages, "predict", once)

    inputs = [folder / name for name in ("p0.png", "p2.jpg", "p4.jpg", "p6.png", "p8.jpg", "p10.jpg")]
    _, outcome, _ = run(inputs, tmp_path / "out")
    assert outcome.interrupted
    assert outcome.done < 6
    for path in (tmp_path / "out").glob("*"):
        read_photo(path)


def test_pixels_in_flight_are_bounded(folder, tmp_path, monkeypatch):
    most = [0]
    correct = crew.PixelBudget.correct

    def watched(self, pixels):
        correct(self, pixels)
        most[0] = max(most[0], self._held)

    monkeypatch.setattr(crew.PixelBudget, "correct", watched)
    monkeypatch.setattr(batch, "PIXELS_IN_FLIGHT", 2000)
    _, outcome, _ = run([folder], tmp_path / "out")
    assert outcome.done == 12
    assert 0 < most[0] <= 2000
