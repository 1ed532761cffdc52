"""Whatever lies behind a name and whatever a decoder makes of it: a photo, or one line."""

import os
import socket
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from chromagan.errors import ReadError
from chromagan.images import decode, metadata
from chromagan.images.metadata import read_provenance
from chromagan.images.read import read_pages, read_photo

HOSTILE = sorted((Path(__file__).parent.parent / "hostile").iterdir())
READERS = (read_photo, read_pages, read_provenance)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.name)
@pytest.mark.parametrize("read", READERS)
def test_a_hostile_file_is_a_photo_or_one_line(path, read):
    try:
        read(path)
    except ReadError as error:
        said = str(error)
    else:
        return
    assert str(path) in said
    assert "\n" not in said
    assert "object" not in said  # Python's words for a decoder's stumble


@pytest.mark.parametrize("error", [AttributeError("'float' object has no attribute 'encode'"), ZeroDivisionError(),
                                   RecursionError(), cv2.error("in function 'rotate'"), AssertionError()])  # fmt: skip
@pytest.mark.parametrize("read", READERS)
def test_every_exception_of_a_decoder_is_one_line(tmp_path, monkeypatch, error, read):
    def fail(file, name):
        raise error

    (tmp_path / "a.png").write_bytes(b"x")
    for module in (decode, metadata):
        monkeypatch.setattr(module, "read_header", fail)
    with pytest.raises(ReadError, match="damaged or cut short") as caught:
        read(tmp_path / "a.png")
    assert str(tmp_path / "a.png") in str(caught.value)
    assert caught.value.__cause__ is error


def test_pages_that_lead_back_to_themselves(tmp_path):
    """A chain of directories without an end."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(np.zeros((20, 30), np.uint8), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[-1]
        end = last.offset + 2 + 12 * len(last.tags)
    data = bytearray(path.read_bytes())
    data[end : end + 4] = first.to_bytes(4, "little")
    path.write_bytes(data)
    for read in READERS:
        with pytest.raises(ReadError, match="lead back"):
            read(path)


def test_memory_that_runs_out_is_no_damage(tmp_path, monkeypatch):
    def fail(file, name):
        raise MemoryError

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(decode, "read_header", fail)
    with pytest.raises(ReadError, match="not enough memory"):
        read_photo(tmp_path / "a.png")


def test_the_limit_holds_for_all_pages_together(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(np.zeros((20, 30), np.uint8), photometric="minisblack")
    assert len(read_pages(path, max_pixels=1800)) == 3
    with pytest.raises(ReadError, match="3 pages"):
        read_pages(path, max_pixels=1799)
    assert read_photo(path, max_pixels=600).pixels.shape == (20, 30)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices have names on POSIX")
@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_is_never_opened(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo("pipe.jpg")
    socket.socket(socket.AF_UNIX).bind("socket.jpg")
    os.symlink("/dev/zero", "device.jpg")
    for name, words in (("pipe.jpg", "a named pipe"), ("socket.jpg", "a socket"), ("device.jpg", "a device")):
        with pytest.raises(ReadError, match=words):
            read(name)
