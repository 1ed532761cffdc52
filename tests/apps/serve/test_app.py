"""The service over HTTP: the command's bytes, what is refused and how it is said, what it says of itself."""

import json
import struct
import time
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")

from chromagan.apps.serve.limits import Limits
from chromagan.conditioning.guidance import Guidance, Palette, Reference, Region, Settings, Stroke
from chromagan.images.metadata import read_provenance
from chromagan.inference.request import Request
from tests.apps.studio.conftest import gray_photo, make_colorizer

RED = Stroke("colour", ((0.3, 0.5), (0.6, 0.5)), radius=0.05, rgb=(170, 50, 40))


@pytest.fixture
def ask(open_service):
    return open_service(limits=Limits(upload_bytes=300_000, pixels=200_000))


def saved(photo, out, request=None, **options):
    """What Python writes, which `chromagan sample` writes too."""
    make_colorizer().colorize([str(photo)], request or Request())[0][0].save(out, **options)
    return out.read_bytes()


def settled(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_a_photo_comes_back_as_the_command_writes_it(ask, tmp_path, ending):
    photo = gray_photo(tmp_path / f"photo.{ending}")
    status, body, headers = ask("/colorize", photo.read_bytes(), content_type="application/x-www-form-urlencoded")
    kind = {"jpg": "jpeg", "tif": "tiff"}.get(ending, ending)
    assert (status, headers["content-type"]) == (200, f"image/{kind}")
    assert body == saved(photo, tmp_path / f"out.{ending}")
    (tmp_path / f"answer.{ending}").write_bytes(body)
    assert read_provenance(tmp_path / f"answer.{ending}").model == "copier"
    assert settled(lambda: not ask.folders)


def test_sixteen_bits_stay(ask, tmp_path):
    deep = cv2.imread(str(gray_photo(tmp_path / "a.png")), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 257 + 3
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    body = ask("/colorize", (tmp_path / "deep.png").read_bytes())[1]
    assert body == saved(tmp_path / "deep.png", tmp_path / "out.png")
    assert cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_wishes_of_the_query_and_of_guidance(ask, photo, tmp_path):
    brought = photo.read_bytes()
    guidance = Guidance(strokes=(RED,), palette=Palette(("#7a4b2a",)), settings=Settings(saturation=0.5, warmth=0.3))
    body = ask.form(("photo", brought, "x.png"), ("guidance", guidance.to_json().encode()))[1]
    assert body == saved(photo, tmp_path / "a.png", Request(guidance=guidance, saturation=0.5, warmth=0.3))
    # What the query says goes before; guidance may come as a file.
    parts = (("photo", brought, "x.png"), ("guidance", guidance.to_json().encode(), "x.hints.json"))
    body = ask.form(*parts, query="?saturation=2&size=32&seed=7&format=jpeg&quality=60")[1]
    request = Request(guidance=guidance, saturation=2, warmth=0.3, size=32, variations=1, seed=7)
    assert body == saved(photo, tmp_path / "b.jpg", request, quality=60)
    assert body != ask.form(*parts, query="?saturation=2&size=32&seed=7&format=jpeg")[1]


def test_guidance_names_pictures_that_come_with_it(ask, photo, tmp_path):
    mask, layer = np.zeros((96, 128), np.uint8), np.zeros((96, 128, 4), np.uint8)
    mask[:, :64], layer[40:50, 40:60] = 255, (40, 50, 170, 255)
    cv2.imwrite(str(tmp_path / "half.png"), mask)
    cv2.imwrite(str(tmp_path / "layer.png"), layer)
    half = (tmp_path / "half.png").read_bytes()
    guidance = Guidance(strokes=(RED,), only=Region(file="half.png"))
    parts = (("photo", photo.read_bytes(), "x.png"), ("guidance", guidance.to_json().encode()))
    body = ask.form(*parts, ("file", half, "half.png"))[1]
    request = Request(guidance=replace(guidance, only=Region(file=str(tmp_path / "half.png"))))
    assert body == saved(photo, tmp_path / "a.png", request)
    # A picture with an alpha is guidance by itself.
    status, body, _ = ask.form(parts[0], ("guidance", (tmp_path / "layer.png").read_bytes(), "hints.png"))
    assert status == 200
    assert body != saved(photo, tmp_path / "b.png")


@pytest.mark.parametrize("name", ["/etc/hostname", "../photo.png", "photo.png", "guidance.hints.json", "other.png"])
def test_no_other_file_is_opened(ask, photo, name):
    for guidance in (Guidance(references=(Reference(name),)), Guidance(keep=Region(file=name))):
        parts = (("photo", photo.read_bytes(), "x.png"), ("guidance", guidance.to_json().encode()))
        assert ask.error(ask.form(*parts))[0] == 422
        status, words = ask.error(ask.form(*parts, ("file", photo.read_bytes(), "brought.png")))
        assert (status, "did not come with it" in words) == (422, True)


@pytest.mark.parametrize("given", ["strokes", "corners", "points"])
def test_guidance_that_would_keep_it_busy_is_refused(ask, photo, given):
    """A thousand wishes and 20,000 points are taken, one more is not."""

    def answer(more):
        if given == "strokes":
            guidance = Guidance(strokes=(replace(RED, strength=0.01),) * (1_000 + more))
        elif given == "corners":
            guidance = Guidance(only=Region((((0, 0), (1, 0), (1, 1)) * 6_666 + ((0, 0.5),) * (2 + more),)))
        else:
            guidance = Guidance(strokes=(Stroke("colour", ((0.5, 0.5),) * (20_000 + more), 0.05, (9, 9, 200)),))
        return ask.form(("photo", photo.read_bytes(), "x.png"), ("guidance", guidance.to_json().encode()))

    assert answer(0)[0] == 200
    status, words = ask.error(answer(1))
    assert (status, "the service takes 1,000 and 20,000" in words) == (422, True)


def png_header(width, height):
    """A PNG that says its size, and no more."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b""))
    packed = (struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_what_is_refused_is_one_line(ask, photo, tmp_path):
    brought = photo.read_bytes()
    two = cv2.imencode(".png", np.kron(np.eye(2, dtype=np.uint8) * 255, np.ones((40, 40), np.uint8)))[1].tobytes()
    own = ask("/colorize", brought)[1]
    form = {"content_type": "multipart/form-data; boundary=x"}
    photo, hints = ("photo", brought, "x.png"), ("guidance", b'{"version": 1}')
    for status, words, answer in (
        (415, "empty", ask("/colorize", b"")),
        (415, "", ask("/colorize", b"no photo")),
        (415, "PDF", ask("/colorize", b"%PDF-1.7")),
        (413, "pixels", ask("/colorize", png_header(5000, 5000))),
        (422, "", ask("/colorize", brought[: len(brought) // 2])),
        (422, "black and white", ask("/colorize", two)),
        (422, "already", ask("/colorize", own)),
        (413, "MB", ask("/colorize", bytes(300_001))),
        (422, "saturation", ask("/colorize?saturation=11", brought)),
        (422, "format", ask("/colorize?format=gif", brought)),
        (422, "colour", ask("/colorize?colour=red", brought)),
        (422, "size", ask("/colorize?size=999999", brought)),
        (400, "boundary", ask("/colorize", b"--x", content_type="multipart/form-data")),
        (422, "photo", ask("/colorize", b"--x--\r\n", **form)),
        (422, "'other'", ask.form(photo, ("other", b"1"))),
        (422, "one photo", ask.form(("photo", brought))),
        (422, "one photo", ask.form(photo, photo)),
        (422, "not JSON", ask.form(photo, ("guidance", b"{"))),
        (422, "version", ask.form(photo, ("guidance", b"{}"))),
        (422, "UTF-8", ask.form(photo, ("guidance", b"\xff\xfe", "x.json"))),
        (415, "bad.png", ask.form(photo, hints, ("file", b"x", "bad.png"))),
        (422, "plain name", ask.form(photo, hints, ("file", brought, "../x.png"))),
        (404, "", ask("/colourise", b"")),
        (405, "", ask("/colorize")),
        (421, "name", ask("/health", Host="evil.example")),
        (403, "page", ask("/colorize", brought, Origin="http://evil.example")),
    ):
        found, told = ask.error(answer)
        assert (found, words in told) == (status, True), told
        assert str(tmp_path) not in told
        assert ask.service.home.name not in told
    assert settled(lambda: not ask.folders)
    assert ask.service.accepted == 0
    assert ask("/colorize", brought)[0] == 200


def test_pages_of_a_tiff_count_together(open_service, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    pages = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    content = (tmp_path / "a.tif").read_bytes()
    assert open_service(limits=Limits(pixels=3 * 64 * 64))("/colorize", content)[0] == 200
    ask = open_service(limits=Limits(pixels=3 * 64 * 64 - 1))
    assert ask.error(ask("/colorize", content))[0] == 422


def test_a_body_without_a_length_is_cut_where_it_is_too_long(ask):
    taken = 0

    def endless():
        nonlocal taken
        for _ in range(10_000):
            taken += 100_000
            yield bytes(100_000)

    try:
        answer = ask("/colorize", endless(), transfer_encoding="chunked")
    except OSError:  # the service hung up, as it may after a while
        answer = None
    assert answer is None or ask.error(answer)[0] == 413
    assert settled(lambda: ask.lines)
    assert ask.lines[0]["status"] == 413
    assert settled(lambda: not ask.folders)


def test_what_it_says_of_itself(ask, photo):
    assert settled(lambda: ask("/ready")[0] == 200)
    assert json.loads(ask("/ready")[1]) == {"state": "ready", "model": "copier", "accepted": 0}
    assert json.loads(ask("/health")[1])["state"] == "up"
    ask("/colorize", photo.read_bytes())
    ask("/colorize", b"x")
    ask("/etc/passwd")
    for path in ("/", "/health", "/ready", "/metrics"):
        assert ask(path, method="HEAD")[:2] == (200, b"")
    figures = ask("/metrics")[1].decode()
    for line in (
        'chromagan_requests_total{path="/colorize",status="200"} 1.0', "chromagan_photo_seconds_count 1.0",
        'chromagan_requests_total{path="/colorize",status="415"} 1.0', "chromagan_places 32.0",
        "chromagan_accepted 0.0",
        'chromagan_requests_total{path="other",status="404"} 1.0',
    ):  # fmt: skip
        assert line in figures


def test_each_request_has_a_line_and_an_id(ask, photo):
    _, _, headers = ask("/colorize", photo.read_bytes(), X_Request_ID="archive-7")
    assert headers["x-request-id"] == "archive-7"
    strange = ask("/colorize", b"x", X_Request_ID='"}{ evil')[2]["x-request-id"]
    assert len(strange) == 16
    assert settled(lambda: len(ask.lines) == 2)
    first, second = ask.lines
    assert (first["id"], first["status"], first["path"], first["taken"]) == (
        "archive-7", 200, "/colorize", photo.stat().st_size,
    )  # fmt: skip
    assert 0 <= first["waited"] <= first["coloured"] <= first["seconds"]
    assert (second["id"], second["status"], "error" in second) == (strange, 415, True)


def test_what_a_client_says_is_not_told_at_length(ask, photo):
    hints = json.dumps({"version": 1, "references": [{"file": "x" * 100_000}]}).encode()
    status, words = ask.error(ask.form(("photo", photo.read_bytes(), "x.png"), ("guidance", hints)))
    assert (status, words.startswith("guidance names"), words.endswith("send it as a part 'file'")) == (422, True, True)
    ask("/" + "y" * 20_000)
    assert settled(lambda: len(ask.lines) == 2)
    assert all(len(json.dumps(line)) < 2000 for line in ask.lines)


def test_the_description_is_of_what_is_read(ask):
    document = json.loads(ask("/openapi.json")[1])
    assert set(document["paths"]) == {"/colorize", "/health", "/ready", "/metrics"}
    post = document["paths"]["/colorize"]["post"]
    assert {"200", "413", "415", "422", "429", "503", "504"} <= set(post["responses"])
    asked = {one["name"] for one in post["parameters"]}
    assert asked == {"format", "quality", "saturation", "warmth", "size", "views", "seed"}
    schemas = document["components"]["schemas"]
    stroke = schemas["Stroke"]["properties"]
    guidance = Guidance(strokes=(RED,), palette=Palette(("#7a4b2a",)), only=Region((((0, 0), (1, 0), (0, 1)),)))
    values = json.loads(guidance.to_json())
    assert set(values) <= set(schemas["Guidance"]["properties"])
    assert set(values["strokes"][0]) <= set(stroke)
    assert "pattern" in stroke["rgb"]["anyOf"][0]
    references = set(json.dumps(document).split('"#/components/schemas/')[1:])
    assert {one.partition('"')[0] for one in references} <= set(schemas)


def test_its_page_needs_nothing_from_elsewhere(ask):
    status, body, headers = ask("/")
    assert (status, "default-src 'none'" in headers["content-security-policy"]) == (200, True)
    for path in ("/", "/page/page.js", "/page/page.css"):
        status, body, _ = ask(path)
        assert status == 200
        assert b"http" not in body
        assert b'"//' not in body
