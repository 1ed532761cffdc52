"""What every report needs."""

import json
import math

import pytest

from chromagan.errors import WriteError
from chromagan.evaluation.report import list_digest, strict_json, write_texts


def test_list_digest_depends_on_the_names_alone():
    names = ["b.png", "a.png"]
    assert list_digest(names) == list_digest(names[::-1]) != list_digest(names[:1])


def test_what_is_not_finite_is_null():
    content = {"a": math.nan, "b": [1, 2.5, math.inf, True], "c": ({"d": -math.inf, "e": "nan"},)}
    text = json.dumps(strict_json(content), allow_nan=False)
    assert json.loads(text) == {"a": None, "b": [1, 2.5, None, True], "c": [{"d": None, "e": "nan"}]}


def test_texts_are_written_or_one_error_says_why(tmp_path):
    (first, second) = write_texts(tmp_path / "new" / "folder", {"a.md": "ä", "b.csv": "1,2\n"}, "--out")
    assert first.read_text(encoding="utf-8") == "ä"
    assert second.read_bytes() == b"1,2\n"
    with pytest.raises(WriteError, match="cannot be made .* choose another --out"):
        write_texts(first / "below", {"a": ""}, "--out")
