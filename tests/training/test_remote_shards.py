"""Two nodes that train over shards in a store learn what they learn from the same shards on a disk."""

import io
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest
import torch

from chromagan.training.checkpoint import load_state

ROOT = Path(__file__).parents[2]
TRAIN = Path(__file__).with_name("train_tiny.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="gloo is POSIX here"),
]


@pytest.fixture
def shards(tmp_path):
    """Three uncompressed tars of colour photos."""
    rng = np.random.default_rng(0)
    for shard in range(3):
        with tarfile.open(tmp_path / f"train-{shard:03}.tar", "w") as tar:
            for number in range(5):
                small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                data = cv2.imencode(".png", cv2.resize(small, (48, 40), interpolation=cv2.INTER_CUBIC))[1].tobytes()
                member = tarfile.TarInfo(f"{shard}-{number}.png")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return tmp_path


def train(data, out, cache):
    """The two-node command of docs/training.md, both nodes on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d",
        f"--rdzv-endpoint=127.0.0.1:{port}", TRAIN, "--data", data, "--out", out, "--model", "tiny_process",
        "--no-pretrained", "--size", "32", "--batch-size", "4", "--images", "32", "--workers", "1", "--precision",
        "float32", "--warmup", "0", "--shard-cache", cache,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    nodes = [
        subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    errors = [node.communicate(timeout=400)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(errors)
    return load_state(out)


def test_two_nodes_over_a_store(shards, bucket, tmp_path):
    fsspec.filesystem("s3").put(str(shards / "train-*.tar"), f"{bucket}/shards/")
    places = (str(shards / "train-{000..002}.tar"), f"{bucket}/shards/train-{{000..002}}.tar")
    disk, store = (train(place, tmp_path / f"run-{number}", tmp_path / f"cache-{number}")
                   for number, place in enumerate(places))  # fmt: skip
    assert len(list((tmp_path / "cache-1").glob("*.json"))) == 3
    assert store["images"] == disk["images"] == 32
    for name, tensor in disk["generator"].items():
        assert torch.equal(tensor, store["generator"][name]), name
