"""Tables as CSV, in which no name is a formula to a spreadsheet program."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# OWASP, "CSV Injection": what a cell may not begin with. An apostrophe before it makes text of it; names that begin
# like such text get another one, so that each can be read back. The last four are the wide forms of the first four.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def defused(name: str) -> str:
    """A name as the text of a cell."""
    return f"'{name}" if _FORMULA.match(name) else name


def restored(cell: str) -> str:
    """The name in a cell that `defused` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A header and rows; numbers are written in full, names so that no spreadsheet program computes them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([defused(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()
