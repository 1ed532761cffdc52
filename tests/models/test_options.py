"""Options of a network as text."""

from collections.abc import Sequence
from typing import Literal

import pytest

from chromagan.errors import UsageError
from chromagan.models.chromagan import ChromaGAN
from chromagan.models.options import parse_options, parse_value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "3", 3), (float, "1e-3", 1e-3), (str, "3", "3"), (bool, "Yes", True), (bool, "0", False),
        (list[str], "a+b", ["a", "b"]), (Sequence[float], "1+2.5", [1.0, 2.5]), (list[str], "", []),
        (int | None, "none", None), (int | None, "4", 4), (str | None, "4", "4"), (str | Sequence[str], "a", ["a"]),
        (int | float, "0.5", 0.5), (Literal["sum", "mean"], "mean", "mean"),
    ],
)  # fmt: skip
def test_values_are_read_by_their_type(kind, text, value):
    found = parse_value(kind, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [(int, "3.5"), (int, ""), (bool, "perhaps"), (int | None, "x"), (Literal["sum"], "mean"), (list[int], "1+x")],
)
def test_other_types_are_refused(kind, text):
    with pytest.raises(ValueError):
        parse_value(kind, text)


def test_the_types_are_those_that_the_class_declares():
    words = ["width=32", "bins=no", "backbone=vgg16+resnet18"]
    assert parse_options(words, ChromaGAN, "--x") == {"width": 32, "bins": False, "backbone": ["vgg16", "resnet18"]}

    def untyped(number=3, name=None, **more):
        """As a quick script has it."""

    assert parse_options(["number=4", "name=5"], untyped, "--x") == {"number": 4, "name": "5"}
    with pytest.raises(UsageError, match="--x depth=3: write NAME=VALUE, the names being backbone, classes"):
        parse_options(["depth=3"], ChromaGAN, "--x")
