"""Real Ray clusters of this machine: the same outputs as in one process, whoever is killed on the way."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest

pytest.importorskip("ray")

from chromagan.apps.archive.archive import colorize_archive
from chromagan.apps.archive.order import Order
from chromagan.apps.archive.status import FOLDER, read_status
from chromagan.apps.cli.main import main
from chromagan.benchmark.archive.follow import chromagan, follow
from chromagan.benchmark.archive.kills import kill_archive
from chromagan.files.stores import Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are followed through /proc"),
]


def outputs(place):
    fs, root = fsspec.core.url_to_fs(str(place))
    return {name[len(root) + 1 :]: fs.cat_file(name) for name in fs.find(root) if "/_chromagan/" not in name}


def test_a_cluster_does_what_one_process_does(mixed, bucket, tmp_path):
    """Over S3, with two shards; then again, when nothing is left to do but what failed."""
    colorize_archive([str(mixed)], Order(out=str(tmp_path / "here"), model="mean"))
    fsspec.filesystem("s3").put(f"{mixed}/", f"{bucket}/scans/", recursive=True)
    command = chromagan("archive", f"{bucket}/scans", "-o", f"{bucket}/out", "--model", "mean", "--shard", "4")
    first = follow(command)
    assert first.code == 1, first.said
    assert "4 colorized, 1 in colour already and left alone, 1 of earlier runs" in first.said
    assert "2 failed" in first.said
    assert outputs(f"{bucket}/out") == outputs(tmp_path / "here")
    place = Place(f"{bucket}/out")
    assert sorted(name.rsplit("/", 1)[-1] for name in place.fs.ls(place.path(FOLDER))) == ["000000-0000", "000000-0001"]
    assert sum(len(read_status(place, shard)) for shard in ("000000-0000", "000000-0001")) == 8
    again = follow(command)
    assert again.code == 1, again.said
    assert "6 of all these by earlier runs" in again.said
    assert "Traceback" not in first.said + again.said


def test_kills_change_nothing(tmp_path):
    """`chromagan benchmark archive --kill-workers 10 --kill-drivers 5` kills more of them."""
    survived = kill_archive(36, 0.3, workers=2, drivers=1, options=["--model", "chromagan@small", "--shard", "3"])
    assert (survived.workers, survived.drivers) == (2, 1)
    assert (survived.lost, survived.other, survived.twice, survived.more) == (0, 0, 0, 0)


@pytest.fixture
def head(monkeypatch):
    """The address of a cluster that somebody else started, as `ray start` does, and guards by a token."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of-this-test")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    words = ["--head", "--block", "--port", address.partition(":")[2], "--num-cpus", "2", "--node-ip-address",
             "127.0.0.1", "--include-dashboard=false", "--object-store-memory", "100000000"]  # fmt: skip
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "300"}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("ray"), "start", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **settings}, start_new_session=True,
    )  # fmt: skip
    alive = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    until = time.monotonic() + 300
    while subprocess.run(alive, capture_output=True).returncode:
        assert process.poll() is None, process.returncode
        assert time.monotonic() < until
        time.sleep(0.5)
    yield address
    os.killpg(process.pid, signal.SIGKILL)  # asked to end, it takes half a minute
    process.wait(60)


def test_a_cluster_that_runs_already(scans, head, tmp_path):
    """Its outputs are those of one process; it is there for the next command, too."""
    folder = scans(5)
    colorize_archive([str(folder)], Order(out=str(tmp_path / "here"), model="mean"))
    command = chromagan("archive", str(folder), "-o", str(tmp_path / "there"), "--model", "mean", "--shard", "2")
    for told in ("5 colorized", "5 of all these by earlier runs"):
        done = follow([*command, "--address", head])
        assert done.code == 0, done.said
        assert told in done.said
    assert outputs(tmp_path / "there") == outputs(tmp_path / "here")


def test_a_cluster_without_room_is_told(scans, tmp_path, caplog):
    assert main(["archive", str(scans(1)), "-o", str(tmp_path / "out"), "--gpus", "1", "--device", "cpu"]) == 2
    assert "processors and 1 GPUs; ask for less" in caplog.text


def test_memory_is_refused_on_a_cluster(tmp_path, caplog):
    assert main(["archive", "memory://x", "-o", str(tmp_path / "out")]) == 2
    assert "add --here" in caplog.text
