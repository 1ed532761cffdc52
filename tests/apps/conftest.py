"""What tests of servers share: a real one, on 127.0.0.1."""

import threading
import time

import pytest


@pytest.fixture
def serve():
    """Serve an application in a thread; its port."""
    uvicorn = pytest.importorskip("uvicorn")
    servers = []

    def start(app):
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        for _ in range(600):
            if server.started:
                return server.servers[0].sockets[0].getsockname()[1]
            time.sleep(0.05)
        raise AssertionError("the server did not start")

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(20)
