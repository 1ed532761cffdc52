"""The studio as strangers meet it: over HTTP, with a wrong key, another name, another origin, too much."""

import json
import urllib.error
import urllib.request

import pytest

pytest.importorskip("starlette")

from chromagan.apps.studio.app import make_app
from chromagan.apps.studio.desk import Limits
from tests.apps.studio.conftest import gray_photo

KEY = "a-key"


class Browser:
    """Asks a running studio."""

    def __init__(self, port):
        self.port, self.headers = port, {"Authorization": f"Bearer {KEY}"}

    def __call__(self, path, body=b"", method="POST", **headers):
        url = f"http://127.0.0.1:{self.port}/{path}"
        asked = urllib.request.Request(url, body, {**self.headers, **headers}, method=method)
        try:
            with urllib.request.urlopen(asked) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers


@pytest.fixture
def ask(make_studio, photos, serve):
    studio = make_studio(photos, limits=Limits(upload_bytes=100_000))
    return Browser(serve(make_app(studio, KEY)))


def test_from_entering_to_a_file(ask, tmp_path):
    status, body, _ = ask("api/enter")
    desk = {"X-Desk": json.loads(body)["desk"]}
    assert status == 200
    photo = gray_photo(tmp_path / "mine.png", 7)
    status, body, _ = ask("api/upload?name=mine.png", photo.read_bytes(), **desk)
    assert status == 200
    key = json.loads(body)["key"]
    wish = json.dumps({"photo": key, "work": {}}).encode()
    status, body, headers = ask("api/paint", wish, **desk)
    assert (status, headers["content-type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert ask("api/file", wish, **desk)[0] == 404
    assert ask("api/save", wish, **desk)[0] == 200
    status, body, _ = ask("api/file", wish, **desk)
    assert (status, body[:4]) == (200, b"\x89PNG")
    assert ask("api/leave", **desk)[0] == 200
    status, body, _ = ask("api/paint", wish, **desk)
    assert status == 410
    assert "load the page again" in json.loads(body)["error"]


def test_what_is_refused_is_one_line(ask):
    desk = {"X-Desk": json.loads(ask("api/enter")[1])["desk"]}
    for status, path, body in (
        (413, "api/upload?name=a.png", b"x" * 200_000), (400, "api/upload?name=a.png", b"no photo"),
        (400, "api/upload?name=a.txt", b"x"), (400, "api/paint", b"{"), (400, "api/paint", b"[]"),
        (404, "api/paint", b"{}"), (404, "api/shell", b"{}"), (413, "api/paint", b" " * 4_000_001),
    ):  # fmt: skip
        found, answer, _ = ask(path, body, **desk)
        assert found == status, path
        assert "\n" not in json.loads(answer)["error"]


def test_no_path_leads_out_of_the_page(ask):
    status, body, headers = ask("", None, "GET", Authorization="")
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert b"http" not in body.replace(b"http://www.w3.org", b"")
    assert ask("page/main.js", None, "GET")[0] == 200
    for path in ("page/../app.py", "page/%2e%2e/app.py", "page/..%2fapp.py", "etc/passwd", "api/enter"):
        assert ask(path, None, "GET")[0] in (404, 405), path
    status, _, headers = ask("api/enter", Authorization="Bearer wrong")
    assert status == 401
    assert ask("", None, "GET", Host="evil.example")[0] == 421
    assert ask("api/enter", Origin="http://evil.example")[0] == 403
    assert not [name for name in headers if name.lower().startswith("access-control")]
