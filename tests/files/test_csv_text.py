"""No name in a written table is a formula, and each is read back as it was."""

import csv

import pytest

from chromagan.files.csv_text import csv_text, defused, restored

WIDE = [f"{sign}1" for sign in "\uff1d\uff0b\uff0d\uff20"]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x","y")', "-", *WIDE]
APART = ["'=1", "''@x", "'", "''", "'a", "a=1", "", " =1", "photo.png", "ä", "1-2"]


@pytest.mark.parametrize("name", [*FORMULAS, *APART])
def test_names_come_back_and_none_is_computed(name):
    text = defused(name)
    assert restored(text) == name
    assert not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20"))
    assert text == name or name.lstrip("'") in FORMULAS or name in ("'=1", "''@x")


def test_different_names_stay_different():
    names = [*FORMULAS, *APART, *(f"'{name}" for name in FORMULAS)]
    assert len({defused(name) for name in names}) == len(set(names))


def test_a_table_keeps_numbers_as_numbers_and_lines_as_lines():
    text = csv_text(("=name", "value"), [("=1,2", -1.5), ('a "b"', 0.1 + 0.2), ("x\ny", None), ("-3", float("inf"))])
    rows = list(csv.reader(text.splitlines(keepends=True)))
    assert rows == [
        ["=name", "value"], ["'=1,2", "-1.5"], ['a "b"', "0.30000000000000004"], ["x\ny", ""], ["'-3", "inf"],
    ]  # fmt: skip
    assert "\r" not in text
