"""A client that is refused while it sends is heard out, for a moment."""

import asyncio
import time

import pytest

pytest.importorskip("starlette")

from chromagan.apps.web import hearing
from chromagan.apps.web.hearing import Hearing


def heard(messages, asks_first=False, seconds=30.0):
    """How many of a client's messages are taken; None is one that never comes."""
    taken, left = [], list(messages)

    async def receive():
        message = left.pop(0)
        taken.append(message)
        if message is None:
            await asyncio.sleep(60)
        return message

    hearing.LINGER_SECONDS, before = seconds, hearing.LINGER_SECONDS
    try:
        asyncio.run(Hearing(receive, asks_first).out())
    finally:
        hearing.LINGER_SECONDS = before
    return len(taken)


def body(more):
    return {"type": "http.request", "body": b"x", "more_body": more}


def test_until_the_end():
    assert heard([body(True), body(True), body(False), body(False)]) == 3
    assert heard([body(True), {"type": "http.disconnect"}, body(True)]) == 2


def test_not_for_ever():
    started = time.monotonic()
    assert heard([body(True), None], seconds=0.1) == 2
    assert time.monotonic() - started < 30


def test_who_waits_for_a_sign_is_not_asked_to_send():
    assert heard([body(True)], asks_first=True) == 0
