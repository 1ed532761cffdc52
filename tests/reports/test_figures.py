"""Numbers as a reader is shown them."""

import math

from chromagan.reports.figures import decimals_for, number, p_text, plural, shorten


def test_numbers():
    assert decimals_for([23.4, 0.1]) == 2
    assert decimals_for([0.9123]) == 4
    assert decimals_for([12345.0]) == 0
    assert decimals_for([math.nan, math.inf, 0.0]) == 2
    assert number(-1.239, 2) == "−1.24"
    assert number(-0.001, 2) == number(-0.001, 2, signed=True) == "0.00"
    assert number(1234.5, 1) == "1,234.5"
    assert number(0.5, 1, signed=True) == "+0.5"
    assert "–" in number(math.nan, 2)
    assert (p_text(0.0004), p_text(0.0312), p_text(1.0)) == ("< 0.001", "0.031", "1.000")


def test_words():
    assert (shorten("abc", 3), shorten("abcd", 3)) == ("abc", "ab…")
    assert (plural(1, "image"), plural(1200, "image")) == ("1 image", "1,200 images")
