"""No weights file, whatever it holds, brings more than one line, or takes long or much memory."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

# The commands of one process: all that is heavy is imported once, then a child answers each file.
PROGRAM = """
import json, os, resource, signal, sys, tempfile, time
import h5py, chromagan.apps.cli.sample, chromagan.pretrained.hub, chromagan.inference.colorizer
from chromagan.apps.cli.main import main
from chromagan.models.registry import list_models
from chromagan.models.trunk import import_timm
list_models()
import_timm()
os.chdir(sys.argv[1])
for path in json.load(sys.stdin):
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_DATA, (6 * 2**30,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
            signal.alarm(300)
            os.dup2(said.fileno(), 2)
            code = 99
            try:
                code = main(["sample", "photo.png", "-o", "out", "--device", "cpu", "--model", path])
            except SystemExit as error:
                code = error.code
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status, used = os.wait4(child, 0)
        said.seek(0)
        row = {"file": path, "code": os.waitstatus_to_exitcode(status), "said": said.read().decode(errors="replace"),
               "seconds": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / 1024}
        print(json.dumps(row), flush=True)
"""


def hostile():
    spec = importlib.util.spec_from_file_location("hostile_weights", Path(__file__).with_name("hostile_weights.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.process
def test_every_hostile_file_is_one_line_in_little_time_and_memory(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    paths = [str(path) for path in hostile().made(folder)]
    assert len(paths) >= 100
    Image.new("L", (32, 32), 90).save(tmp_path / "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], input=json.dumps(paths), stdout=subprocess.PIPE, text=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["file"] for row in rows] == paths
    wrong = [
        row
        for row in rows
        if row["code"] not in (1, 2)
        or len(row["said"].strip().splitlines()) != 1
        or not row["said"].startswith("chromagan: error: ")
        or len(row["said"]) > 1000 + len(row["file"])
        or row["seconds"] > 10
        or row["megabytes"] > 2000
    ]
    assert not wrong, json.dumps(wrong, indent=1)[:20_000]
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "executed").exists()
