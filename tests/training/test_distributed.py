"""Several real processes on gloo: equal gradients, equal weights, lost ranks, restarts."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.distributed as dist

from chromagan.compute.distributed import _agree_on_attempt
from chromagan.errors import TrainingError
from chromagan.training.checkpoint import load_state
from chromagan.training.run_folder import read_stats

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("distributed_program.py")
TRAIN = Path(__file__).with_name("train_tiny.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="gloo and signals are POSIX here"),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(13):  # no multiple of 2 or 3
        small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i:02d}.png"), cv2.resize(small, (48, 40), interpolation=cv2.INTER_CUBIC))
    return folder


def torchrun(count, *words, **environment):
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={count}", "--master-port=0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(
        [*command, "--standalone", *map(str, words)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip


def options(photos, out, *more):
    return [
        "--data", photos, "--out", out, "--model", "tiny_process", "--no-pretrained", "--size", "32", "--batch-size",
        "4", "--images", "64", "--snapshot-every", "16", "--workers", "0", "--precision", "float32", "--warmup", "0",
        *more,
    ]  # fmt: skip


@pytest.mark.parametrize("count", [2, 4])
def test_gradients_equal_those_of_one_process_with_the_whole_batch(tmp_path, count):
    spec = importlib.util.spec_from_file_location("distributed_program", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    alone = module.gradients()
    process = torchrun(count, PROGRAM, tmp_path / "gradients.pt")
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    shared = torch.load(tmp_path / "gradients.pt", weights_only=True)
    assert shared.keys() == alone.keys()
    for part in ("generator", "critic", "buffer"):
        ours, theirs = (torch.cat([v.flatten() for k, v in d.items() if k.startswith(part)]) for d in (shared, alone))
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-6, part
    for name, gradient in alone.items():  # each tensor too, unless its true gradient is zero (a bias before batch norm)
        if float(gradient.norm()) > 1e-12:
            assert float((shared[name] - gradient).norm() / gradient.norm()) < 1e-6, name


def test_a_shared_run_learns_writes_once_and_goes_on(photos, tmp_path):
    val = ("--val", photos, "--eval-every", "32", "--eval-size", "32", "--metrics", "psnr")
    process = torchrun(2, TRAIN, *options(photos, tmp_path / "run", *val))
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert error.count("photographs seen; stopped by the end of the run") == 1
    lines = read_stats(tmp_path / "run")
    assert [line["images"] for line in lines if "chroma" in line] == [16, 32, 48, 64]
    assert [line["images"] for line in lines if "val/psnr" in line] == [32, 64]
    state = load_state(tmp_path / "run")
    assert len(state["streams"]) == len(state["random"]) == 2
    assert sum(one["seen"] for one in state["streams"]) == 64
    process = torchrun(2, TRAIN, *options(photos, tmp_path / "parts", *val, "--stop-at", "24"))
    assert process.wait(timeout=300) == 0
    process = torchrun(2, TRAIN, *options(photos, tmp_path / "parts", *val))
    assert process.wait(timeout=300) == 0
    parts = load_state(tmp_path / "parts")
    for name, tensor in state["generator"].items():
        assert torch.equal(tensor, parts["generator"][name]), name


def wait_for(condition, seconds=180):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_lost_rank_ends_the_run_and_a_restart_resumes_it(photos, tmp_path, restarts):
    out = tmp_path / "run"
    hold = tmp_path / "rank 1"
    words = options(photos, out, "--rank-timeout", "120")
    process = torchrun(2, f"--max-restarts={restarts}", TRAIN, *words, HOLD=str(hold))
    wait_for(hold.exists)
    before = load_state(out)["images"]
    assert before == 16
    os.kill(int(hold.read_text()), signal.SIGKILL)
    _, error = process.communicate(timeout=240)
    if restarts:
        assert process.returncode == 0, error
        assert load_state(out)["images"] == 64
        assert [line["images"] for line in read_stats(out)] == [16, 32, 48, 64]
    else:
        assert process.returncode != 0
        assert load_state(out)["images"] == before


def test_a_start_does_not_meet_the_ranks_of_the_one_before():
    store = dist.HashStore()
    with ThreadPoolExecutor(3) as pool:
        names = []
        for _ in range(3):
            store.set("here/1", "a rank that was killed")
            names.append(set(pool.map(lambda number: _agree_on_attempt(store, number, 3, 20.0), range(3))))
    assert [len(found) for found in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3
    for number in (0, 1):
        with pytest.raises(TrainingError, match="waited 0.2 s"):
            _agree_on_attempt(dist.HashStore(), number, 2, 0.2)


LEAVE = """
import pathlib, sys, torch
sys.path.insert(0, {root!r})
from chromagan.compute.distributed import average, process_group
def threads():
    return [task.read_text().strip() for task in pathlib.Path("/proc/self/task").glob("*/comm")]
with process_group("cpu", 60):
    torch.optim.Adam([torch.nn.Parameter(average(torch.ones(3)))]).step()
    assert any("gloo" in name for name in threads()), threads()
assert not any("gloo" in name for name in threads()), threads()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_no_thread_outlives_the_group(tmp_path):
    program = tmp_path / "leave.py"
    program.write_text(LEAVE.format(root=str(ROOT)))
    process = torchrun(2, program)
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error


def test_a_batch_that_cannot_be_divided_is_refused(photos, tmp_path):
    process = torchrun(3, TRAIN, *options(photos, tmp_path / "run"))
    _, error = process.communicate(timeout=240)
    assert process.returncode != 0
    assert "--batch-size 4 is not a multiple of 3 processes" in error
    assert 'Traceback (most recent call last):\n  File "' + str(TRAIN) not in error
    assert not list(tmp_path.glob("run/state-*"))
