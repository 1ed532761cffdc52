"""Tables as plain text and in Markdown, columns aligned so that they can be read as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, for a cell of `markdown_table` (which escapes vertical bars itself)."""
    return "".join(f"\\{c}" if c in "\\*_`<>[]" else c for c in text)


def latex_text(text: str) -> str:
    """Text that LaTeX shows as it is."""
    return "".join(_LATEX.get(character, character) for character in text)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> str:
    """A Markdown table.

    Args:
        header: names of the columns.
        rows: cells; a vertical bar inside one is escaped, and a line break becomes a space.
        align: "l" or "r" for each column; the first left and the others right unless given.
    """
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (header, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    align = align or "l" + "r" * (len(header) - 1)
    rule = ["-" * width if side == "l" else "-" * (width - 1) + ":" for side, width in zip(align, widths, strict=True)]
    lines = (" | ".join(_padded(row, widths, align)) for row in (cells[0], rule, *cells[1:]))
    return "\n".join(f"| {line} |" for line in lines)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain-text table, columns aligned right but for the first."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ("  ".join(_padded(row, widths, "l" + "r" * (len(widths) - 1))) for row in (header, *rows))
    return "\n".join(line.rstrip() for line in lines)


def _padded(row: Sequence[str], widths: Sequence[int], align: str) -> Iterator[str]:
    for cell, width, side in zip(row, widths, align, strict=True):
        yield cell.ljust(width) if side == "l" else cell.rjust(width)
