"""`chromagan serve` as a process: it ends by a signal when all is answered, and bears a load."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from chromagan.apps.cli.main import main
from tests.apps.studio.conftest import gray_photo

pytest.importorskip("fastapi")


def test_wrong_usage_is_one_line(capsys):
    for words in (
        ["--port", "99999999"], ["--host", "no-such-address.invalid"], ["--max-photos", "0"], ["--timeout", "nan"],
        ["--port", "0", "--model", "nonsense"],
    ):  # fmt: skip
        assert main(["serve", *words]) == 2
        assert capsys.readouterr().err.count("error:") == 1


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_all_is_answered(tmp_path, sign):
    from chromagan.benchmark.child_process import package_environment
    from tests.apps.serve.conftest import Client
    from tests.apps.serve.test_app import settled

    photo = gray_photo(tmp_path / "a.png")
    words = [sys.executable, "-m", "chromagan", "serve", "--port", "0", "--max-photos", "64", "--timeout", "300"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": package_environment()}
    with subprocess.Popen(words, **pipes) as process:
        port = int(process.stderr.readline().split("127.0.0.1:")[1].partition("/")[0])
        ask, answers = Client(port, None, []), []
        assert settled(lambda: ask("/ready")[0] == 200, 200)
        threads = [
            threading.Thread(target=lambda: answers.append(ask("/colorize", photo.read_bytes()))) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        assert settled(lambda: json.loads(ask("/ready")[1])["accepted"] == 12)
        process.send_signal(sign)
        assert settled(lambda: ask("/ready")[0] == 503)
        refused = []  # until the last of those that were accepted is answered the door stays open
        while any(thread.is_alive() for thread in threads):
            try:
                refused.append(ask("/colorize", photo.read_bytes())[0])
            except OSError:
                break
            time.sleep(0.2)
        for thread in threads:
            thread.join()
        told, said = process.communicate(timeout=120)
    assert ([status for status, _, _ in answers], set(refused)) == ([200] * 12, {503})
    assert len({body for _, body, _ in answers}) == 1
    assert (process.returncode, said) == (0, "")
    lines = [json.loads(line) for line in told.splitlines()]
    assert sum(line["status"] == 200 for line in lines if line["path"] == "/colorize") == 12


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_a_load_loses_nothing(tmp_path, capsys):
    words = ["--clients", "6", "--photos", "24", "--megapixels", "0.05", "--max-photos", "3"]
    assert main(["benchmark", "serve", *words, "--out", str(tmp_path / "load.json")]) == 0
    (load,) = json.loads((tmp_path / "load.json").read_text())["loads"]
    assert (load["lost"], len(load["seconds"])) == (0, 24)
    assert set(load["statuses"]) == {"200", "429"}  # some had to come again
    assert "clients" in capsys.readouterr().out
