"""A photo from stdin, and one to stdout."""

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from chromagan.apps.cli.main import main
from chromagan.images.metadata import read_provenance

pytestmark = pytest.mark.usefixtures("painter")


def sample(*arguments):
    return main(["sample", *map(str, arguments)])


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


class Streams:
    """Standard streams of bytes."""

    def __init__(self, monkeypatch, given=b""):
        self.given, self.taken = io.TextIOWrapper(io.BytesIO(given)), io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdin", self.given)
        monkeypatch.setattr(sys, "stdout", self.taken)

    @property
    def image(self):
        return Image.open(io.BytesIO(self.taken.buffer.getvalue()))


@pytest.mark.parametrize(("options", "kind"), [([], "JPEG"), (["-o", "-"], "JPEG"), (["--format", "png"], "PNG")])
def test_a_photo_from_stdin_to_stdout(album, monkeypatch, capsys, options, kind):
    streams = Streams(monkeypatch, (album / "a.jpg").read_bytes())
    assert sample("-", *options) == 0
    assert (streams.image.format, streams.image.size) == (kind, (30, 20))
    assert b"1 colorized" not in streams.taken.buffer.getvalue()
    assert capsys.readouterr().err == "chromagan: 1 colorized\n"
    assert sample(album / "sub" / "b.png", "-o", "-", "--quiet") == 0
    assert capsys.readouterr().err == ""


class Full(io.BytesIO):
    def write(self, data):
        raise OSError(28, "No space left on device")


def test_a_stdout_that_takes_no_photo(album, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Full()))
    assert sample(album / "a.jpg", "-o", "-") == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "chromagan: error: stdout: cannot be written: No space left on device"
    )


def test_a_photo_from_stdin_to_a_file_or_folder(album, monkeypatch):
    photo = (album / "sub" / "b.png").read_bytes()
    Streams(monkeypatch, photo)
    assert sample("-", "-o", "out") == 0
    Streams(monkeypatch, photo)
    assert sample("-", "-o", "b.jpg") == 0
    assert files("out") == ["stdin.png"]
    assert read_provenance(Path("b.jpg")).sha256 == "7" * 64


@pytest.mark.parametrize("given", [b"", b"no photo at all", b"\xff\xd8\xff\xe0cut"])
def test_stdin_that_is_no_photo(monkeypatch, capsys, given, tmp_path):
    streams = Streams(monkeypatch, given)
    assert sample("-") == 1
    (line, summary) = capsys.readouterr().err.splitlines()
    assert line.startswith("chromagan: error: stdin: ")
    assert "/" not in line.replace("/ ", "")
    assert summary == "chromagan: 0 colorized, 1 failed"
    assert streams.taken.buffer.getvalue() == b""


@pytest.mark.parametrize("arguments", [["-", "a.jpg"], ["in", "-o", "-"], ["in/a.jpg", "-o", "-", "--compare"],
                                       ["in/a.jpg", "-o", "-", "--dry-run"]])  # fmt: skip
def test_wrong_usage_of_standard_streams(album, monkeypatch, arguments):
    (album / "b.jpg").write_bytes((album / "a.jpg").read_bytes())
    streams = Streams(monkeypatch)
    assert sample(*arguments) == 2
    assert streams.taken.buffer.getvalue() == b""


def test_terminals_neither_give_nor_take_photos(album, monkeypatch, capsys):
    streams = Streams(monkeypatch)
    monkeypatch.setattr(streams.taken, "isatty", lambda: True, raising=False)
    assert sample(album / "a.jpg", "-o", "-") == 2
    streams = Streams(monkeypatch)
    monkeypatch.setattr(streams.given, "isatty", lambda: True, raising=False)
    assert sample("-") == 2
    assert capsys.readouterr().err.count("terminal") == 2
