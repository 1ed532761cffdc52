"""Signals of a cluster, sent as clusters send them: to one process, to all of a group, to torchrun alone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromagan.compute.signals import StopSignals
from chromagan.training.checkpoint import load_state

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="these signals are POSIX")
PROGRAM = Path(__file__).with_name("train_tiny.py")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(8):
        small = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.resize(small, (44, 40), interpolation=cv2.INTER_CUBIC))
    return [
        str(PROGRAM), "--data", str(folder), "--model", "tiny_process", "--no-pretrained", "--size", "32",
        "--batch-size", "4", "--images", "1000000", "--workers", "2", "--precision", "float32", "--class-weight", "0",
        "--adversarial-weight", "0", "--device", "cpu",
    ]  # fmt: skip


def start(words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TELL": ""}
    process = subprocess.Popen(
        [sys.executable, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    if process.stdout.readline() != "training\n":
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(process.communicate()[1])
    return process


@pytest.mark.slow
@pytest.mark.process
@POSIX
@pytest.mark.parametrize(("name", "to"), [
    ("SIGTERM", os.killpg), ("SIGUSR1", os.kill), ("SIGHUP", os.killpg), ("SIGINT", os.killpg),
])  # fmt: skip
def test_a_signal_to_the_group_with_its_workers_makes_a_checkpoint_and_ends_well(command, tmp_path, name, to):
    process = start([*command, "--out", str(tmp_path / "run")])
    to(process.pid, getattr(signal, name))
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert f"stopped by {name}" in error
    assert "Traceback" not in error
    assert load_state(tmp_path / "run")["images"] >= 8


@pytest.mark.slow
@pytest.mark.process
@POSIX
@pytest.mark.parametrize("to", [os.kill, os.killpg])
def test_a_signal_to_torchrun_reaches_the_ranks_which_end_well(command, tmp_path, to):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = start([*torchrun, *command, "--out", str(tmp_path / "run")])
    to(process.pid, signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert "photographs seen; stopped by SIGTERM" in error, error
    state = load_state(tmp_path / "run")
    assert state["images"] >= 8
    assert len(state["random"]) == 2
    assert not list((tmp_path / "run").glob(".chromagan-*"))


@POSIX
def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
            assert signals.asked == ""
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.05)
            assert signals.asked == "SIGUSR1"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def real_process(photos, out, *more):
    words = [
        sys.executable, str(ROOT / "train_gan.py"), "--data", str(photos), "--out", str(out), "--size", "32",
        "--batch-size", "2", "--images", "100000", "--workers", "0", "--no-pretrained", "--precision", "float32", *more,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
@pytest.mark.process
def test_ctrl_c_saves_and_the_same_command_goes_on(photos, tmp_path):
    out = tmp_path / "run"
    process = real_process(photos, out)
    shown = ""
    while not re.search(r" [1-9]\d*/100000 ", shown):  # the progress bar has counted photographs
        assert process.poll() is None, shown
        shown += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    assert "stopped by SIGINT" in error
    images = load_state(out)["images"]
    assert images > 0
    process = real_process(photos, out, "--max-minutes", "0")
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    assert "the time limit" in error
    assert load_state(out)["images"] == images + 2
