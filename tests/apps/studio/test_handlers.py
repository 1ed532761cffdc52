"""What the page asks for, as functions: colours at strokes, files like those of `sample`, work that comes back."""

import json

import cv2
import numpy as np
import pytest

from chromagan.apps.studio import handlers
from chromagan.apps.studio.batch import Batch
from chromagan.apps.studio.work import request_of, work_of
from chromagan.conditioning.guidance import Guidance, Reference, Region
from chromagan.errors import UsageError, WriteError
from chromagan.images.metadata import read_provenance
from chromagan.inference.request import Request
from tests.apps.studio.conftest import gray_photo, make_colorizer

RED = {"kind": "colour", "points": [[0.25, 0.5]], "radius": 0.08, "rgb": "#c03028"}


def decoded(data):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2LAB).astype(float)


@pytest.fixture
def seated(make_studio, photos):
    """A studio, a desk, and the key of its first photo, which has an edge in its middle."""
    edged = cv2.imread(str(photos / "0.png")) // 4
    edged[:, 64:] += 150
    cv2.imwrite(str(photos / "0.png"), edged)
    studio = make_studio(photos)
    desk = studio.enter()
    return studio, desk, next(iter(desk.pictures))


def test_a_stroke_colours_its_place_and_no_other(seated):
    studio, desk, key = seated
    assert handlers.open_photo(studio, desk, {"photo": key})["width"] == 128
    plain = decoded(handlers.paint(studio, desk, {"photo": key, "work": {}}))
    work = {"guidance": {"strokes": [RED]}}
    red = decoded(handlers.paint(studio, desk, {"photo": key, "work": work}))
    moved = np.abs(red - plain)[..., 1:].max(-1)
    assert moved[48, 32] > 20
    assert moved[:, 72:].max() <= 5
    assert np.abs(red - plain)[..., 0].mean() < 1  # JPEG's; lightness is the photo's own
    again = decoded(handlers.paint(studio, desk, {"photo": key, "work": {}}))
    assert np.array_equal(again, plain)


def test_what_is_saved_is_what_the_program_writes_and_comes_back(seated, photos, tmp_path):
    studio, desk, key = seated
    work = {"guidance": {"strokes": [RED]}, "saturation": 1.3, "warmth": 0.2}
    done = handlers.save(studio, desk, {"photo": key, "work": work})
    guidance = Guidance.from_json((tmp_path / "out" / "0.hints.json").read_text())
    request = Request(guidance=guidance, saturation=1.3, warmth=0.2)
    (expected,) = make_colorizer().colorize([photos / "0.png"], request)[0]
    expected.save(tmp_path / "expected.png")
    assert (tmp_path / "out" / done["file"]).read_bytes() == (tmp_path / "expected.png").read_bytes()
    assert read_provenance(done["path"]).request == request.digest
    other = studio.enter()
    saved = handlers.open_photo(studio, other, {"photo": key})["saved"]
    (stroke,) = saved["guidance"]["strokes"]
    assert {**stroke, **RED} == stroke
    assert (saved["saturation"], saved["warmth"]) == (1.3, 0.2)
    assert "seed" not in saved
    # Of another photo of that name, they are left alone.
    gray_photo(photos / "0.png", 9)
    opened = handlers.open_photo(studio, studio.enter(), {"photo": key})
    assert "saved" not in opened
    assert "another photo" in opened["note"]


def test_a_variation_that_was_picked_is_saved(seated, tmp_path):
    studio, desk, key = seated
    shown = handlers.variations(studio, desk, {"photo": key, "work": {"seed": 5}, "count": 3})["variations"]
    assert [one["seed"] for one in shown] == [5, 6, 7]
    assert len({one["picture"] for one in shown}) == 3
    work = {"variations": 1, "seed": 6}
    done = handlers.save(studio, desk, {"photo": key, "work": work})
    mark = read_provenance(done["path"])
    assert (mark.seed, mark.request) == (6, Request(variations=1, seed=6).digest)
    saved = handlers.open_photo(studio, studio.enter(), {"photo": key})["saved"]
    assert saved["seed"] == 6
    with pytest.raises(UsageError):
        handlers.variations(studio, desk, {"photo": key, "work": {}, "count": 1000})


def test_hints_of_a_file_are_checked(seated):
    studio, desk, _ = seated
    text = json.dumps({"version": 1, "strokes": [RED]})
    assert handlers.open_hints(studio, desk, {"text": text})["work"] == {"guidance": {"strokes": [RED]}}
    for wrong in ("{", "[]", json.dumps({"version": 1, "strokes": [{**RED, "radius": 7}]}), None,
                  '{"version": 9}', '{"version": 3, "settings": {"warmth": 2}}'):  # fmt: skip
        with pytest.raises(UsageError):
            handlers.open_hints(studio, desk, {"text": wrong, "name": "mine.json"})


def test_a_region_limits_the_picture_and_comes_back(seated):
    studio, desk, key = seated
    left = {"polygons": [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]}
    opened = handlers.open_photo(studio, desk, {"photo": key})
    assert opened["coloured"] is False
    work = {"guidance": {"only": left}}
    plain, made = (decoded(handlers.paint(studio, desk, {"photo": key, "work": one})) for one in ({}, work))
    assert np.abs(made[:, 72:, 1:] - 128).max() <= 2  # gray as it came
    assert np.abs(made[:, :56] - plain[:, :56]).max() <= 4
    assert np.abs(plain[..., 1:] - 128).mean() > 4
    handlers.save_hints(studio, desk, {"photo": key, "work": work})
    assert handlers.open_photo(studio, studio.enter(), {"photo": key})["saved"]["guidance"] == {"only": left}


