"""What errors say, those of strangers too."""

import pytest

from chromagan.errors import describe, loading_failure, words_of


class Speechless(RuntimeError):
    def __str__(self):
        raise TypeError("no words")


@pytest.mark.parametrize(("error", "said", "described"), [
    (ValueError("two\n  lines"), "two lines", "unexpected ValueError: two lines"),
    (ValueError(), "", "unexpected ValueError"), (Speechless(), "", "unexpected Speechless"),
])  # fmt: skip
def test_an_error_is_told_in_one_line_whatever_it_says(error, said, described):
    assert words_of(error) == said
    assert describe(error) == described


@pytest.mark.parametrize(("error", "told"), [
    (ImportError("x.so: failed to map segment from shared object"), "too little memory"),
    (MemoryError(), "too little memory (MemoryError)"), (ImportError("no y"), "a library cannot be loaded (no y)"),
])  # fmt: skip
def test_what_cannot_be_loaded_has_a_remedy(error, told):
    assert told in loading_failure(error)
