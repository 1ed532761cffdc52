"""The documents stay complete: every metric and every protocol has its section, and nothing else has one."""

import re
from pathlib import Path

import pytest

from chromagan.evaluation import metric_names
from chromagan.evaluation.protocols import list_protocols, protocol
from chromagan.evaluation.set_metrics.registry import SET_METRICS
from chromagan.metrics.network_files import PUBLISHED, _digits

DOCS = Path(__file__).parents[2] / "docs"


def sections(name, level):
    text = (DOCS / name).read_text(encoding="utf-8")
    parts = re.split(rf"^{level} `([^`]+)`\n", text, flags=re.MULTILINE)
    bodies = [re.split(r"^##? ", body, flags=re.MULTILINE)[0] for body in parts[2::2]]
    return dict(zip(parts[1::2], bodies, strict=True))


METRICS = sections("metrics.md", "###")
PROTOCOLS = sections("protocols.md", "##")
OF_IMAGES = getattr(metric_names, "IMAGE_METRICS", None)


def test_every_metric_is_documented():
    known = {*metric_names.HELD_OUT_METRICS, *metric_names.HIGHER_IS_BETTER, *SET_METRICS, *(OF_IMAGES or ())}
    assert known - set(METRICS) == set()
    if OF_IMAGES is not None:
        assert set(METRICS) == known


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_its_direction_and_what_it_is(name):
    body = METRICS[name]
    assert body.lstrip()[0] in "↑↓→"
    assert len(body) > 40
    if name in metric_names.HIGHER_IS_BETTER:
        assert body.lstrip()[0] == ("↑" if metric_names.HIGHER_IS_BETTER[name] else "↓")


def test_every_network_file_is_in_the_table_with_its_digits():
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    for file in PUBLISHED.values():
        assert f"`{file.names[0]}`" in text
        assert f"| {_digits(file.names[0])} |" in text


def test_every_protocol_is_documented_with_its_choices():
    assert list(PROTOCOLS) == list_protocols()
    overview = (DOCS / "protocols.md").read_text(encoding="utf-8").partition("## `")[0]
    for name, body in PROTOCOLS.items():
        assert f"| `{name}` |" in overview
        for word in ("Images:", "Crop", "esampling", "eference"):
            assert word in body, (name, word)
        assert ("Open" in body or "open question" in body) == bool(protocol(name).open_questions)


def test_metrics_of_protocols_exist():
    for name in list_protocols():
        assert set(protocol(name).metrics) <= set(METRICS)
