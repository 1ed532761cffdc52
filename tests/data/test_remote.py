"""Shards behind a real HTTP server, with byte ranges and without."""

import http.server
import threading

import numpy as np
import pytest

from chromagan.data import remote
from chromagan.data.loader import BatchStream
from chromagan.data.photos import find_photos
from chromagan.data.training_photos import TrainingPhotos
from chromagan.errors import DataError

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        server = self.server
        path = server.folder / self.path.lstrip("/")
        if server.failing > 0 and body:
            server.failing -= 1
            self.send_error(503)
            return
        if not path.is_file():
            self.send_error(404)
            return
        data, asked = path.read_bytes(), self.headers.get("Range")
        whole = len(data)
        if asked and server.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last) + 1 if last else None]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(data) - 1}/{whole}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            server.sent += len(data)  # before the client can have it all and look
            try:
                self.wfile.write(data)
            except OSError:  # the client has seen enough
                server.sent -= len(data)
                self.close_connection = True

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folder = tmp_path / "served"
    server.folder.mkdir()
    server.ranges, server.sent, server.failing = True, 0, 0
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def shards(server, make_shard, photo, encoded):
    files = [{f"{s}{i}.png": encoded(photo(10 * s + i)) for i in range(4)} for s in range(3)]
    for s, content in enumerate(files):
        make_shard(server.folder / f"x-00{s}.tar", content)
    return {
        f"{server.url}/x-00{s}.tar/{name}": data for s, content in enumerate(files) for name, data in content.items()
    }


def test_brace_range_of_urls_gives_the_photos(server, shards, tmp_path):
    found = find_photos([f"{server.url}/x-{{000..002}}.tar"], str(tmp_path / "cache"))
    assert {p.name: p.read() for p in found} == shards
    assert [p.name for p in found] == list(shards)


def test_an_index_is_made_once_from_the_headers(server, make_shard, tmp_path):
    noise = np.random.default_rng(0).bytes(600_000)
    make_shard(server.folder / "big.tar", {f"{i}.jpg": noise for i in range(5)})
    place, cache = [f"{server.url}/big.tar"], str(tmp_path / "cache")
    found = find_photos(place, cache)
    assert 0 < server.sent < 1_000_000 < (server.folder / "big.tar").stat().st_size
    server.sent = 0
    assert find_photos(place, cache) == found
    assert server.sent == 0
    assert found[3].read() == noise
    assert server.sent == len(noise)
    make_shard(server.folder / "big.tar", {"other.jpg": noise})  # another shard of that name: another index
    assert [p.name for p in find_photos(place, cache)] == [f"{server.url}/big.tar/other.jpg"]


def test_a_server_without_ranges_needs_a_cache_folder(server, shards, tmp_path, monkeypatch):
    server.ranges = False
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    place = [f"{server.url}/x-001.tar"]
    with pytest.raises(DataError, match="--shard-cache"):
        find_photos(place)
    found = find_photos(place, str(tmp_path / "cache"))
    assert {p.name: p.read() for p in found} == {k: v for k, v in shards.items() if "x-001" in k}
    server.sent = 0
    assert [p.read() for p in find_photos(place, str(tmp_path / "cache"))] == [p.read() for p in found]
    assert server.sent <= (server.folder / "x-001.tar").stat().st_size  # at most the probe, and no second download
    assert len(list((tmp_path / "cache").glob("*.tar"))) == 1
    assert not list((tmp_path / "cache").glob(".chromagan-*"))


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_from_a_server_are_those_of_the_files(server, shards, tmp_path, workers):
    def batch(place, workers):
        photos = TrainingPhotos(find_photos([place], str(tmp_path / "cache")), 16, 0.6, 4.0, 0)
        return next(iter(BatchStream(photos, 6, workers)))

    remote_batch = batch(f"{server.url}/x-{{000..002}}.tar", workers)
    assert (remote_batch.rgb == batch(str(server.folder), 0).rgb).all()


def test_a_short_outage_is_waited_for_and_a_long_one_stops_the_run(server, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "RETRY_AFTER", (0.0, 0.0))
    found = find_photos([f"{server.url}/x-000.tar"], str(tmp_path / "cache"))
    server.failing = 2
    assert found[0].read() == shards[found[0].name]
    server.failing = 10**6
    photos = TrainingPhotos(found, 16, 0.6, 4.0, 0)
    for workers in (0, 1):
        with pytest.raises(DataError, match=r"^http\S+: cannot be read .*; run the same command again") as caught:
            next(iter(BatchStream(photos, 2, workers)))
        assert "\n" not in str(caught.value)


def test_what_is_not_there(server, tmp_path):
    (server.folder / "bad.tar").write_bytes(b"x" * 5000)
    for place, message in (("absent.tar", "cannot be read"), ("bad.tar", "cannot be read"), ("a.jpg", "not a .tar")):
        with pytest.raises(DataError, match=message):
            find_photos([f"{server.url}/{place}"], str(tmp_path))
    with pytest.raises(DataError, match="nonsense"):
        find_photos(["nonsense://x/a.tar"], str(tmp_path))


def test_missing_library_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(DataError, match=r"chromagan\[remote\]"):
        find_photos(["http://127.0.0.1/a.tar"], str(tmp_path))
