"""Whatever is filled in is text; a name that is missing is an error; every template can be read."""

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import chromagan.reports
from chromagan.reports.charts import distribution
from chromagan.reports.render import render

TEMPLATES = Path(chromagan.reports.__file__).parent / "templates"


def study(title):
    return render("study.html", title=title, contact=title, consent=title, study={"title": title})


def test_all_that_is_filled_in_is_text():
    page = study("""</script><b>"x" & 'y'</b>""")
    assert "<b>" not in page
    assert page.count("</script>") == 2
    assert page.count("&lt;b&gt;&#34;x&#34; &amp; &#39;y&#39;") == 4  # title, heading, consent, contact


def test_a_template_is_no_template_for_what_it_is_given():
    assert "{{ study }} {% raw %}" in study("{{ study }} {% raw %}")


def test_a_missing_name_is_an_error():
    with pytest.raises(UndefinedError, match="contact"):
        render("study.html", title="x", consent="x", study={})


def test_drawings_inside_pages_are_not_escaped_twice():
    metric = {"label": "PSNR", "unit": "dB", "higher_is_better": True, "about": ""}
    card = distribution("PSNR", {"<A> & B": [1.0, 2.0]}, {}) | {"metric": metric}
    text = render("distribution.html", card=card)
    assert card["chart"] in text
    assert "&lt;A&gt; &amp; B</text>" in text


def test_pages_fetch_nothing():
    for template in TEMPLATES.iterdir():
        text = template.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|@import|: *url\(|<link rel=.stylesheet", text), template.name


def test_no_module_puts_markup_together_by_itself():
    tags = "a|circle|div|html|li|line|p|path|rect|section|span|svg|t[dhr]|table|text"
    markup = re.compile(rf"html\.escape|import html|</?({tags})[ >/]")
    assert markup.search('f"<td>{name}</td>"')
    package = Path(chromagan.reports.__file__).parents[1]
    assert not [file.name for file in package.rglob("*.py") if markup.search(file.read_text(encoding="utf-8"))]
