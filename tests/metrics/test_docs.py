"""The documents stay complete: every metric and every protocol has its section, and nothing else has one."""

import re
from pathlib import Path

import pytest

from chromagan.evaluation.protocols import list_protocols, protocol
from chromagan.metrics.network_files import PUBLISHED, _digits
from chromagan.metrics.registry import get_metric, list_metrics

ARROWS = {"higher": "↑", "lower": "↓", "truth": "→"}
DOCS = Path(__file__).parents[2] / "docs"


def sections(name, level):
    text = (DOCS / name).read_text(encoding="utf-8")
    parts = re.split(rf"^{level} `([^`]+)`\n", text, flags=re.MULTILINE)
    bodies = [re.split(r"^##? ", body, flags=re.MULTILINE)[0] for body in parts[2::2]]
    return dict(zip(parts[1::2], bodies, strict=True))


METRICS = sections("metrics.md", "###")
PROTOCOLS = sections("protocols.md", "##")


def test_every_metric_is_documented():
    assert set(METRICS) == {metric.name for metric in list_metrics()}


def test_the_overview_is_that_of_the_objects():
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    for metric in list_metrics():
        assert f"| `{metric.name}` | {ARROWS[metric.better]} | {metric.unit or '-'} | {metric.about} |" in text


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_its_direction_and_what_it_is(name):
    body = METRICS[name]
    assert body.lstrip()[0] == ARROWS[get_metric(name).better]
    assert len(body) > 40


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
