"""The example Space starts, lets anyone in under its own name, and says so in its header."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

SPACE = Path(__file__).parents[3] / "examples" / "space"


def test_the_header_is_that_of_a_space():
    header = re.match(r"---\n(.*?)\n---\n", (SPACE / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    values = dict(line.split(": ", 1) for line in header.splitlines())
    assert (values["sdk"], values["app_port"], values["license"]) == ("docker", "7860", "apache-2.0")
    assert len(values["short_description"]) <= 60
    docker = (SPACE / "Dockerfile").read_text()
    assert all((SPACE / name).exists() for name in re.findall(r"COPY (\S+)", docker))


@pytest.mark.slow
@pytest.mark.process
def test_the_space_starts():
    pytest.importorskip("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "SPACE_HOST": "someone-studio.hf.space"}
    with subprocess.Popen([sys.executable, str(SPACE / "app.py")], env=environment) as process:
        try:
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/enter", b"", method="POST")
            asked.add_header("Host", "someone-studio.hf.space")
            for _ in range(600):
                try:
                    answer = urllib.request.urlopen(asked).read()
                    break
                except urllib.error.URLError:
                    assert process.poll() is None
                    time.sleep(0.1)
            assert b'"photos":[]' in answer
            asked.remove_header("Host")
            asked.add_header("Host", "evil.example")
            with pytest.raises(urllib.error.HTTPError, match="421"):
                urllib.request.urlopen(asked)
        finally:
            process.terminate()
