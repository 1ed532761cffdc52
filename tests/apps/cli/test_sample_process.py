"""The command as a process of its own, where disks fill up and processes are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import chromagan
from chromagan.images.read import read_photo

REPOSITORY = Path(chromagan.__file__).parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.process]

# The command with a network that needs no weights. Argument 1 bounds the size of files; argument 2 is how many outputs
# are written before the next ones wait for Ctrl-C.
PROGRAM = """
import os, signal, sys, threading
import torch
from chromagan.apps.cli.main import main
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look

class Painter(ColorizationNetwork):
    stride = ab_stride = 4
    config = {}
    def predict(self, L, hints):
        return Prediction(torch.full((len(L), 2, L.shape[2] // 4, L.shape[3] // 4), 25.0))

Colorizer.from_pretrained = lambda *a, **k: Colorizer(Painter(), look=Look(size=32), device="cpu")
limit, free = int(sys.argv[1]), int(sys.argv[2])
interrupted = threading.Event()
def interrupt(*arguments):
    interrupted.set()
    signal.default_int_handler(*arguments)
signal.signal(signal.SIGINT, interrupt)
if limit:
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if free:
    replace, lock, written = os.replace, threading.Lock(), []
    def wait_and_replace(*arguments):
        with lock:
            written.append(arguments)
            wait = len(written) > free
            if wait:  # under the lock: two lines at once would run into each other
                print("waiting", flush=True)
        if wait:
            interrupted.wait()
        replace(*arguments)
    os.replace = wait_and_replace
sys.exit(main(["sample", *sys.argv[3:]]))
"""


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index, side in enumerate((16, 300, 20, 24)):
        cv2.imwrite(str(folder / f"p{index}.png"), rng.integers(0, 256, (side, side), dtype=np.uint8))
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk(photos, tmp_path):
    process = start(20_000, 0, photos, "-o", tmp_path / "out")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "3 colorized, 1 failed" in out
    assert err.startswith("chromagan: error: ")
    assert "p1.png" in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(os.listdir(tmp_path / "out")) == ["p0.png", "p2.png", "p3.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_or_interrupted_process_leaves_no_partial_output(tmp_path, sign):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    count = 10 + os.cpu_count()  # more than the writers have in hand at any time
    for index in range(count):
        cv2.imwrite(str(folder / f"p{index}.png"), np.full((16, 16), 50 + index, np.uint8))
    process = start(0, 3, folder, "-o", out)
    while process.stdout.readline() != "waiting\n":
        assert process.poll() is None
    process.send_signal(sign)
    _, err = process.communicate(timeout=240)
    assert process.returncode == (-9 if sign == signal.SIGKILL else 130)
    finished = list(out.glob("p*.png"))
    assert 3 <= len(finished) < count
    for path in finished:
        read_photo(path)
    if sign == signal.SIGINT:
        assert err.strip() == "chromagan: interrupted"
        assert len(finished) == len(os.listdir(out))
