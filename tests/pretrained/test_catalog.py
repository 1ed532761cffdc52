"""Weights by name: the table and its files agree, and what is not here is downloaded once, checked and whole."""

import hashlib
import threading
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chromagan.apps.cli.main import main
from chromagan.errors import WeightsError
from chromagan.inference.colorizer import Colorizer
from chromagan.models.registry import list_models
from chromagan.pretrained import catalog
from chromagan.pretrained.catalog import CATALOGUE, Entry, named_weights, weights_folder
from chromagan.pretrained.store import read_weights


def test_every_file_of_the_folder_is_an_entry_with_its_size_and_licence():
    assert {path.name for path in weights_folder().glob("*.safetensors")} <= {entry.file for entry in CATALOGUE}
    for entry in CATALOGUE:
        if entry.local is None:
            assert len(bytes.fromhex(entry.sha256)) == 32
            assert entry.url.startswith("https://")
            continue
        assert entry.size == entry.local.stat().st_size
        card = read_weights(entry.local)[1]
        assert (card.model, card.licence) == (entry.model, entry.licence)


def test_names_are_apart_and_no_paths():
    names = [f"{entry.model}@{entry.tag}" for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    assert not [name for name in names if {".", "/", "\\"} & set(name)]
    assert [entry.name for entry in CATALOGUE[:1]] == ["chromagan"]
    assert {entry.model for entry in CATALOGUE} <= {*list_models(), "chroma_upsampler"}


def test_each_entry_paints_with_the_look_of_its_own_file(tmp_path, monkeypatch, capsys):
    first = named_weights("chromagan")
    look = ["--size", "96", "--saturation", "1.5"]
    assert main(["export", "chromagan@base", "-o", str(tmp_path / "other.safetensors"), *look]) == 0
    (tmp_path / "first.safetensors").write_bytes(first.read_bytes())
    entries = [Entry("chromagan", name, f"{name}.safetensors", 2**20, "MIT", "a try") for name in ("first", "other")]
    upsampler = named_weights("chroma_upsampler")
    (tmp_path / upsampler.name).write_bytes(upsampler.read_bytes())
    monkeypatch.setattr(catalog, "CATALOGUE", (*entries, CATALOGUE[-1]))
    monkeypatch.setattr(catalog, "weights_folder", lambda: tmp_path)
    plain, other = (Colorizer.from_pretrained(name, device="cpu") for name in ("chromagan", "chromagan@other"))
    assert plain.look == read_weights(first)[1].look
    assert (other.look.size, other.look.saturation) == (96, 1.5)
    capsys.readouterr()
    assert main(["zoo", "chromagan"]) == 0
    assert "chromagan@other: a try; 1.0 MiB, MIT\n" in capsys.readouterr().out


class Server(BaseHTTPRequestHandler):
    """Gives the same bytes under every address but `/missing`; `/short` says more than it gives."""

    def __init__(self, content, asked, *args):
        self.content, self.asked = content, asked
        super().__init__(*args)

    def do_GET(self):  # noqa: N802
        self.asked.append(self.path)
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: len(self.content) // 2] if self.path == "/short" else self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """An entry whose file a server on this machine has, and the addresses that it was asked for."""
    content, asked = bytes(range(256)) * 9000, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, content, asked))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("CHROMAGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}/far.safetensors"
    sha = hashlib.sha256(content).hexdigest()
    entry = Entry("chromagan", "far", "far.safetensors", len(content), "MIT", "far away", url, sha)
    monkeypatch.setattr(catalog, "CATALOGUE", (*CATALOGUE, entry))
    yield entry, content, asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_is_made_once(remote, caplog):
    entry, content, asked = remote
    assert entry.local is None
    with caplog.at_level("INFO"):
        path = named_weights("chromagan@far")
    assert path.read_bytes() == content
    assert named_weights("chromagan@far") == path == entry.local
    assert asked == ["/far.safetensors"]
    assert [line for line in caplog.messages if line.startswith("chromagan@far: downloading 2.2 MiB from http")]


@pytest.mark.parametrize(("change", "words"), [
    ({"sha256": "0" * 64}, "gave another file than was published"),
    ({"url": "/short"}, "chromagan@far"),
    ({"url": "/missing"}, "HTTP Error 404"),
    ({"url": ""}, "did not come with this installation"),
    ({"url": "http://127.0.0.1:9/nobody"}, "connect, or name a local file"),
])  # fmt: skip
def test_nothing_stands_in_the_cache_after_a_failure(remote, monkeypatch, tmp_path, change, words):
    entry = remote[0]
    if change.get("url", "").startswith("/"):
        change = {"url": entry.url.replace("/far.safetensors", change["url"])}
    monkeypatch.setattr(catalog, "CATALOGUE", (*CATALOGUE, replace(entry, **change)))
    with pytest.raises(WeightsError, match=words) as caught:
        named_weights("chromagan@far")
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_made_is_told(remote, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHROMAGAN_CACHE", str(tmp_path / "file"))
    assert main(["export", "chromagan@far", "-o", str(tmp_path / "x.safetensors")]) == 1
    assert "set CHROMAGAN_CACHE" in capsys.readouterr().err
