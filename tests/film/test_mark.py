"""The mark in a film's comment."""

from dataclasses import replace

from chromagan.film.mark import find_mark, joined, read_provenance
from chromagan.images.xmp import SOURCE_TYPE
from tests.film.coloured import MARK
from tests.film.reels import make


def test_a_mark_is_read_back_from_the_comment_that_stands_before_it():
    text = joined("scanned in 1999; a reel of 9.5 mm", MARK)
    assert text.startswith("scanned in 1999; a reel of 9.5 mm | Coloured by chromagan 0.2.0; ")
    assert SOURCE_TYPE in text
    assert find_mark(text) == MARK


def test_a_film_that_is_coloured_again_has_the_new_mark_alone():
    text = joined(joined("mine", MARK), replace(MARK, seed=9))
    assert text.count("Coloured by") == 1
    assert text.startswith("mine | ")
    assert find_mark(text) == replace(MARK, seed=9)
    assert joined(joined(None, MARK), MARK) == joined("", MARK)


def test_a_film_without_a_mark_has_none(tmp_path):
    make(tmp_path / "film.mkv", metadata={"comment": "Coloured by hand"})
    assert read_provenance(tmp_path / "film.mkv") is None
