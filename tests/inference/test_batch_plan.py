import os

import cv2
import numpy as np
import pytest

from chromagan.errors import UsageError
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import read_photo
from chromagan.images.write import write_photo
from chromagan.inference.batch_plan import plan_jobs


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if path.suffix.lower() in (".png", ".jpg", ".bmp", ".webp", ".tif") else ".png"
    path.write_bytes(cv2.imencode(suffix, np.full((4, 5), 99, np.uint8))[1].tobytes())
    return path


def outputs(plan, root):
    return [str(job.output.relative_to(root)) for job in plan.jobs]


def test_folders_keep_their_structure_and_pass_over_the_rest(tmp_path):
    root = tmp_path / "in"
    for name in ("b.jpg", "a/c.png", "a/d/E.JPG", ".hidden.jpg", ".trash/x.jpg"):
        photo(root / name)
    (root / "notes.txt").write_text("x")
    plan = plan_jobs([str(root)], tmp_path / "out")
    assert outputs(plan, tmp_path / "out") == ["b.jpg", "a/c.png", "a/d/E.JPG"]
    assert plan.refused == []


def test_the_output_folder_inside_the_input_is_not_walked(tmp_path):
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "colorized" / "a.jpg")
    assert outputs(plan_jobs([str(tmp_path)], tmp_path / "colorized", overwrite=True), tmp_path) == ["colorized/a.jpg"]


def test_outputs_among_the_inputs_are_not_colorized_again(tmp_path):
    source = photo(tmp_path / "a.bmp")
    write_photo(read_photo(source), tmp_path / "a.png", ProvenanceMark("m", "0", "s"))
    plan = plan_jobs([str(tmp_path)], tmp_path)
    assert plan.skipped == [source]
    assert (plan.jobs, plan.refused) == ([], [])


def test_patterns_missing_files_and_other_files(tmp_path):
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "b.jpg")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "none").mkdir()
    names = ["*.jpg", "a.jpg", "none", "gone.jpg", "*.gif", "notes.txt"]
    plan = plan_jobs([str(tmp_path / name) for name in names], tmp_path / "out")
    assert outputs(plan, tmp_path / "out") == ["a.jpg", "b.jpg"]
    assert [path.name for path, _ in plan.refused] == ["none", "gone.jpg", "*.gif", "notes.txt"]


@pytest.mark.parametrize(("name", "requested", "expected"), [
    ("a.jpeg", None, "a.jpeg"), ("a.gif", None, "a.png"), ("a.mpo", None, "a.jpg"), ("a.TIFF", "tiff", "a.TIFF"),
    ("a.jpg", "png", "a.png"), ("a.b.png", "jpeg", "a.b.jpg"), ("a.bmp", None, "a.png"),
])  # fmt: skip
def test_endings(tmp_path, name, requested, expected):
    photo(tmp_path / name)
    plan = plan_jobs([str(tmp_path / name)], tmp_path / "out", photo_format=requested)
    assert outputs(plan, tmp_path / "out") == [expected]


def test_two_inputs_for_one_output_are_refused(tmp_path):
    for name in ("a/x.jpg", "b/x.jpg", "b/y.jpg", "y.png"):
        photo(tmp_path / name)
    names = [str(tmp_path / name) for name in ("a/x.jpg", "b/x.jpg", "b/y.jpg", "y.png")]
    plan = plan_jobs(names, tmp_path / "out")
    assert outputs(plan, tmp_path / "out") == ["y.jpg", "y.png"]
    assert all("would also be that of" in reason for _, reason in plan.refused)
    plan = plan_jobs(names, tmp_path / "out", photo_format="png")
    assert outputs(plan, tmp_path / "out") == ["y.jpg.png", "y.png"]
    assert [path.name for path, _ in plan.refused] == ["x.jpg", "x.jpg"]


@pytest.mark.parametrize("link", ["direct", "symlinked folder", "symlink", "hard link"])
def test_inputs_are_never_overwritten(tmp_path, link):
    source, out = photo(tmp_path / "in" / "a.jpg"), tmp_path / "in"
    if link == "symlinked folder":
        (tmp_path / "out").symlink_to(tmp_path / "in")
        out = tmp_path / "out"
    elif link != "direct":
        out = tmp_path / "out"
        out.mkdir()
        (os.link if link == "hard link" else os.symlink)(source, out / "a.jpg")
    plan = plan_jobs([str(source)], out, overwrite=True)
    assert plan.jobs == []
    assert "overwrite an input" in plan.refused[0][1]


def test_foreign_outputs_stand_unless_told_otherwise(tmp_path):
    source = photo(tmp_path / "a.jpg")
    photo(tmp_path / "out" / "a.jpg")
    assert "--overwrite" in plan_jobs([str(source)], tmp_path / "out").refused[0][1]
    (tmp_path / "out" / "a.jpg").write_text("not even a photo")
    assert "--overwrite" in plan_jobs([str(source)], tmp_path / "out").refused[0][1]
    assert len(plan_jobs([str(source)], tmp_path / "out", overwrite=True).jobs) == 1


def test_one_output_file(tmp_path):
    source = photo(tmp_path / "a.jpg")
    plan = plan_jobs([str(source)], tmp_path / "b.png", compare=True)
    assert [path.name for path in plan.jobs[0].outputs] == ["b-compare.png", "b.png"]
    with pytest.raises(UsageError, match="--format"):
        plan_jobs([str(source)], tmp_path / "b.png", photo_format="png")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        plan_jobs([str(source)], tmp_path / "file")
