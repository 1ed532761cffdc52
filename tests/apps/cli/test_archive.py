"""`chromagan archive` as a person types it: what it says, and its exit codes."""

import cv2
import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

from chromagan.apps.cli.main import main


@pytest.fixture
def scans(tmp_path):
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))
    for name in ("a.png", "b.png"):
        (tmp_path / "scans").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "scans" / name), ramp)
    (tmp_path / "scans" / "notes.txt").write_text("x")
    return tmp_path / "scans"


def archive(scans, tmp_path, *more, model="mean"):
    return main(["archive", str(scans), "-o", str(tmp_path / "out"), "--here", "--model", model, *more])


def test_all_done_is_0_and_some_failed_is_1(scans, tmp_path, capsys):
    assert archive(scans, tmp_path) == 0
    assert capsys.readouterr().out == f"2 colorized; output in {tmp_path}/out\n"
    (scans / "c.png").write_bytes(b"x")
    assert archive(scans, tmp_path, "--relist") == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"2 colorized, 1 failed, 2 of all these by earlier runs; output in {tmp_path}/out"
    assert out[2].startswith("1  c.png  this is not a photo")
    assert out[3] == f"all of them: {tmp_path}/out/_chromagan/failures.csv"


def test_left_gray_is_told_and_no_failure(scans, tmp_path, capsys):
    assert archive(scans, tmp_path, model="gray") == 0
    assert "0 colorized, 2 that the network left gray, not written" in capsys.readouterr().out


def test_listing_alone_says_what_there_is(scans, tmp_path, capsys):
    assert archive(scans, tmp_path, "--list-only") == 0
    assert capsys.readouterr().out == "2 photos listed; of other kinds: 1 .txt\n"
    assert not list((tmp_path / "out").glob("*.png"))


def test_other_options_keep_what_is_there_and_say_so(scans, tmp_path, capsys, caplog):
    archive(scans, tmp_path)
    assert archive(scans, tmp_path, "--saturation", "2") == 0
    assert "2 photos are as other options or weights left them" in caplog.text
    assert archive(scans, tmp_path, "--saturation", "2", "--overwrite", "--quiet") == 0
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize("words", [
    ["--part", "2/3"], ["--part", "4/3", "--here"], ["--shard", "0", "--here"], ["--format", "gif", "--here"],
    ["--quality", "0", "--here"], ["--saturation", "-1", "--here"],
])  # fmt: skip
def test_wrong_usage_is_2(scans, tmp_path, words):
    try:
        code = main(["archive", str(scans), "-o", str(tmp_path / "out"), *words])
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path, caplog):
    assert archive(tmp_path / "nowhere", tmp_path) == 1
    assert "no photos there" in caplog.text


def test_a_mended_manifest_is_read_anew(scans, tmp_path, caplog):
    given, out = tmp_path / "given.csv", tmp_path / "out"
    command = ["archive", str(given), "-o", str(out), "--here", "--model", "mean"]
    given.write_text("uri,id\nscans/a.png,x.png\nscans/b.png,x.png\n")
    assert main(command) == 1
    assert "the id 'x.png' stands twice" in caplog.text
    given.write_text("uri,id\nscans/a.png,x.png\nscans/b.png,y.png\n")
    assert main(command) == 0
    assert {path.name for path in out.glob("*.png")} == {"x.png", "y.png"}


def test_a_reason_names_no_photo_and_its_column_stays_narrow(scans, tmp_path, capsys):
    (scans / "empty.png").touch()
    (scans / f"{'x' * 200}.png").write_bytes(b"no photo")
    assert archive(scans, tmp_path) == 1
    row = next(line for line in capsys.readouterr().out.splitlines() if "empty.png" in line)
    assert row.split("empty.png")[1].strip() == "the file is empty; copy it again"
    assert len(row) < 100


@pytest.mark.parametrize("places", [["", "-o", "out"], ["scans", "-o", ""]])
def test_no_name_is_no_folder(tmp_path, monkeypatch, places):
    monkeypatch.chdir(tmp_path)
    assert main(["archive", *places, "--here"]) == 2


def test_a_file_for_an_output_folder_is_told(scans, tmp_path, caplog):
    (tmp_path / "out").write_text("x")
    assert archive(scans, tmp_path) == 1
    assert "cannot be used" in caplog.text
    assert "unexpected" not in caplog.text
