"""`chromagan studio`: an address with a key, a process that ends by Ctrl-C, wrong usage in one line."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from chromagan.apps.cli.main import main
from tests.apps.studio.conftest import gray_photo

pytest.importorskip("uvicorn")


def test_wrong_usage_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for words in (
        ["--port", "99999999"], ["--host", "no-such-address.invalid"], [str(tmp_path), "-o", str(tmp_path / "file")],
        ["--no-browser", "--port", "0", "--model", "nonsense"],
    ):  # fmt: skip
        assert main(["studio", *words]) == 2
        assert capsys.readouterr().err.count("error:") == 1


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_it_serves_with_a_key_and_ends_by_ctrl_c(tmp_path):
    gray_photo(tmp_path / "a.png")
    words = [sys.executable, "-m", "chromagan", "studio", str(tmp_path), "--no-browser", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        address, _, key = process.stdout.readline().split()[-1].partition("#")
        assert address.startswith("http://127.0.0.1:")
        assert len(key) >= 24
        assert b"chromagan studio" in urllib.request.urlopen(address).read()
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(address + "api/enter", b"", method="POST"))
        allowed = {"Authorization": f"Bearer {key}"}
        entering = urllib.request.Request(address + "api/enter", b"", allowed, method="POST")
        assert b"a.png" in urllib.request.urlopen(entering).read()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert not (tmp_path / "colorized").exists()