def test_suggestions_are_colours_of_the_place(seated):
    studio, desk, key = seated
    found = handlers.suggest(studio, desk, {"photo": key, "x": 0.5, "y": 0.5})
    assert len(set(found["colours"])) > 1
    assert all(len(colour) == 7 for colour in found["colours"])
    for wrong in ({"x": 2, "y": 0}, {"x": "a", "y": 0}, {"x": True, "y": 0}, {"y": 0}):
        with pytest.raises(UsageError):
            handlers.suggest(studio, desk, {"photo": key, **wrong})


@pytest.mark.parametrize("work", [
    [], {"size": 64}, {"saturation": -1}, {"saturation": "much"}, {"variations": 50}, {"guidance": {"strokes": [{}]}},
    {"guidance": []}, {"guidance": {"references": [{"file": "/etc/hostname"}]}},
    {"guidance": {"layer": {"file": "/etc/hostname"}}},
    {"guidance": {"only": {"file": "/etc/hostname"}}}, {"guidance": {"keep": {"file": "x.png"}}},
])  # fmt: skip
def test_work_that_is_none_is_refused_in_one_line(seated, work):
    studio, desk, key = seated
    with pytest.raises(Exception, match=r"^[^\n]+$") as told:
        handlers.paint(studio, desk, {"photo": key, "work": work})
    assert type(told.value).__module__.startswith("chromagan.")
    assert "hostname" not in str(told.value)


def test_a_reference_is_a_photo_of_the_desk(seated, photos):
    studio, desk, _ = seated
    keys = list(desk.pictures)
    request = request_of(desk, {"guidance": {"references": [{"file": keys[1], "strength": 0.5}]}})
    assert [one.file for one in request.guidance.references] == [str(photos / "1.png")]
    saved = Guidance(references=request.guidance.references)
    (back,) = work_of(desk, saved)["guidance"]["references"]
    assert (back["file"], back["strength"]) == (keys[1], 0.5)
    others = Guidance(references=[Reference("/home/else/b.png")], only=Region(file="/home/else/mask.png"))
    work = work_of(desk, others)
    assert len(work["missing"]) == 2
    assert "/home" not in json.dumps(work)


def test_a_palette_of_a_picture_moves_the_colours(make_studio, photos, tmp_path):
    brown = np.full((40, 60, 3), (30, 70, 140), np.uint8)  # BGR
    brown[:, 30:] = (60, 110, 200)
    cv2.imwrite(str(tmp_path / "brown.png"), brown)
    studio = make_studio(photos, tmp_path / "brown.png")
    desk = studio.enter()
    keys = {one.name: key for key, one in desk.pictures.items()}
    found = handlers.palette(studio, desk, {"photo": keys["brown.png"]})
    assert 1 <= len(found["colours"]) <= 8
    assert sum(found["shares"]) == pytest.approx(1, abs=0.02)
    plain, moved = (
        decoded(handlers.paint(studio, desk, {"photo": keys["1.png"], "work": work}))
        for work in ({}, {"guidance": {"palette": {**found, "strength": 1.0}}})
    )
    assert np.abs(moved - plain)[..., 1:].mean() > 2


def test_a_file_of_others_is_not_written_over(seated, tmp_path):
    studio, desk, key = seated
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0.png").write_bytes(b"mine")
    with pytest.raises(WriteError, match=r"0\.png"):
        handlers.save(studio, desk, {"photo": key, "work": {}})
    assert (tmp_path / "out" / "0.png").read_bytes() == b"mine"


def test_a_batch_colours_what_is_left_with_its_hints(seated, tmp_path):
    studio, desk, key = seated
    handlers.save(studio, desk, {"photo": key, "work": {}})
    second = list(desk.pictures)[1]
    handlers.save_hints(studio, desk, {"photo": second, "work": {"guidance": {"strokes": [RED]}}})
    state = handlers.start_batch(studio, desk, {"work": {"saturation": 1.0}})
    assert (state["total"], state["skipped"]) == (2, 1)
    desk.batch.wait()
    state = handlers.batch_state(studio, desk, {})
    assert (state["done"], state["failed"], state["running"]) == (2, 0, False)
    wished = Request(guidance=Guidance.from_json((tmp_path / "out" / "1.hints.json").read_text()))
    assert read_provenance(tmp_path / "out" / "1.png").request == wished.digest
    assert read_provenance(tmp_path / "out" / "2.png").request == Request().digest


def test_a_batch_stops(seated):
    studio, desk, _ = seated
    batch = Batch([one.job for one in desk.pictures.values()])
    begun = []

    def make():
        begun.append(1)
        batch.stop()
        return make_colorizer()

    batch.stop()
    batch.begin(make, studio.files).wait()
    state = batch.state()
    assert state["stopped"]
    assert state["done"] == 0
    assert not state["running"]


def test_a_picture_is_shown_small(seated):
    pixels = np.full((10, 20, 3), (200, 30, 30), np.uint8)
    lab = decoded(handlers.jpeg(pixels))
    assert lab[..., 1].mean() > 170
    assert decoded(handlers.jpeg(pixels[..., 0])).shape == (10, 20, 3)
