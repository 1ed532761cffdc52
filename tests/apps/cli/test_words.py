"""Streams that take no words, or not these."""

import io
import logging
import sys

import pytest

from chromagan.apps.cli import words


class Broken(io.StringIO):
    def write(self, text=""):
        raise BrokenPipeError

    flush = write


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_cannot_be_written_is_lost(monkeypatch, name):
    closed = io.StringIO()
    closed.close()
    for stream in (Broken(), closed):
        monkeypatch.setattr(sys, name, stream)
        with words.lossy(name):
            print("lost", file=getattr(sys, name), flush=True)
        assert getattr(sys, name) is stream


def test_what_cannot_be_spelled_is_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    with words.lossy("stdout"):
        print("Großmutter \udcff")
    assert raw.getvalue() == rb"Gro\xdfmutter \udcff" + b"\n"


def test_last_words_are_said_once():
    with words.last_words(130):
        raise KeyboardInterrupt


def test_what_the_package_logs_is_a_line_of_the_command(capsys):
    log = logging.getLogger("chromagan.images.icc")
    with words.logged():
        log.warning("%s is left out", "the profile")
        log.debug("nothing that a user needs")
        logging.getLogger("others").warning("not ours")
    log.warning("after the command")
    assert capsys.readouterr().err == "chromagan: the profile is left out\n"
