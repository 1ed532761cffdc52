"""A minute of damaged photos (FUZZ_MINUTES for more); see `fuzz.py`."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("fuzz.py")


def test_mutants_are_made_again_to_the_byte():
    spec = importlib.util.spec_from_file_location("fuzz", PROGRAM)
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    photos = fuzz.seeds()
    assert len(photos) >= 55
    assert [fuzz.mutant(photos, n, 7) for n in range(50)] == [fuzz.mutant(photos, n, 7) for n in range(50)]
    assert sum(fuzz.mutant(photos, n, 7)[1] != photos[n % len(photos)][1] for n in range(200)) > 190


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_damaged_photos_are_photos_or_one_line():
    minutes, seed = os.environ.get("FUZZ_MINUTES", "1"), int(time.time())
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    command = [sys.executable, str(PROGRAM), "--minutes", minutes, "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}{done.stderr}"
    assert "'read': " in done.stdout
    assert "'refused': " in done.stdout
