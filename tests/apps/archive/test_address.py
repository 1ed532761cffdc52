"""The address of a Ray cluster: what is none, and where nobody is. No cluster is started."""

import socket
import time

import pytest

pytest.importorskip("ray")

from chromagan.apps.cli.main import main


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("address", ["nonsense", "ray://127.0.0.1:10001", ":6379", "127.0.0.1:x", "[::1]"])
def test_what_is_no_address_is_told(scans, tmp_path, caplog, address):
    assert main(["archive", str(scans(1)), "-o", str(tmp_path / "out"), "--address", address]) == 2
    assert "write HOST:PORT, or auto" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "no host", "x" * 300])
def test_nobody_at_an_address_is_told_at_once(scans, tmp_path, caplog, host):
    began = time.monotonic()
    address = f"{host}:{free_port()}"
    assert main(["archive", str(scans(1)), "-o", str(tmp_path / "out"), "--address", address]) == 1
    assert f"no Ray cluster answers at {address}" in caplog.text
    assert time.monotonic() - began < 30
