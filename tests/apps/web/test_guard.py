"""Who may ask: by which name, from which page, with which key."""

import json

import pytest

pytest.importorskip("starlette")

from chromagan.apps.web.guard import Guard

KEY = "a-key"
OURS = {"host": "127.0.0.1:7860", "authorization": f"Bearer {KEY}"}


def refused(path="/api/paint", hosts=(), **headers):
    return (Guard(None, KEY, hosts).refuse({**OURS, **headers}, path) or (200,))[0]


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 200), ({"host": "localhost:7860"}, 200), ({"host": "[::1]:7860"}, 200), ({"host": "192.168.0.7"}, 200),
    ({"host": "evil.example:7860"}, 421), ({"host": ""}, 421), ({"host": "127.0.0.1.evil.example"}, 421),
    ({"origin": "http://127.0.0.1:7860"}, 200), ({"origin": "http://evil.example"}, 403), ({"origin": "null"}, 403),
    ({"origin": "http://127.0.0.1:7861"}, 403), ({"authorization": ""}, 401), ({"authorization": "Bearer other"}, 401),
    ({"authorization": "Bearer \u00e9"}, 401),
])  # fmt: skip
def test_who_may_ask(headers, status):
    assert refused(**headers) == status


def test_the_page_itself_holds_no_secret_and_needs_no_key():
    assert refused("/", authorization="") == 200
    assert refused("/", host="evil.example") == 421
    assert refused(host="family.example", hosts=("family.example",)) == 200
    assert Guard(None, "").refuse({"host": "localhost"}, "/api/paint") is None


def test_a_refusal_is_json():
    import asyncio

    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/", "headers": [(b"host", b"evil.example")]}
    asyncio.run(Guard(None, "", name="the service")(scope, receive, send))
    assert sent[0]["status"] == 421
    assert json.loads(sent[1]["body"]) == {"error": "the service is not asked for by this name"}
