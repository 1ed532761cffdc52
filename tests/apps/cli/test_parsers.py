"""The parsers of all commands: options of several values, and numbers as people write them."""

import argparse

import pytest

from chromagan.apps.cli.benchmark.models import PRECISIONS, SIZES
from chromagan.apps.cli.main import COMMANDS, build_parser, main
from chromagan.benchmark.models import Settings

VALUES = {int: ["1", "2", "3"], float: ["0.5", "1.5", "2.5"]}


def parsers(parser, words):
    """A parser with the words that lead to it, and those of its subcommands."""
    yield words, parser
    for name, below in subparsers(parser).items():
        yield from parsers(below, f"{words} {name}")


def subparsers(parser):
    found = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return found[0] if found else {}


def takes_several(action):
    adds = isinstance(action, argparse._AppendAction | argparse._ExtendAction)
    return adds or action.nargs in ("+", "*") or bool(action.nargs) or isinstance(action.default, list | tuple)


OPTIONS = {
    f"{words} {action.option_strings[0]}": (parser, action)
    for command in COMMANDS
    for words, parser in parsers(subparsers(build_parser([command]))[command], command)
    for action in parser._actions
    if action.option_strings and takes_several(action)
}
"""Options of several values, of all commands, by the words that lead to them."""


def given(parser, words):
    """What an option becomes: whatever else the command needs is not asked for."""
    for action in parser._actions:
        action.required = False
    return parser.parse_args(words)


def test_the_walk_finds_them():
    assert {"sample --exclude", "sample --hints", "train --data", "train --allow-changes", "evaluate --metrics",
            "evaluate --saturation", "fairness --pred", "study --results", "benchmark models --sizes",
            "benchmark models --precision", "benchmark networks --set", "benchmark zoo --set",
            "benchmark train --data"} <= set(OPTIONS)  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_given_twice_is_added_to_what_was_given_and_to_no_default(name):
    parser, action = OPTIONS[name]
    flag, words = action.option_strings[0], action.choices or VALUES.get(action.type, ["a", "b", "c"])
    first, second, third = words[:3]
    kind = action.type or str
    assert getattr(given(parser, [flag, first]), action.dest) == [kind(first)]
    if action.nargs is None:
        found = given(parser, [flag, first, flag, second, flag, third])
    else:
        found = given(parser, [flag, first, second, flag, third])
    assert getattr(found, action.dest) == [kind(first), kind(second), kind(third)]
    assert not getattr(given(parser, []), action.dest)  # nothing of one call is left to the next


def test_the_speed_of_networks_has_one_set_of_defaults():
    assert (Settings().sizes, Settings().precisions) == (SIZES, PRECISIONS)


@pytest.mark.parametrize("word", ["-1e-4", "-1E+2", "-.5e-3", "-2.e1", "-1e-300", "-1e300", "-0.25", "-3"])
def test_negative_numbers_are_no_options_however_they_are_written(word):
    parser = build_parser(["train"])
    words = ["train", "--data", "x", "--out", "y", "--adversarial-weight", word]
    assert parser.parse_args(words).adversarial_weight == float(word)
    assert build_parser(["evaluate"]).parse_args(["evaluate", "--saturation", "1", word]).saturation == [1, float(word)]


def test_what_only_looks_like_a_number_stays_a_word(capsys):
    parser = build_parser(["sample"])
    assert parser.parse_args(["sample", "--", "-1e-4"]).inputs == ["-1e-4"]  # a photo of that name
    for word in ("-1e-4x", "-1e999"):
        with pytest.raises(SystemExit):
            parser.parse_args(["sample", "x.jpg", "--saturation", word])
        assert "joined on" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ["train", "--data", "x", "--out", "y", "--adversarial-weight", "-1e-4"],
    ["sample", "x.jpg", "--saturation", "-1e-1"], ["evaluate", "--data", "x", "--saturation", "-1e-1"],
])  # fmt: skip
def test_a_negative_number_out_of_range_is_told_in_one_line(words, capsys):
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words[-2].strip("-") in line
