"""The command among hostile files, pipes and devices, with streams that take no words and stages that hang."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import chromagan
from chromagan.apps.cli.main import main
from chromagan.images.metadata import read_provenance
from chromagan.images.read import read_photo

REPOSITORY = Path(chromagan.__file__).parent.parent
HOSTILE = Path(__file__).parents[2] / "hostile"


# The command with a network that needs no weights. Argument 1 names the stage that hangs, from its third photo on.
PROGRAM = """
import sys, threading, time
import torch
from chromagan.apps.cli.main import main
from chromagan.files import atomic
from chromagan.inference import batch, stages
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look

class Painter(ColorizationNetwork):
    stride = ab_stride = 4
    config = {}
    def predict(self, L, hints):
        return Prediction(torch.full((len(L), 2, L.shape[2] // 4, L.shape[3] // 4), 25.0))

def hanging(function, free, say=threading.Lock(), calls=[]):
    def run(*arguments, **options):
        calls.append(arguments)
        if len(calls) > free:
            with say:  # two lines at once would run into each other
                print("waiting", flush=True)
            time.sleep(600)
        return function(*arguments, **options)
    return run

def build(*arguments, **options):
    return Colorizer(Painter(), look=Look(size=32), device="cpu")

Colorizer.from_pretrained = build
stage = sys.argv[1]
if stage == "load":
    Colorizer.from_pretrained = hanging(build, 0)
elif stage == "decode":
    batch.read_pages = hanging(batch.read_pages, 2)
elif stage == "network":
    stages.predict = hanging(stages.predict, 2)
elif stage == "finish":
    stages.join = hanging(stages.join, 2)
elif stage == "write":
    atomic.os.replace = hanging(atomic.os.replace, 2)
sys.exit(main(["sample", *sys.argv[2:]]))
"""


def command(*arguments, stage=""):
    return [sys.executable, "-c", PROGRAM, stage, *map(str, arguments)]


def start(*arguments, stage="", **streams):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen(command(*arguments, stage=stage), text=True, env=environment, **streams)


def make_photos(folder, count, broken=0):
    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"p{index:02}.png"), np.full((16, 16), 10 + 10 * index, np.uint8))
    for index in range(broken):
        (folder / f"broken{index:03}.jpg").write_text("no photo")
    return folder


@pytest.mark.process
def test_hostile_files_among_good_ones(tmp_path):
    photos = make_photos(tmp_path / "in", 4)
    for path in HOSTILE.iterdir():
        (photos / path.name).write_bytes(path.read_bytes())
    process = start(photos, "-o", tmp_path / "out")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert {f"p{index:02}.png" for index in range(4)} <= {path.name for path in (tmp_path / "out").iterdir()}
    for path in (tmp_path / "out").iterdir():
        assert read_provenance(path) is not None
    refused = ["ico_bomb.ico", "pages_bomb_60x50MP.tif", "jpeg_half_with_eoi.jpg", "png_half_rows_pal.png",
               "tif_typeerror_checksize.tif", "tif_zerodivision.tif"]  # fmt: skip
    lines = err.splitlines()  # and not what libjpeg says by itself
    assert all(line.startswith(f"chromagan: error: {photos}") for line in lines)
    assert {name for name in refused if any(name in line for line in lines)} == {*refused}
    assert len(lines) <= len(list(HOSTILE.iterdir()))
    assert "raised" not in err
    assert "attribute" not in err.replace("tif_attributeerror.tif", "")
    assert f"{len(list((tmp_path / 'out').iterdir()))} colorized, {len(lines)} failed" in out


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices have names on POSIX")
@pytest.mark.parametrize("given", ["file", "folder", "pattern"])
@pytest.mark.parametrize(("kind", "words"), [("pipe", "a named pipe"), ("link", "a named pipe"),
                                             ("socket", "a socket"), ("device", "a device")])  # fmt: skip
def test_what_is_no_file_is_never_opened(painter, tmp_path, monkeypatch, capsys, kind, words, given):
    photos = make_photos(tmp_path / "in", 2)
    monkeypatch.chdir(photos)  # names of sockets are short
    if kind == "socket":
        socket.socket(socket.AF_UNIX).bind("x.jpg")
    elif kind == "device":
        os.symlink("/dev/zero", "x.jpg")
    else:
        os.mkfifo("x.jpg" if kind == "pipe" else tmp_path / "pipe")
        if kind == "link":
            os.symlink(tmp_path / "pipe", "x.jpg")
    inputs = {"file": ["x.jpg", "p00.png", "p01.png"], "folder": [str(photos)], "pattern": ["*.jpg", "p0*.png"]}
    assert main(["sample", *inputs[given], "-o", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("chromagan: error: ")
    assert "x.jpg" in line
    assert words in line
    assert captured.out.startswith("2 colorized, 1 failed")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have names on POSIX")
def test_a_pipe_as_weights(tmp_path, capsys):
    os.mkfifo(tmp_path / "w.safetensors")
    photos = make_photos(tmp_path / "in", 2)
    assert main(["sample", str(photos), "-o", str(tmp_path / "out"), "--model", str(tmp_path / "w.safetensors")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'w.safetensors'} is a named pipe" in line


@pytest.mark.process
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize(("streams", "broken"), [
    ("2>/dev/full", 3), (">/dev/full", 0), (">/dev/full 2>&1", 3), ("2>&-", 3), ("<&- >&- 2>&-", 0),
    ("2>&1 | head -1", 3), ("2>&1 | true", 0),
])  # fmt: skip
def test_streams_that_take_no_words_change_nothing_else(tmp_path, streams, broken):
    photos, out = make_photos(tmp_path / "in", 4, broken), tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    script = f'"$@" {streams}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command(photos, "-o", out)],
        env=environment, timeout=240, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if broken else 0)
    assert sorted(os.listdir(out)) == [f"p{index:02}.png" for index in range(4)]
    for path in out.iterdir():
        read_photo(path)  # no message has run into a photo that took the place of a closed stream
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.process
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_wrong_usage_is_exit_code_two_whoever_listens():
    for arguments in (["sample"], ["sample", "--colour"]):
        with open("/dev/full", "w") as full:
            process = subprocess.run([sys.executable, "-m", "chromagan", *arguments], stderr=full, cwd=REPOSITORY)
        assert process.returncode == 2


def wait_until_it_hangs(process):
    while process.stdout.readline() != "waiting\n":
        assert process.poll() is None


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("stage", ["load", "decode", "network", "finish", "write"])
def test_interrupting_a_stage_that_hangs(tmp_path, stage):
    process = start(make_photos(tmp_path / "in", 12), "-o", tmp_path / "out", stage=stage)
    wait_until_it_hangs(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)  # it hangs for ten minutes
    assert process.returncode == 130
    assert err.splitlines() == ["chromagan: interrupted"]
    written = list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else []
    assert len(written) < 12
    for path in written:
        read_photo(path)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_interrupting_twice(tmp_path):
    process = start(make_photos(tmp_path / "in", 12), "-o", tmp_path / "out", stage="write")
    wait_until_it_hangs(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines() == ["chromagan: interrupted"]
    assert not [name for name in os.listdir(tmp_path / "out") if name.endswith(".tmp")]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_interrupting_words_that_hang(tmp_path):
    read, write = os.pipe()
    os.set_blocking(write, False)
    while True:  # a pipe that is full, and that nobody reads
        try:
            os.write(write, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(write, True)
    photos, out = make_photos(tmp_path / "in", 6, broken=3), tmp_path / "out"
    process = start(photos, "-o", out, stderr=write)
    while not out.exists() or len([name for name in os.listdir(out) if name.endswith(".png")]) < 6:
        assert process.poll() is None  # the photos are written all the same
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    os.close(read)
    os.close(write)
    assert len(os.listdir(out)) == 6
