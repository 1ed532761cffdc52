"""Templates filled with plain rows: all that is filled in is escaped, and a name that is missing is an error."""

from __future__ import annotations

import functools
import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from chromagan.reports.axis import Axis, nice_ticks
from chromagan.reports.figures import decimals_for, number, p_text, plural, shorten


def render(template: str, **content: Any) -> Markup:
    """A page or drawing, which another template may hold without escaping it again.

    Args:
        template: a file of `chromagan/reports/templates`.
        content: what it names: text, numbers, rows of those, and drawings made by this function.
    """
    return Markup(_environment().get_template(template).render(content))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("chromagan.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters |= {"number": number, "p_text": p_text, "plural": plural, "shorten": shorten}
    environment.filters |= {"general": "{:g}".format, "decimals": decimals_for}
    environment.tests["finite"] = math.isfinite
    environment.globals |= {"axis": Axis, "nice_ticks": nice_ticks}
    return environment
