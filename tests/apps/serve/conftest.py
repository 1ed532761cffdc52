"""A service with a network that paints at once, or when it is told to, and a client that asks it."""

import http.client
import json
import threading
import uuid

import pytest

pytest.importorskip("fastapi")

from chromagan.apps.serve.app import make_app
from chromagan.apps.serve.service import Service
from chromagan.inference.colorizer import Colorizer
from chromagan.models.look import Look
from tests.apps.studio.conftest import Copier, gray_photo, make_colorizer


class Held(Copier):
    """Begins to paint when it is let go."""

    def __init__(self):
        super().__init__()
        self.begun, self.let_go, self.painted = threading.Event(), threading.Event(), 0

    def predict(self, L, condition):
        self.begun.set()
        assert self.let_go.wait(60)
        self.painted += len(L)
        return super().predict(L, condition)


@pytest.fixture
def held():
    network = Held()
    yield network
    network.let_go.set()


class Client:
    """Asks a running service."""

    def __init__(self, port, service, lines):
        self.port, self.service, self.lines = port, service, lines

    def __call__(self, path, body=None, method=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=280)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        chunked = "transfer-encoding" in headers
        connection.request(method or ("GET" if body is None else "POST"), path, body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers
        connection.close()
        return found

    def form(self, *parts, query=""):
        """Parts are (name, content) or (name, content, filename)."""
        edge = uuid.uuid4().hex
        body = b""
        for name, content, *filename in parts:
            file = f'; filename="{filename[0]}"' if filename else ""
            body += f'--{edge}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
            body += content + b"\r\n"
        body += f"--{edge}--\r\n".encode()
        return self("/colorize" + query, body, content_type=f"multipart/form-data; boundary={edge}")

    def error(self, answer):
        """Status and words of a refusal, which has one line and the id of its line in the log."""
        status, body, headers = answer
        told = json.loads(body)
        assert "\n" not in told["error"]
        assert told.get("id", headers["x-request-id"]) == headers["x-request-id"]
        return status, told["error"]

    @property
    def folders(self):
        """What lies about of photos."""
        return list(self.service.home.iterdir())


@pytest.fixture
def open_service(serve):
    """Start a service, of a network where one is given."""

    def start(network=None, limits=None, hosts=()):
        def make():
            return Colorizer(network, look=Look(size=64), device="cpu", model="held") if network else make_colorizer()

        service, lines = Service(make, limits), []
        port = serve(make_app(service, hosts, lambda line: lines.append(json.loads(line))))
        return Client(port, service, lines)

    return start


@pytest.fixture
def photo(tmp_path):
    return gray_photo(tmp_path / "photo.png")
