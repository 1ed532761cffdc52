"""The benchmark of archives: its arithmetic, its stores as plug-ins of fsspec, and processes that are followed."""

import os
import sys

import cv2
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

from chromagan.benchmark.archive.costs import Costs, costs_table
from chromagan.benchmark.archive.follow import descendants, finished, follow
from chromagan.benchmark.archive.speed import ArchiveTimings, make_scans, timings_table
from chromagan.benchmark.archive.stores import plugin
from chromagan.errors import ChromaganError

LIST = """
import fsspec, time
print(len(fsspec.filesystem("names").find("3000")))
slow, started = fsspec.filesystem("slow"), time.monotonic()
slow.pipe_file("slow://{folder}/a", b"abc")
assert slow.cat_file("slow://{folder}/a") == b"abc"
print(time.monotonic() - started >= 0.04)
"""


@pytest.mark.process
def test_processes_find_the_stores_as_plugins(tmp_path):
    with plugin() as path:
        run = follow([sys.executable, "-c", LIST.replace("{folder}", str(tmp_path))], path=[path])
    assert finished(run, "the listing").said.split() == ["3000", "True"]
    assert (tmp_path / "a").read_bytes() == b"abc"


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_command_is_followed_with_all_that_it_starts():
    seen = []
    program = "import subprocess, sys; sys.exit(subprocess.run(['sleep', '1.2']).returncode or 3)"

    def look(actors):
        seen.append(len(descendants(os.getpid())))
        return False

    run = follow([sys.executable, "-c", program], look)
    assert run.code == 3
    assert max(seen) >= 3
    with pytest.raises(ChromaganError, match="the command failed"):
        finished(run, "the command")


def test_scans_are_gray_and_of_their_size(tmp_path):
    make_scans(tmp_path, 3, 0.5)
    scans = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(tmp_path.iterdir())]
    assert all(scan.ndim == 2 and abs(scan.size / 5e5 - 1) < 0.01 for scan in scans)
    assert (scans[0] != scans[1]).any()


def test_a_million_photos():
    """3.6 processor seconds a photo are 1000 hours of one processor."""
    lines = costs_table(Costs(12, 3.6, 1.8, 6e6, 9e6, 100, 80), 16, 0.5).splitlines()
    assert "6.0 TB read, 9.0 TB written" in lines[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[-3:]]
    assert cells[0] == ["1", "62.5", "31", "31.2", "4.4", "66.7"]
    assert cells[1][:4] == ["16", "3.91", "31", "1.95"]
    assert cells[2][0] == "256"


def test_ratios_are_of_medians():
    timings = ArchiveTimings(
        10, [10.0, 12.0, 11.0], [12.0, 13.2, 20.0], [11.0], [9.0], [1.0, 2.0, 3.0], 10**9, 2 * 10**9
    )
    table = timings_table(timings)
    assert [line.split()[-2] for line in table.splitlines()[1:4]] == ["1.00", "1.20", "1.00"]
    assert "memory 2.00 GB at most, 1.00 GB of it not the actors'" in table
