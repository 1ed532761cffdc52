"""The server around the application: what comes before a request, and beside it."""

import json
import socket
import threading
import time

import pytest

pytest.importorskip("fastapi")

from chromagan.apps.serve import server
from chromagan.apps.serve.service import Service
from chromagan.apps.web.door import listen
from tests.apps.studio.conftest import make_colorizer


@pytest.fixture
def served():
    """Serve while something asks; it is given the port. What it returns, and the lines of the log."""

    def run(ask):
        service, lines, found = Service(make_colorizer), [], []

        def asked():
            try:
                found.append(ask(door.getsockname()[1]))
            finally:
                service.ending = True

        with listen("127.0.0.1", 0) as door:
            thread = threading.Thread(target=asked)
            thread.start()
            server.serve(service, door, tell=lines.append)
            thread.join()
        return found[0], [json.loads(line) for line in lines]

    return run


def test_who_brings_no_whole_request_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr(server, "_KEPT_SECONDS", 1)

    def ask(port):
        started = time.monotonic()
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as silent,
            socket.create_connection(("127.0.0.1", port), timeout=60) as slow,
        ):
            slow.sendall(b"GET /health HTTP/1.1\r\nHost:")
            return silent.recv(100), slow.recv(100), time.monotonic() - started

    (first, second, seconds), _ = served(ask)
    assert (first, second) == (b"", b"")
    assert 0.9 < seconds < 30


def test_who_asks_for_a_socket_is_answered_as_any_other(served):
    def ask(port):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(
                b"GET /colorize HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            return connection.recv(1000)

    answer, lines = served(ask)
    assert b" 405 " in answer
    assert [line["status"] for line in lines] == [405]
