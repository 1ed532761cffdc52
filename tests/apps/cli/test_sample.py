import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import chromagan
from chromagan.apps.cli.main import COMMANDS, main
from chromagan.images.metadata import read_provenance
from chromagan.images.read import read_photo
from chromagan.inference import stages
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look

REPOSITORY = Path(chromagan.__file__).parent.parent


class Wishing(ColorizationNetwork):
    """Paints what it is told, everywhere."""

    stride = ab_stride = 4
    config = {}
    accepts = frozenset({"local"})

    def predict(self, L, condition):
        plain = torch.full((len(L), 2, L.shape[2] // 4, L.shape[3] // 4), 25.0)
        told = condition.local
        return Prediction(plain if told is None else told.ab.amax((2, 3), keepdim=True).expand_as(plain))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "b.png"):
        cv2.imwrite(str(folder / name), np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8))
    return folder


def sample(*arguments):
    return main(["sample", *map(str, arguments)])


def python(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=120, **options
    )


def one_error(captured):
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("chromagan: error: ")
    return lines[0]


def test_a_folder(painter, photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sample("in", "--size", 64, "--batch-size", 2) == 0
    assert painter == [("chromagan", "auto", 2)]
    assert read_provenance(next(Path("colorized").rglob("*.*"))).request == Request(size=64).digest
    assert capsys.readouterr().out == "2 colorized; output in colorized\n"
    assert read_provenance(tmp_path / "colorized" / "a.jpg").sha256 == "7" * 64
    assert sample("in", "--size", 64) == 0
    assert "0 colorized, 2 finished before and skipped" in capsys.readouterr().out
    assert len(painter) == 1  # nothing to do, so no colorizer was made


def test_formats_and_extras(painter, photos, tmp_path):
    assert sample(photos, "-o", tmp_path / "out", "--format", "webp", "--compare", "--layer", "--saturation", 0.5) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a-compare.webp", "a-layer.png", "a.webp", "b-compare.webp", "b-layer.png", "b.webp"]


def test_one_failure_one_line_exit_code_one(painter, photos, tmp_path, capsys):
    (photos / "cut.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
    assert sample(photos, photos / "gone.jpg", "-o", tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert "2 colorized, 2 failed" in captured.out
    lines = captured.err.strip().splitlines()
    assert len(lines) == 2
    assert "gone.jpg" in lines[0]
    assert "cut.jpg" in lines[1]
    assert "Traceback" not in captured.err


def test_debug_shows_the_traceback(painter, photos, tmp_path, capsys):
    (photos / "cut.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
    assert sample(photos / "cut.jpg", "-o", tmp_path / "out", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["x.jpg", "--demo"],
                                       ["x.jpg", "--quality", "0"], ["x.jpg", "--saturation", "-1"],
                                       ["x.jpg", "--saturation", "nan"], ["x.jpg", "--size", "8"],
                                       ["x.jpg", "--batch-size", "0"]])  # fmt: skip
def test_wrong_usage_is_exit_code_two(arguments, capsys):
    assert sample(*arguments) == 2
    one_error(capsys.readouterr())


def test_unknown_options_are_exit_code_two(capsys):
    for arguments in (["sample", "--colour"], ["colour"], ["sample", "x", "--device", "abacus"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert main([]) == 2


def test_output_folder_that_cannot_be_made(painter, photos, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert sample(photos / "a.jpg", "-o", tmp_path / "file" / "out") == 1
    message = one_error(capsys.readouterr())
    assert str(tmp_path / "file" / "out") in message
    assert "-o" in message


@pytest.mark.parametrize(("content", "expected"), [(b"PK\x03\x04" + b"x" * 99, "pickle"),
                                                   (b"nonsense" * 9, "not a safetensors|damaged")])  # fmt: skip
def test_bad_weights_files(photos, tmp_path, capsys, content, expected):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    assert sample(photos, "-o", tmp_path / "out", "--model", path, "--device", "cpu") == 1
    message = one_error_then_nothing(capsys, tmp_path)
    assert re.search(expected, message)
    assert str(path) in message


def one_error_then_nothing(capsys, tmp_path):
    message = one_error(capsys.readouterr())
    assert not (tmp_path / "out").exists()
    return message


def test_model_that_does_not_exist(photos, tmp_path, capsys):
    assert sample(photos, "-o", tmp_path / "out", "--model", "chromagna", "--device", "cpu") == 2
    assert "did you mean" in one_error_then_nothing(capsys, tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_cuda(photos, tmp_path, capsys):
    assert sample(photos, "-o", tmp_path / "out", "--device", "cuda") == 2
    assert "--device cpu" in one_error_then_nothing(capsys, tmp_path)


def test_interruption(painter, photos, tmp_path, capsys, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "predict", interrupt)
    assert sample(photos, "-o", tmp_path / "out") == 130
    assert "interrupted" in capsys.readouterr().err


def test_demo(painter, tmp_path):
    out = tmp_path / "out"
    assert sample("--demo", "-o", out) == 0
    names = ["astronaut", "camera", "chelsea", "coffee", "rocket"]
    assert sorted(path.name for path in out.iterdir()) == [f"{name}.png" for name in names]
    from skimage.data import camera

    assert read_photo(out / "camera.png").pixels.shape == (*camera().shape, 3)


def test_demo_without_scikit_image(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    assert sample("--demo", "-o", tmp_path / "out") == 1
    assert 'pip install "chromagan[demo]"' in one_error(capsys.readouterr())


@pytest.mark.process
def test_help_and_version_need_no_pytorch():
    done = python("-X", "importtime", "-m", "chromagan", "sample", "--help")
    assert done.returncode == 0
    assert "--saturation" in done.stdout
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)
    assert python("-m", "chromagan", "--version").stdout == f"chromagan {chromagan.__version__}\n"


def test_every_command_has_options_and_a_run():
    import importlib

    for name in COMMANDS:
        module = importlib.import_module(f"chromagan.apps.cli.{name.replace('-', '_')}")
        assert callable(module.run)
        assert callable(module.add_arguments)


@pytest.mark.process
def test_top_level_script_is_the_command(photos, tmp_path):
    done = python(REPOSITORY / "sample.py", photos / "gone.jpg", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith("chromagan: error: ")
    assert done.stdout.startswith("0 colorized, 1 failed")


def test_hints_of_one_photo_and_of_a_folder(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Colorizer, "from_pretrained", lambda *a, **k: Colorizer(Wishing(), look=Look(32), device="cpu"))
    stroke = {"kind": "colour", "points": [[0.2, 0.5], [0.8, 0.5]], "radius": 0.5, "rgb": "#c83c28"}
    file = tmp_path / "hints" / "a.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "strokes": [stroke]}))
    assert sample(photos / "a.jpg", "--hints", file, "-o", tmp_path / "one") == 0
    assert sample(photos, "--hints", file.parent, "-o", tmp_path / "all") == 0
    mark = {path.name: read_provenance(path) for path in (tmp_path / "all").rglob("*.*")}
    assert mark.pop("a.jpg") == read_provenance(tmp_path / "one" / "a.jpg")
    assert {one.request for one in mark.values()} == {Request().digest}
    warm = read_photo(tmp_path / "one" / "a.jpg").pixels.astype(int)
    assert (warm[..., 0] - warm[..., 2]).mean() > 30
    capsys.readouterr()
    assert sample(photos, "--hints", file, "-o", tmp_path / "none") == 2
    assert "give a folder" in one_error(capsys.readouterr())
    assert sample(photos, "--hints", tmp_path / "gone", "-o", tmp_path / "none") == 2
    assert "no such file" in one_error(capsys.readouterr())
    file.write_text('{"version": 1, "brush": []}')
    assert sample(photos, "--hints", file.parent, "-o", tmp_path / "none") == 2
    assert "brush" in one_error(capsys.readouterr())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_hints_in_a_pipe_are_refused_and_those_with_a_mark_of_byte_order_are_read(painter, photos, tmp_path, capsys):
    photo = next(path for path in sorted(photos.iterdir()) if path.is_file())
    os.mkfifo(tmp_path / "pipe")
    assert sample(photo, "-o", tmp_path / "out", "--hints", tmp_path / "pipe") == 2
    assert "is a named pipe" in capsys.readouterr().err
    (tmp_path / "hints.json").write_text('{"version": 1}', encoding="utf-8-sig")
    assert sample(photo, "-o", tmp_path / "out", "--hints", tmp_path / "hints.json") == 0
