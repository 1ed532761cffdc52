"""Tables that can be read as they are, and whose cells are text."""

from chromagan.reports.tables import escaped, format_table, markdown_table


def test_table_is_aligned():
    lines = format_table(("a", "bb"), [("long", "1"), ("x", "200")]).splitlines()
    assert lines == ["a      bb", "long    1", "x     200"]


def test_a_bar_does_not_break_a_table():
    assert markdown_table(("a", "b"), [("x|y", "1")]) == "| a    |   b |\n| ---- | --: |\n| x\\|y |   1 |"


def test_markup_of_a_name_is_text():
    assert escaped("<script>*a*_[b]`c`\\") == "\\<script\\>\\*a\\*\\_\\[b\\]\\`c\\`\\\\"
    assert "\n" not in markdown_table(("a",), [("x\ny",)]).splitlines()[2]
