"""Guidance is checked where it is made, and its JSON form comes back as it was."""

import json
import math

import pytest

from chromagan.conditioning.guidance import Guidance, Palette, Reference, Region, Stroke
from chromagan.errors import UsageError

FULL = Guidance(
    strokes=(
        Stroke("colour", ((0.25, 0.5), (0.75, 0.5)), 0.03, (160, 60, 40), strength=0.5, order=2),
        Stroke("neutral", ((0.1, 0.1),), 0.01),
        Stroke("saturation", ((0.0, 1.0),), 0.2, strength=1.5),
    ),
    palette=Palette(((1, 2, 3), (255, 0, 128)), (0.75, 0.25)),
    references=(Reference("aunt.jpg", 0.5),),
    only=Region((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),)),
    keep=Region((((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4)),)),
)


@pytest.mark.parametrize("guidance", [FULL, Guidance(), Guidance(references=(Reference("a.jpg"),))])
def test_json_comes_back_as_it_was(guidance):
    text = guidance.to_json()
    assert Guidance.from_json(text) == guidance
    assert Guidance.from_json(text).to_json() == text
    assert "\n" not in text


def test_the_form_on_disk():
    stroke = {"kind": "colour", "points": [[0.5, 0.25]], "radius": 0.02, "rgb": "#A03c28"}
    guidance = Guidance.from_json(json.dumps({"version": 1, "strokes": [stroke]}))
    assert guidance.strokes == (Stroke("colour", ((0.5, 0.25),), 0.02, (160, 60, 40)),)
    written = {**stroke, "rgb": "#a03c28"}
    assert json.loads(guidance.to_json()) == {"version": 1, "strokes": [written]}


def stroke(**changed):
    plain = {"kind": "colour", "points": [[0.5, 0.5]], "radius": 0.02, "rgb": "#a03c28"}
    return {"version": 1, "strokes": [{k: v for k, v in {**plain, **changed}.items() if v != "absent"}]}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([], "object"), ({}, "version"), ({"version": "1"}, "version"), ({"version": True}, "version"),
        ({"version": 4}, "version 4; this program reads versions 1 to 3; a newer chromagan reads it"),
        ({"version": 1, "stroke": []}, "guidance has no stroke; it has strokes, "),
        ({"version": 1, "strokes": {}}, "strokes is a list"), ({"version": 1, "strokes": [3]}, "stroke is an object"),
        (stroke(colour="#ffffff"), "stroke has no colour; it has kind"),
        (stroke(radius="absent"), "stroke lacks radius"), (stroke(kind="green"), "kind 'green'; give colour, neutral"),
        (stroke(kind=["colour"]), "kind"), (stroke(points=[]), "at least 1 point"), (stroke(points="ab"), "point"),
        (stroke(points=[[0.5, 1.5]]), r"point \[0.5, 1.5\]"), (stroke(points=[[0.5]]), r"point \[0.5\]"),
        (stroke(points=[[True, 0]]), "point"), (stroke(points=[[math.nan, 0]]), "point"),
        (stroke(points=[[10**400, 0]]), "point"),
        (stroke(radius=0), "radius 0"), (stroke(radius=math.inf), "radius inf"), (stroke(radius="0.1"), "radius"),
        (stroke(rgb="absent"), "rgb None"), (stroke(rgb="red"), "rgb 'red'"), (stroke(rgb="#12345g"), "rgb"),
        (stroke(rgb=[1, 2, 256]), "rgb"), (stroke(rgb=[0.5, 0.5, 0.5]), "rgb"),
        (stroke(kind="neutral"), "neutral: it takes no rgb"),
        (stroke(strength=0), "strength 0"), (stroke(strength=1.1), "strength 1.1; above 0, at most 1"),
        (stroke(kind="saturation", rgb="absent", strength=4.5), "strength 4.5; 0 to 4"), (stroke(order=0.5), "order"),
        ({"version": 1, "palette": {"colours": []}}, "palette: give at least one colour"),
        ({"version": 1, "palette": {"colours": ["#ffffff"], "shares": [1, 2]}}, "as many shares"),
        ({"version": 1, "palette": {"colours": ["#ffffff"], "shares": [0]}}, "shares"),
        ({"version": 1, "palette": {"colours": ["#ffffff"], "shares": 1}}, "shares"),
        ({"version": 1, "palette": {"colours": ["#ffffff"] * 2, "shares": [1e308] * 2}}, "too large"),
        ({"version": 2, "photo": {"width": 10**400, "height": 1, "sha256": ""}}, "photo: size"),
        ({"version": 2, "photo": {"width": 1, "height": 10**400, "sha256": ""}}, "photo: size"),
        ({"version": 1, "palette": 3}, "palette"),
        ({"version": 1, "references": [{"file": ""}]}, "reference: file"),
        ({"version": 1, "references": [{"file": "a", "strength": 2}]}, "reference: strength 2"),
        ({"version": 1, "only": {"polygons": [[[0, 0], [1, 1]]]}}, "region: give at least 3 points"),
        ({"version": 1, "keep": {"polygons": []}}, "at least one polygon"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_wrong_is_named_in_one_line(values, named):
    with pytest.raises(UsageError, match=named) as caught:
        Guidance.from_json(json.dumps(values), "aunt.json")
    assert str(caught.value).startswith("aunt.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000, '{"version": 1' + "0" * 5000 + "}"])
def test_what_is_not_json_is_told(text):
    with pytest.raises(UsageError, match="aunt.json: "):
        Guidance.from_json(text, "aunt.json")
