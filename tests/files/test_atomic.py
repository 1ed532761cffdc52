"""Files stand complete under their name, or not at all."""

import json
import math
import os
import sys
import threading

import pytest

from chromagan.errors import WriteError
from chromagan.files.atomic import (
    dismiss,
    moved_into_place,
    remove_unfinished,
    strict_json,
    write_atomically,
    write_json,
    write_text,
    write_texts,
)


def test_text_and_json(tmp_path):
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()
    write_json(tmp_path / "a.json", {"a": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", float("nan"))
    with pytest.raises(WriteError, match="does not exist"):
        write_text(tmp_path / "no" / "a.txt", "")
    assert sorted(os.listdir(tmp_path)) == ["a.json", "a.txt"]


@pytest.mark.parametrize("sync", [True, False])
def test_what_fails_leaves_the_old_file_whole(tmp_path, sync):
    target = tmp_path / "a"
    write_atomically(target, lambda file: file.write(b"old"), sync)

    def interrupted(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, interrupted, sync)
    assert (os.listdir(tmp_path), target.read_bytes()) == (["a"], b"old")
    write_atomically(target, lambda file: file.write(b"new"), sync)
    assert target.read_bytes() == b"new"


def test_what_a_killed_process_left_is_removed(tmp_path):
    with moved_into_place(tmp_path / "a") as beside:
        beside.write_bytes(b"whole")
        remove_unfinished(tmp_path)
        assert not beside.exists()
        beside.write_bytes(b"whole")
    remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == ["a"]


def test_a_thread_that_was_dismissed_leaves_nothing(tmp_path):
    begun, go_on, errors = threading.Event(), threading.Event(), []

    def write(file):
        file.write(b"half")
        begun.set()
        go_on.wait(60)

    def work():
        for name in ("a", "b"):  # one that hangs, and one that it would begin later
            try:
                write_atomically(tmp_path / name, write)
            except WriteError as error:
                errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    dismiss([thread])
    assert os.listdir(tmp_path) == [] or sys.platform == "win32"
    go_on.set()
    thread.join(60)
    assert os.listdir(tmp_path) == []
    assert len(errors) == 2
    assert "its batch has ended" in errors[0]


def test_what_is_not_finite_is_null():
    content = {"a": math.nan, "b": [1, 2.5, math.inf, True], "c": ({"d": -math.inf, "e": "nan"},)}
    text = json.dumps(strict_json(content), allow_nan=False)
    assert json.loads(text) == {"a": None, "b": [1, 2.5, None, True], "c": [{"d": None, "e": "nan"}]}


def test_texts_are_written_or_one_error_says_why(tmp_path):
    write_text(tmp_path / "names.txt", os.fsdecode(b"caf\xe9.png \xc3\xa9"))
    assert (tmp_path / "names.txt").read_text(encoding="utf-8") == "caf\\udce9.png é"
    (first, second) = write_texts(tmp_path / "new" / "folder", {"a.md": "ä", "b.csv": "1,2\n"}, "--out")
    assert first.read_text(encoding="utf-8") == "ä"
    assert second.read_bytes() == b"1,2\n"
    with pytest.raises(WriteError, match="cannot be made .* choose another --out"):
        write_texts(first / "below", {"a": ""}, "--out")
