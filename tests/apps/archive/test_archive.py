"""Archives from end to end in this process: what is painted, what is left alone, and what a second run does."""

import csv
import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest

from chromagan.apps.archive.archive import colorize_archive
from chromagan.apps.archive.order import Order
from chromagan.apps.archive.shard import colorize_shard, load_colorizer
from chromagan.apps.archive.status import read_status
from chromagan.apps.cli.main import main
from chromagan.errors import DataError, WriteError
from chromagan.files.stores import Place
from chromagan.images.metadata import read_provenance

ROOT = Path(__file__).parents[3]


def outputs(place):
    """Content of every output by its name below a folder or URI."""
    fs, root = fsspec.core.url_to_fs(str(place))
    found = fs.find(root)
    return {name[len(root) + 1 :]: fs.cat_file(name) for name in found if "/_chromagan/" not in name}


def run(inputs, out, model="mean", **options):
    return colorize_archive([str(inputs)], Order(out=str(out), model=model, **options))[1]


def test_each_case_is_counted_apart(mixed, tmp_path):
    summary = run(mixed, tmp_path / "out")
    assert summary.counts == {"done": 4, "in colour": 1, "marked": 1, "failed": 2}
    assert outputs(tmp_path / "out").keys() == {"0/0000.png", "1/0001.png", "2/0002.png", "sepia.png"}
    with open(tmp_path / "out" / "_chromagan" / "failures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows} == {"broken.jpg", "empty.jpg"}
    assert "the file is empty" in summary.table("out")


def test_outputs_are_those_of_sample(mixed, tmp_path):
    run(mixed, tmp_path / "out")
    assert main(["sample", str(mixed), "-o", str(tmp_path / "sample"), "--model", "mean", "--device", "cpu"]) == 1
    for name in ("0/0000.png", "sepia.png"):
        assert outputs(tmp_path / "out")[name] == (tmp_path / "sample" / name).read_bytes()


def test_what_the_network_left_gray_is_not_written(mixed, tmp_path):
    summary = run(mixed, tmp_path / "out", model="gray")
    assert summary.counts["left gray"] == 4
    assert summary.counts["done"] == 0
    assert not outputs(tmp_path / "out")


def test_photos_in_colour_are_painted_when_asked_for(mixed, tmp_path):
    assert run(mixed, tmp_path / "out", recolour=True).counts["done"] == 5


def test_a_second_run_does_what_failed_and_nothing_else(mixed, tmp_path):
    run(mixed, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    cv2.imwrite(str(mixed / "broken.jpg"), np.tile(np.arange(80, dtype=np.uint8) * 3, (60, 1)))
    again = run(mixed, tmp_path / "out")
    assert again.counts == {"done": 5, "in colour": 1, "marked": 1, "failed": 1}
    assert again.before == 6
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())


def test_outputs_of_other_options_stay_unless_asked_for(scans, tmp_path):
    folder, out = scans(2), tmp_path / "out"
    run(folder, out)
    first = outputs(out)
    kept = run(folder, out, model="chromagan@small")
    assert outputs(out) == first
    assert kept.others == 2
    run(folder, out, model="chromagan@small", overwrite=True)
    assert all(first[name] != data for name, data in outputs(out).items())
    assert {read_provenance(path).model for path in out.rglob("*.png")} == {"chromagan"}


def test_stores_agree(mixed, bucket, tmp_path):
    run(mixed, tmp_path / "out")
    fs = fsspec.filesystem("s3")
    fs.put(f"{mixed}/", f"{bucket}/scans/", recursive=True)
    summary = run(f"{bucket}/scans", f"{bucket}/out")
    assert summary.counts == {"done": 4, "in colour": 1, "marked": 1, "failed": 2}
    fsspec.filesystem("memory").store.clear()
    run(f"{bucket}/scans", "memory://archive")
    assert outputs(tmp_path / "out") == outputs(f"{bucket}/out") == outputs("memory://archive")


def test_a_photo_that_is_gone_is_a_row(scans, tmp_path):
    folder, out = scans(3), tmp_path / "out"
    colorize_archive([str(folder)], Order(out=str(out), model="mean"), list_only=True)
    next(folder.rglob("0001.png")).unlink()
    summary = run(folder, out)
    assert (summary.counts["done"], summary.failed) == (2, 1)
    assert "no such file" in summary.table("out")


@pytest.mark.parametrize("store", ["folder", "s3"])
def test_what_stands_in_the_way_stays(scans, tmp_path, bucket, store):
    """A foreign file is never written over; a whole output of this very order counts as done."""
    folder, out = scans(2), str(tmp_path / "out") if store == "folder" else f"{bucket}/out"
    order = Order(out=out, model="mean")
    colorize_archive([str(folder)], order, list_only=True)
    run(folder, tmp_path / "other")
    place = Place(out)
    ours = outputs(tmp_path / "other")["0/0000.png"]
    place.put("0/0000.png", ours)
    place.put("1/0001.png", b"a stranger's")
    summary = run(folder, out)
    assert (summary.counts["done"], summary.failed) == (1, 1)
    assert outputs(out) == {"0/0000.png": ours, "1/0001.png": b"a stranger's"}


def test_status_that_cannot_be_kept_ends_the_work(scans, tmp_path, monkeypatch):
    folder, order = scans(2), Order(out=str(tmp_path / "out"), model="mean")
    colorize_archive([str(folder)], order, list_only=True)
    (tmp_path / "out" / "_chromagan" / "status").write_text("in the way")
    with pytest.raises(WriteError, match="status"):
        list(colorize_shard(order, "000000-0000", load_colorizer(order)))


def test_status_is_kept_on_the_way(scans, tmp_path):
    """Whoever stops in the middle of a shard loses what it did since it last said so, and no more."""
    folder, order = scans(12), Order(out=str(tmp_path / "out"), model="mean", status_seconds=0)
    colorize_archive([str(folder)], order, list_only=True)
    work = colorize_shard(order, "000000-0000", load_colorizer(order))
    told = [row.id for _ in range(5) for row in next(work)]
    work.close()
    kept = read_status(Place(order.out), "000000-0000")
    assert sorted(kept) == sorted(told)
    assert len(told) == 5
    rest = run(folder, order.out)
    assert (rest.counts["done"], rest.before) == (12, 5)


ENDS = """
import os, sys
from chromagan.apps.archive import shard
from chromagan.apps.cli.main import main
read = shard.read_pages
shard.read_pages = lambda name, **how: os._exit(7) if "0004" in str(name) else read(name, **how)
sys.exit(main(["archive", sys.argv[1], "-o", sys.argv[2], "--model", "mean", "--here"]))
"""


@pytest.mark.slow
@pytest.mark.process
def test_a_photo_that_ends_the_process_ends_it_a_few_times(scans, tmp_path):
    """As a library that crashes does; the others are painted, and the photo is a row."""
    folder, out = scans(8), tmp_path / "out"
    command = [sys.executable, "-c", ENDS, str(folder), str(out)]
    codes = []
    while not codes or codes[-1] == 7:
        codes.append(subprocess.run(command, cwd=ROOT, capture_output=True).returncode)
        assert len(codes) < 9
    assert codes == [7] * 6 + [1]
    assert len(outputs(out)) == 7
    with open(out / "_chromagan" / "failures.csv", newline="") as file:
        assert ["ended at once" in row["error"] for row in csv.DictReader(file)] == [True]
    assert not any(path.is_file() for path in (out / "_chromagan" / "attempts").rglob("*"))
    # Mended, it is painted as any other.
    assert run(folder, out).counts["done"] == 8


def test_parts_are_the_whole(scans, tmp_path):
    folder = scans(10)
    order = Order(out=str(tmp_path / "out"), model="mean")
    counts = [
        colorize_archive([str(folder)], order, part=(number, 3), shard=2)[1].counts["done"] for number in (1, 2, 3)
    ]
    assert counts == [4, 4, 2]
    assert len(outputs(order.out)) == 10


@pytest.mark.parametrize(("photo", "output"), [
    ("a/b.jpg", "a/b.jpg"), ("a/b.JPEG", "a/b.JPEG"), ("a.bmp", "a.bmp.png"), ("a.bmp.png", "a.bmp.png.png"),
    ("a.b.png", "a.b.png"), ("a.png.png", "a.png.png.png"), ("a", "a.png.png"),
])  # fmt: skip
def test_names_of_outputs(photo, output):
    assert Order(out="x").output_name(photo) == output


def test_no_two_ids_have_one_output():
    endings = ("", ".bmp", ".png", ".jpg", ".jpeg", ".x")
    ids = sorted({"a" + "".join(some) for some in itertools.product(endings, repeat=3)})
    for form in (None, "png", "jpeg"):
        order = Order(out="x", photo_format=form)
        names = [order.output_name(one) for one in ids]
        assert len(set(names)) == len(ids)


def test_no_photo_is_written_over_whatever_is_asked(scans, tmp_path):
    """Ids of a manifest that lead to the photos themselves; outputs of this program are made anew beside them."""
    folder = scans(3)
    (folder / "list.csv").write_text("uri,id\n0/0000.png,0/0000.png\n1/0001.png,new.png\n")
    before = (folder / "0" / "0000.png").read_bytes()
    assert run(folder / "list.csv", folder).counts == {"done": 1, "failed": 1}
    new = (folder / "new.png").read_bytes()
    summary = run(folder / "list.csv", folder, model="chromagan@small", overwrite=True)
    assert summary.counts == {"done": 1, "failed": 1}
    assert (folder / "0" / "0000.png").read_bytes() == before
    assert (folder / "new.png").read_bytes() != new
    assert list(summary.reasons) == ["a file that this program did not make stands there; move it away"]


def test_reasons_name_no_output(scans, tmp_path):
    """A reason that begins with the output's path is one reason for all photos."""
    folder, out = scans(3), tmp_path / "out"
    for number in range(3):
        (out / f"{number}").mkdir(parents=True)
        (out / f"{number}" / f"{number:04}.png").write_bytes(b"a stranger's")
    assert len(run(folder, out).reasons) == 1


@pytest.mark.parametrize("content", [b"", b"PAR1 half", None])
@pytest.mark.parametrize("kind", ["status/*/*.parquet", "manifest/*.parquet", "manifest.json"])
def test_damaged_files_of_ours_are_told(scans, tmp_path, kind, content):
    folder, out = scans(2), tmp_path / "out"
    run(folder, out)
    [path] = (out / "_chromagan").glob(kind)
    path.write_bytes(path.read_bytes()[:40] if content is None else content)
    with pytest.raises(DataError, match=f"{path.name}: damaged.* away and run it again"):
        run(folder, out)
    path.unlink() if kind.startswith("status") else shutil.rmtree(out / "_chromagan")
    assert run(folder, out).counts == {"done": 2}


def test_what_desktops_leave_in_folders_is_no_status(scans, tmp_path):
    folder, out = scans(2), tmp_path / "out"
    run(folder, out)
    for name in (".DS_Store", "._0.parquet", "desktop.ini"):
        (out / "_chromagan" / "status" / "000000-0000" / name).write_bytes(b"x")
    assert run(folder, out).before == 2


def test_a_photo_is_painted_again_without_its_output_and_the_status(scans, tmp_path):
    """As the guide says; the other output stays the file that it was."""
    folder, out = scans(2), tmp_path / "out"
    run(folder, out)
    first, other = out / "0" / "0000.png", out / "1" / "0001.png"
    old, when = first.read_bytes(), other.stat().st_mtime_ns
    (folder / "0" / "0000.png").write_bytes((folder / "1" / "0001.png").read_bytes())
    first.unlink()
    shutil.rmtree(out / "_chromagan" / "status")
    assert run(folder, out).counts == {"done": 2}
    assert first.read_bytes() != old
    assert other.stat().st_mtime_ns == when
