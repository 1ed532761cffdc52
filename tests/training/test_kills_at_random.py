"""The real generator, killed at random with `kill -9`, some bits of its states flipped: it ends as if left alone.

`CHROMAGAN_KILLS=50 python -m pytest -m slow -o faulthandler_timeout=3600 FILE` kills fifty times instead of eight.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from chromagan.training.checkpoint import load_state
from chromagan.training.run_folder import read_stats

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("CHROMAGAN_KILLS", "8"))


def differences(one, other, name="state"):
    """Where two states differ, through dictionaries and lists."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), name
        return [found for key in one for found in differences(one[key], other[key], f"{name}.{key}")]
    if isinstance(one, list | tuple):
        assert len(one) == len(other), name
        pairs = enumerate(zip(one, other, strict=True))
        return [found for index, pair in pairs for found in differences(*pair, f"{name}.{index}")]
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same else [name]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_kills_at_random_and_flipped_bits_change_nothing(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    program = [sys.executable, str(Path(__file__).with_name("kills_program.py")), str(tmp_path), str(KILLS)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count = json.loads(done.stdout)
    print(count)
    assert count["kills"] == KILLS
    assert count["inside a write"] >= KILLS // 3  # every third is stopped there
    assert 1 <= count["flipped"] <= count["told of damage"] + 1  # the last may have hit what was not read again
    whole, killed = load_state(tmp_path / "whole"), load_state(tmp_path / "killed")
    assert whole["images"] == killed["images"] == count["photographs"]
    assert differences(whole, killed) == []
    ours, theirs = (
        [{k: v for k, v in line.items() if k != "images_per_second"} for line in read_stats(tmp_path / name)]
        for name in ("whole", "killed")
    )
    assert ours == theirs
    assert not list((tmp_path / "killed").glob(".chromagan-*"))
