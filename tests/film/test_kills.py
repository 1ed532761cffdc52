"""Films whose process is killed at random moments, and films that cannot be written."""

import os
import random
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from chromagan.film.folder import folder_of
from tests.film.clips import FLOWER, PAN, PASSING, STILL, ZOOM, Clip, Coding, lasting, make_clip
from tests.film.test_colorize import planes, sound

KILLS = 10
SCENES = (STILL, PAN, ZOOM, PASSING, FLOWER, STILL, ZOOM, PAN)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    clip = Clip(tuple(lasting(shot, 24) for shot in SCENES), (160, 90), grain=3.0)
    return make_clip(tmp_path_factory.mktemp("film") / "gray.mp4", clip, Coding(), colour=False)


def command(film, output, codec):
    options = ["--model", "chromagan@small", "--size", "64", "--codec", codec, "--quiet"]
    return [sys.executable, "-m", "chromagan", "film", str(film), "-o", str(output), *options]


def begun(process, output):
    """Wait until it works in its folder of parts; when that was."""
    deadline, held = time.monotonic() + 120, folder_of(output) / "lock"
    held.unlink(missing_ok=True)
    while not held.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return time.monotonic()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("codec", ["ffv1", "h264"])
def test_ten_kills_and_the_same_command_make_the_same_film(film, tmp_path, codec):
    whole, made = tmp_path / "whole.mkv", tmp_path / "made.mkv"
    process = subprocess.Popen(command(film, whole, codec))
    start = begun(process, whole)
    assert process.wait() == 0
    longest, rng = time.monotonic() - start, random.Random(codec)
    parts = set()
    for number in range(KILLS):
        process = subprocess.Popen(command(film, made, codec), start_new_session=True)
        begun(process, made)
        while number % 2 and process.poll() is None and not list(folder_of(made).glob("part-*.mkv")):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5) * longest)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        parts.add(len(list(folder_of(made).glob("part-*.mkv"))))
        made.unlink(missing_ok=True)  # it was ready before the kill, and begins again
    assert max(parts) > 0
    subprocess.run(command(film, made, codec), check=True)
    one, two = planes(whole), planes(made)
    assert len(one) == len(two) == 24 * len(SCENES)
    assert all(np.array_equal(a, b) for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True))
    assert sound(made) == sound(whole) == sound(film)
    assert not folder_of(made).exists()


def gone(group):
    """Whether a group of processes has ended."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.process
def test_a_full_disk_is_one_line_and_nothing_is_lost(film, tmp_path):
    made = tmp_path / "made.mkv"

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    ended = subprocess.run(command(film, made, "ffv1"), preexec_fn=small_files, capture_output=True, text=True)
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "cannot be written" in ended.stderr
    assert not made.exists()
    assert not [file for file in tmp_path.rglob("*") if file.suffix == ".tmp"]
    subprocess.run(command(film, made, "ffv1"), check=True)
    assert len(planes(made)) == 24 * len(SCENES)


@pytest.mark.process
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_it_in_one_line_and_leaves_no_process(film, tmp_path, jobs):
    made = tmp_path / "made.mkv"
    process = subprocess.Popen([*command(film, made, "ffv1"), "--jobs", jobs], stderr=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(folder_of(made).glob("part-*.mkv")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip().splitlines() == ["chromagan: interrupted"]
    assert gone(process.pid)
    assert not made.exists()
    assert list(folder_of(made).glob("part-*.mkv"))
