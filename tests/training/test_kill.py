"""A real training process that is killed ten times ends with the very weights of one that was left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from chromagan.training.checkpoint import load_state, state_files
from chromagan.training.run_folder import read_stats

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.process]

# Steps that can be counted, and checkpoint writes that wait half-way: no kill comes too late, however slow the machine.
PROGRAM = """
import os, sys, threading, time
sys.path[:0] = [{root!r}, {here!r}]
import tiny_network, torch
if os.environ.get("HALT"):
    from chromagan.training import checkpoint, trainer
    step, save, replace = trainer.Trainer.train_batch, torch.save, os.replace
    word, count = os.environ["HALT"].split(":")
    left, over = int(count), False
    def say(now):
        global left, over
        left -= now == word
        if over or (left == 0 and word != "step"):  # a step goes on for as long as the signal takes, up to the next
            print("halted", flush=True)
            time.sleep(3600)
        if left == 0:
            over = True
            print("halted", flush=True)
    def slow_step(self, batch):
        say("step")
        return step(self, batch)
    def slow_save(state, file):
        import io
        whole = io.BytesIO()
        save(state, whole)
        half = len(whole.getvalue()) // 2
        file.write(whole.getvalue()[:half])
        file.flush()
        say("half written")
        file.write(whole.getvalue()[half:])
    def slow_replace(source, target):
        if str(target).endswith(".pt"):
            say("renaming")
        replace(source, target)
    trainer.Trainer.train_batch = slow_step
    checkpoint.torch.save = slow_save
    checkpoint.os.replace = slow_replace

from chromagan.apps.cli.main import main
sys.exit(main(["train", *sys.argv[1:]]))
"""

# Where the process is killed, and at which pass.
KILLS = [
    ("step", 3), ("half written", 1), ("step", 9), ("renaming", 1), ("half written", 1),
    ("step", 1), ("renaming", 1), ("step", 6), ("half written", 2), ("step", 12),
]  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two WebDataset shards with 21 photos, one of them gray and one broken."""
    import io
    import tarfile

    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    for shard in range(2):
        with tarfile.open(folder / f"{shard}.tar", "w") as tar:
            for i in range(11 - shard):
                small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                photo = cv2.resize(small, (48, 40), interpolation=cv2.INTER_CUBIC)
                photo = np.full_like(photo, 90) if (shard, i) == (0, 4) else photo
                data = b"broken" if (shard, i) == (1, 2) else cv2.imencode(".png", photo)[1].tobytes()
                member = tarfile.TarInfo(f"{shard}{i:02d}.png")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "train_tiny.py"
    path.write_text(PROGRAM.format(root=str(ROOT), here=str(Path(__file__).parent)))
    return path


def start(program, shards, out, **environment):
    words = [
        "--data", shards, "--out", out, "--model", "tiny_process", "--no-pretrained", "--size", "32", "--batch-size",
        "4", "--images", "128", "--snapshot-every", "16", "--workers", "1", "--precision", "float32", "--warmup", "16",
        "--ema", "0.9", "--adversarial-start", "32", "--adversarial-rise", "32", "--device", "cpu",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, str(program), *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill(process):
    """SIGKILL when the process has come where it halts; False where it ended before."""
    line = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return line == "halted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_ten_kills_change_nothing(program, shards, tmp_path):
    process = start(program, shards, tmp_path / "whole")
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    assert "could not be read" in error  # 1 photo of 21 is more than 1 %
    killed = tmp_path / "killed"
    for word, count in KILLS:
        assert kill(start(program, shards, killed, HALT=f"{word}:{count}")), f"it ended before {count} x {word}"
        if word == "half written":  # a half is on disk, and not under a name that is read
            assert list(killed.glob(".chromagan-*.tmp"))
        for path in state_files(killed):
            torch.load(path, weights_only=True)
    process = start(program, shards, killed)
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error

    whole, parts = load_state(tmp_path / "whole"), load_state(killed)
    assert whole["images"] == parts["images"] == 128
    assert whole["streams"] == parts["streams"]
    assert whole["streams"][0]["near_gray"] > 0
    assert whole["streams"][0]["unreadable"] > 0
    assert_equal(whole, parts, "state")
    assert not list(killed.glob(".chromagan-*.tmp"))
    ours, theirs = ([drop_speed(line) for line in read_stats(folder)] for folder in (tmp_path / "whole", killed))
    assert ours == theirs


def drop_speed(line):
    return {name: value for name, value in line.items() if name != "images_per_second"}


def assert_equal(one, other, name):
    """Bit for bit, through dictionaries and lists."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_equal(one[key], other[key], f"{name}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), name
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{name}.{index}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), name
    else:
        assert one == other, name


def test_kills_inside_a_checkpoint_are_among_them():
    assert len(KILLS) == 10
    assert sum(word != "step" for word, _ in KILLS) >= 3


def test_a_torn_state_is_told_and_the_one_before_serves(program, shards, tmp_path):
    process = start(program, shards, tmp_path / "run")
    assert process.wait(timeout=240) == 0
    newest = state_files(tmp_path / "run")[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    process = start(program, shards, tmp_path / "run")
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0
    told = [line for line in error.splitlines() if "damaged run state" in line]
    assert len(told) == 1
    assert told[0].startswith("chromagan:")
    assert told[0].endswith("; going on from state-000000112.pt")
    assert load_state(tmp_path / "run")["images"] == 128
