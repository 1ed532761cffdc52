"""Templates filled with plain rows: what is filled into a page is escaped, and a name that is missing is an error."""

from __future__ import annotations

import functools
import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from chromagan.reports.figures import Axis, nice_ticks, number, p_text, plural, shorten
from chromagan.reports.tables import latex_text


def render(template: str, **content: Any) -> str:
    """A page or drawing, which another template may hold without escaping it again; or plain text as it is.

    Args:
        template: a file of `chromagan/reports/templates`.
        content: what it names: text, numbers, rows of those, and drawings made by this function.
    """
    text = _environment().get_template(template).render(content)
    return Markup(text) if _is_page(template) else text


def _is_page(template: str | None) -> bool:
    return not str(template).endswith((".md", ".tex", ".txt"))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("chromagan.reports"), autoescape=_is_page, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters |= {"number": number, "p_text": p_text, "plural": plural, "shorten": shorten}
    environment.filters |= {"latex": latex_text, "general": "{:g}".format}
    environment.tests["finite"] = math.isfinite
    environment.globals |= {"axis": Axis, "nice_ticks": nice_ticks}
    return environment
