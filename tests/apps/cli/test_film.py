"""`chromagan film` as a user types it."""

import sys

import numpy as np
import pytest

from chromagan.apps.cli.main import main
from tests.film.clips import STILL, Clip, Coding, lasting, make_clip
from tests.film.test_colorize import chroma, planes

OPTIONS = ["--model", "chromagan@small", "--size", "64", "--codec", "ffv1"]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    clip = Clip((lasting(STILL, 6),), (96, 54))
    return make_clip(folder / "gray.mkv", clip, Coding("ffv1", options={}), colour=False)


def test_a_film_is_coloured_and_told(film, tmp_path, capsys):
    made = tmp_path / "colour.mkv"
    assert main(["film", str(film), "-o", str(made), *OPTIONS]) == 0
    told = capsys.readouterr()
    assert told.out == f"6 frames in 1 scene; output {made}\n"
    assert min(map(chroma, planes(made))) > 2
    assert main(["film", str(film), "-o", str(made), *OPTIONS]) == 0
    assert "finished before" in capsys.readouterr().out


def test_quiet_is_quiet(film, tmp_path, capsys):
    assert main(["film", str(film), "-o", str(tmp_path / "colour.mkv"), "--quiet", *OPTIONS]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("options", "told"), [
    ([], "name the film to make with -o"),
    (["-o", "a.avi"], "films are written as"),
    (["-o", "a.webm", "--codec", "h264"], "does not hold h264"),
    (["-o", "a.mkv", "--codec", "vp8"], "choose one of"),
    (["-o", "a.mkv", "--crf", "99"], "takes 0 to 51"),
    (["-o", "a.mkv", "--from", "soon"], "is no time"),
    (["-o", "a.mkv", "--from", "3", "--to", "2"], "there is nothing from 3 s to 2 s"),
    (["-o", "a.mkv", "--from", "100"], "it ends after"),
    (["-o", "a.mkv", "--export-frames", "frames"], "not both"),
    (["--export-frames", "frames", "--hints", "."], "leave out --hints"),
    (["--export-frames", "frames", "--codec", "ffv1"], "leave out --codec"),
    (["-o", "a.mkv", "--jobs", "0"], "at least 1"),
    (["-o", "a.mkv", "--reference", "0:01=none.jpg"], "no such file"),
    (["-o", "a.mkv", "--hints", "none"], "no such folder"),
    (["-o", "a.mkv", "--saturation", "-1"], "saturation must lie"),
])  # fmt: skip
def test_wrong_use_is_one_line_and_code_2(film, tmp_path, monkeypatch, capsys, options, told):
    monkeypatch.chdir(tmp_path)
    assert main(["film", str(film), *options]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert told in said[0]
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".mkv"]


@pytest.mark.parametrize(("name", "content"), [("missing.mp4", None), ("text.mp4", b"not a film"), ("empty.mkv", b"")])
def test_what_is_no_film_is_one_line_and_code_1(tmp_path, capsys, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["film", str(tmp_path / name), "-o", str(tmp_path / "a.mkv")]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert name in said[0]


def test_the_film_itself_is_not_written_over(film, capsys):
    before = film.read_bytes()
    assert main(["film", str(film), "-o", str(film), "--overwrite", *OPTIONS]) == 2
    assert "another name" in capsys.readouterr().err
    assert film.read_bytes() == before


def test_damaged_frames_stay_gray_and_are_counted(tmp_path, capsys):
    film = make_clip(tmp_path / "whole.ts", Clip((lasting(STILL, 40),), (160, 90), grain=6.0), Coding(), colour=False)
    content = bytearray(film.read_bytes())
    random = np.random.default_rng(3)
    for place in random.integers(len(content) // 3, len(content) // 2, 60):
        content[place] ^= 0xFF
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(content)
    made = tmp_path / "made.mkv"
    assert main(["film", str(damaged), "-o", str(made), *OPTIONS]) == 1
    assert "damaged and left gray" in capsys.readouterr().out
    gray = [chroma(frame) < 0.01 for frame in planes(made)]
    assert 0 < sum(gray) < len(gray)


def test_without_pyav_one_line_says_how_to_get_it(film, tmp_path, monkeypatch, capsys):
    for name in [name for name in sys.modules if name == "av" or name.startswith(("av.", "chromagan.film"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["film", str(film), "-o", str(tmp_path / "a.mkv")]) == 2
    assert 'pip install "chromagan[film]"' in capsys.readouterr().err


def test_a_note_is_told_once_and_one_is_one(tmp_path, capsys):
    clip = Clip((lasting(STILL, 1),), (96, 54))
    film = make_clip(tmp_path / "rgb.mkv", clip, Coding("ffv1", options={}, tagged=False), colour=False)
    assert main(["film", str(film), "-o", str(tmp_path / "colour.mkv"), *OPTIONS]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("1 frame in 1 scene; ")
    assert told.err.count("does not say its colour matrix") == 1
    assert main(["film", str(film), "--export-frames", str(tmp_path / "frames")]) == 0
    assert capsys.readouterr().out.startswith("1 frame, ")
