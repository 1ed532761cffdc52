"""Lines whose reader is slow, or gone."""

import contextlib
import os
import time

import pytest

from chromagan.apps.serve.lines import Lines
from chromagan.inference.crew import abandoned


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(end)


def test_all_lines_in_their_order(pipe):
    reading, writing = pipe
    with Lines(writing) as lines:
        for number in range(100):
            lines(str(number))
    assert os.read(reading, 10_000).decode().split() == list(map(str, range(100)))


@pytest.mark.skipif(os.name == "nt", reason="the size of a pipe")
def test_who_does_not_read_keeps_nobody_waiting(pipe):
    reading, writing = pipe
    hanging = len(abandoned)
    started = time.monotonic()
    with Lines(writing) as lines:
        for _ in range(20_000):  # more than a pipe, and than what may wait
            lines("x" * 200)
    assert time.monotonic() - started < 30
    (thread,) = abandoned[hanging:]
    while thread.is_alive():  # it goes on where somebody reads after all
        os.read(reading, 1 << 20)
        thread.join(0.01)
    del abandoned[hanging:]


def test_who_is_gone_is_no_error(pipe):
    reading, writing = pipe
    os.close(reading)
    with Lines(writing) as lines:
        lines("x")
        lines("y")
    assert not lines._thread.is_alive()
