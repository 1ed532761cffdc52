"""The load of the service: what is lost, or wrong, is counted; whoever is told to come again does."""

import hashlib
import itertools
import os
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chromagan.benchmark import serve
from chromagan.benchmark.serve import Load, loads_table


@pytest.fixture
def answering():
    """A server that answers with (status, body) in turn, or hangs up on None; its port."""
    servers = []

    def start(answers):
        turn, lock = iter(answers), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    answer = next(turn)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("content-length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def load(port, photos, clients=1):
    wanted = [(b"photo", hashlib.sha256(b"colour").hexdigest())]
    return serve._load(clients, photos, wanted, os.getpid(), "127.0.0.1", port)


def test_all_is_well(answering):
    good = load(answering(itertools.repeat((200, b"colour"))), 20, clients=4)
    assert (good.lost, good.errors, len(good.seconds), good.statuses) == (0, 0, 20, Counter({200: 20}))


def test_whoever_is_told_to_come_again_does(answering):
    good = load(answering([(429, b""), (429, b""), (200, b"colour")]), 1)
    assert (good.lost, good.errors, good.statuses) == (0, 0, Counter({429: 2, 200: 1}))


def test_what_is_lost_or_wrong_is_counted(answering):
    bad = load(answering([(500, b""), None, (200, b"another"), (200, b"colour")]), 4)
    assert (bad.lost, bad.errors, bad.statuses) == (3, 2, Counter({200: 2, 500: 1, 0: 1}))


def test_the_table():
    one = Load(
        2, [1.0, 3.0], Counter({200: 2, 429: 5}), whole=4.0, memory=[100] * 4 + [200] * 4 + [150] * 4 + [210] * 4
    )
    assert one.growth == pytest.approx(1.05)
    assert Load(1).growth is None
    for word in ("429", "growth", "+5.0%", "0.50"):
        assert word in loads_table([one])
