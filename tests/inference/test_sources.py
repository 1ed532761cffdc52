"""Which photos a person means."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest

from chromagan.errors import UsageError
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import read_photo
from chromagan.images.write import write_photo
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.request import Request
from chromagan.inference.sources import find_photos


@pytest.fixture
def album(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            suffix = path.suffix.lower() if path.suffix.lower() in (".png", ".jpg", ".bmp", ".tif") else ".png"
            path.write_bytes(cv2.imencode(suffix, np.full((4, 5), 99, np.uint8))[1].tobytes())
        return tmp_path

    return make


def names(found, root):
    return [path.relative_to(root).as_posix() for path, _ in found.photos]


@pytest.mark.parametrize("name", ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX",
                                  "#snapshot", "@Recycle", ".thumbnails"])  # fmt: skip
def test_folders_of_file_servers_are_passed_over_but_not_where_they_are_named(album, name):
    root = album("a.jpg", f"sub/{name}/b.jpg", f"{name}/c.jpg")
    assert names(find_photos([str(root)]), root) == ["a.jpg"]
    assert names(find_photos([str(root / "*")]), root) == ["a.jpg"]
    if name[0] not in ".":  # as the shell expands a star
        assert names(find_photos([str(root / "a.jpg"), str(root / name)]), root) == ["a.jpg"]
    assert names(find_photos([str(root / name)]), root) == [f"{name}/c.jpg"]


def test_a_folder_that_cannot_be_looked_into_is_told_and_the_rest_is_found(album, monkeypatch):
    root, scandir = album("a.jpg", "shut/b.jpg", "z/c.jpg"), os.scandir

    def shut(path):
        if os.path.basename(path) == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", shut)
    found = find_photos([str(root)])
    assert names(found, root) == ["a.jpg", "z/c.jpg"]
    ((path, reason),) = found.refused
    assert path == root / "shut"
    assert "Permission denied" in reason
    ((path, reason),) = find_photos([str(root / "shut")]).refused  # and not that it has no photos as well
    assert "Permission denied" in reason


def test_kinds_that_are_passed_over_are_kept_in_mind(album):
    root = album("a.jpg")
    for name in ("a.xmp", "b.dng", "c.xcf", "d.exr", "notes"):
        (root / name).write_text("x")
    for text in (str(root), str(root / "*")):
        found = find_photos([text])
        assert names(found, root) == ["a.jpg"]
        assert sorted(path.name for path in found.passed) == ["a.xmp", "b.dng", "c.xcf", "d.exr", "notes"]
        assert found.refused == []


@pytest.mark.parametrize(("name", "words"), [("a.dng", "raw photo"), ("a.NEF", "develop it"), ("a.exr", "HDR"),
                                             ("a.xyz", "ending of its name")])  # fmt: skip
def test_a_file_that_is_no_photo_is_called_what_it_is(album, name, words):
    root = album("b.jpg")
    (root / name).write_text("x")
    ((_, reason),) = find_photos([str(root / name)]).refused
    assert words in reason


@pytest.mark.parametrize("folder", ["album [1920]", "a*b", "what?", "[x]/y[1-2]", "plain"])
@pytest.mark.parametrize("pattern", ["*.jpg", "**/*.jpg", "[ab].jpg"])
@pytest.mark.skipif(os.name == "nt", reason="such names are not allowed there")
def test_patterns_below_folders_whose_names_look_like_patterns(album, folder, pattern):
    root = album(f"{folder}/a.jpg", f"{folder}/b.jpg", f"{folder}/c.png")
    found = find_photos([str(root / folder / pattern)])
    assert names(found, root) == [f"{folder}/a.jpg", f"{folder}/b.jpg"]
    assert found.refused == []


def test_brackets_behind_a_star_and_relative_patterns(album, monkeypatch):
    root = album("x/album [1920]/a.jpg", "photo [1].jpg", "photo 1.jpg")
    assert names(find_photos([str(root / "*" / "album [1920]" / "*.jpg")]), root) == ["x/album [1920]/a.jpg"]
    monkeypatch.chdir(root)
    assert [str(path) for path, _ in find_photos(["photo [1].jpg"]).photos] == ["photo [1].jpg"]
    assert [str(path) for path, _ in find_photos(["photo [0-9].jpg"]).photos] == ["photo 1.jpg"]
    assert "no such file" in find_photos(["photo [7].jpg"]).refused[0][1]
    assert [str(path) for path, _ in find_photos(["photo 1.jpg", "photo ?.jpg", "*1*"]).photos] == [
        "photo 1.jpg", "photo [1].jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(("exclude", "left"), [
    (["*-copy.jpg"], ["a.jpg", "drafts/b.jpg", "drafts/deep/c.jpg"]), (["drafts"], ["a-copy.jpg", "a.jpg"]),
    (["drafts/"], ["a-copy.jpg", "a.jpg"]), (["drafts/deep"], ["a-copy.jpg", "a.jpg", "drafts/b.jpg"]),
    (["drafts/*.jpg", "a.jpg"], ["a-copy.jpg"]),
])  # fmt: skip
def test_what_is_excluded(album, exclude, left):
    root = album("a.jpg", "a-copy.jpg", "drafts/b.jpg", "drafts/deep/c.jpg")
    found = find_photos([str(root)], exclude=exclude)
    assert names(found, root) == left
    assert (found.passed, found.refused) == ([], [])
    assert names(find_photos([str(root / "a*.jpg")], exclude=["*-copy.jpg"]), root) == ["a.jpg"]


def test_without_recursion(album):
    root = album("a.jpg", "sub/b.jpg")
    assert names(find_photos([str(root)], recursive=False), root) == ["a.jpg"]


def test_outputs_of_earlier_runs_are_known_wherever_they_lie(album, tmp_path):
    root = album("a.jpg", "old/a.jpg")
    mark = ProvenanceMark("m", "0", "s")
    for name in ("old/a.jpg", "old/a-compare.png", "b.png"):
        write_photo(read_photo(root / "a.jpg"), root / name, mark)
    for text in (root, root / "**" / "*"):
        found = find_photos([str(text)], tmp_path / "new")
        assert names(found, root) == ["a.jpg"]
        assert len(found.ours) == 3
    found = find_photos([str(root / "b.png")])  # shells expand patterns themselves
    assert (found.photos, len(found.ours), found.refused) == ([], 1, [])


def test_a_link_that_leads_nowhere(album):
    root = album("a.jpg")
    (root / "b.jpg").symlink_to(root / "gone.jpg")
    assert "link" in find_photos([str(root / "b.jpg")]).refused[0][1]


def outputs(plan, root):
    return [[path.relative_to(root).as_posix() for path in job.outputs] for job in plan.jobs]


@pytest.mark.parametrize(("files", "options", "expected"), [
    ("a.png a.bmp", {}, ["a.bmp.png", "a.png"]), ("a.jpg a.png", {}, ["a.jpg", "a.png"]),
    ("a.jpg a.png", {"photo_format": "webp"}, ["a.jpg.webp", "a.png.webp"]),
    ("a.jpg a.png", {"photo_format": "png"}, ["a.jpg.png", "a.png"]),
    ("a.bmp b.png", {}, ["a.png", "b.png"]), ("a.bmp a.gif a.tga", {}, ["a.bmp.png", "a.gif.png", "a.tga.png"]),
    ("a.jpg b.bmp", {"suffix": "_colour"}, ["a_colour.jpg", "b_colour.png"]),
    ("a.png a.bmp", {"suffix": "-c"}, ["a.bmp-c.png", "a-c.png"]),
    ("s/a.bmp a.png", {}, ["a.png", "s/a.png"]),
])  # fmt: skip
def test_names_of_outputs(album, files, options, expected):
    root = album(*(f"in/{name}" for name in files.split()))
    plan = plan_jobs([str(root / "in")], root / "out", **options)
    assert plan.refused == []
    assert sorted(name for names in outputs(plan, root / "out") for name in names) == sorted(expected)


def test_layers_of_photos_that_share_a_stem(album):
    root = album("in/a.bmp", "in/a.jpg", "in/a.png", "in/b.jpg")
    plan = plan_jobs([str(root / "in")], root / "out", layer=True, compare=True)
    assert plan.refused == []
    assert outputs(plan, root / "out") == [
        ["a.bmp-layer.png", "a.bmp-compare.png", "a.bmp.png"], ["a.jpg-layer.png", "a-compare.jpg", "a.jpg"],
        ["a.png-layer.png", "a-compare.png", "a.png"],
        ["b-layer.png", "b-compare.jpg", "b.jpg"],
    ]  # fmt: skip


def test_outputs_beside_their_photos(album):
    root = album("x/a.jpg", "x/y/b.bmp")
    plan = plan_jobs([str(root / "x")], None, suffix="_c")
    assert outputs(plan, root) == [["x/a_c.jpg"], ["x/y/b_c.png"]]
    assert "overwrite an input" in plan_jobs([str(root / "x" / "a.jpg")], None, overwrite=True).refused[0][1]


@pytest.mark.parametrize(("inputs", "output", "words"), [
    ("a.jpg b.jpg", "c.png", "one input file"), ("sub", "c.png", "one input file"),
    ("*.jpg", "c.png", "one input file"), ("a.jpg", "c.xyz", "no format"),
    ("a.jpg b.jpg", "c.xcf", "no format"), ("a.jpg", "c.gif", "cannot be written"),
    ("a.jpg", "file", "is a file"),
])  # fmt: skip
def test_outputs_that_are_neither_file_nor_folder(album, inputs, output, words):
    root = album("a.jpg", "b.jpg", "sub/c.jpg")
    (root / "file").write_text("")
    with pytest.raises(UsageError, match=words):
        plan_jobs([str(root / name) for name in inputs.split()], str(root / output))


@pytest.mark.parametrize(("inputs", "output", "expected"), [
    ("a.jpg", "c.xyz/", "c.xyz/a.jpg"), ("a.jpg", "there.png", "there.png/a.jpg"), ("sub", "out.v2", "out.v2/c.jpg"),
    ("a.jpg", "1920.05", "1920.05/a.jpg"), ("a.jpg", "b.PNG", "b.PNG"), ("a.jpg", "sub/new/b.tif", "sub/new/b.tif"),
])  # fmt: skip
def test_outputs_that_are_a_file_or_a_folder(album, inputs, output, expected):
    root = album("a.jpg", "sub/c.jpg")
    (root / "there.png").mkdir()
    plan = plan_jobs([str(root / inputs)], f"{root}/{output}")
    assert outputs(plan, root) == [[expected]]


def test_outputs_of_other_options_and_weights_stay_and_are_told(album, tmp_path):
    root = album("in/a.jpg")
    (tmp_path / "out").mkdir()
    mark = ProvenanceMark("m", "5" * 64, "s", 0, Request(saturation=0.5).digest)
    write_photo(read_photo(root / "in" / "a.jpg"), tmp_path / "out" / "a.jpg", mark)

    def plan(sha256, **options):
        made = plan_jobs([str(root / "in")], tmp_path / "out", weights=lambda: sha256, **options)
        return len(made.jobs), len(made.skipped), len(made.kept)

    asked = Request(saturation=0.5)
    assert plan("5" * 64, request=asked) == plan("", request=asked) == (0, 1, 0)
    assert plan("5" * 64) == plan("6" * 64, request=asked) == (0, 0, 1)
    assert plan("5" * 64, overwrite=True) == (1, 0, 0)
    assert plan("5" * 64, compare=True) == (0, 0, 1)  # the sheet is missing, and the photo is not written over for it
    assert plan("5" * 64, request=asked, compare=True) == (1, 0, 0)
    write_photo(read_photo(root / "in" / "a.jpg"), tmp_path / "out" / "a.jpg", ProvenanceMark("m", "5" * 64, "0.1"))
    assert plan("5" * 64) == (0, 1, 0)  # version 0.1 wrote no digest


def test_hints_of_photos_that_share_a_stem(album):
    root = album("in/a.jpg", "in/a.png", "in/sub/b.jpg", "in/b.jpg")
    hints = root / "hints"
    (hints / "sub").mkdir(parents=True)

    def guided(*files, given=()):
        shutil.rmtree(hints)
        for number, name in enumerate(files):
            (hints / name).parent.mkdir(parents=True, exist_ok=True)
            stroke = {"kind": "neutral", "points": [[0.5, 0.5]], "radius": 0.1 + number / 100}
            (hints / name).write_text(json.dumps({"version": 1, "strokes": [stroke]}))
        jobs = plan_jobs([str(root / "in")], root / "out", hints=[hints / name for name in given] or [hints]).jobs
        radius = [[round(stroke.radius * 100) - 10 for stroke in job.request.guidance.strokes] for job in jobs]
        return {job.name.as_posix(): number[0] for job, number in zip(jobs, radius, strict=True) if number}

    assert guided("a.jpg.json", "a.png.json") == {"a.jpg": 0, "a.png": 1}
    assert guided("a.jpg.json", "a.json") == {"a.jpg": 0, "a.png": 1}
    assert guided("sub/b.json", "b.json") == {"sub/b.jpg": 0, "b.jpg": 1}
    for files in (["a.json"], ["b.json"], ["b.jpg.json"]):
        with pytest.raises(UsageError, match=r"could be of .* and .*call it"):
            guided(*files)
    assert guided("x/a.jpg.json", "y/a.json", given=["x/a.jpg.json", "y"]) == {"a.jpg": 0, "a.png": 1}
    for files in (["x/b.json", "x/a.json"], ["x/c.json", "a.jpg.json"]):
        with pytest.raises(UsageError, match="could be of|none of the photos"):
            guided(*files, given=files)
