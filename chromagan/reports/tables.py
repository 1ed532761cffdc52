"""Tables as plain text and in Markdown, columns aligned so that they can be read as they are."""

from __future__ import annotations

from collections.abc import Sequence

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
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(header))]
    align = align or "l" + "r" * (len(header) - 1)
    rule = ["-" * width if side == "l" else "-" * (width - 1) + ":" for side, width in zip(align, widths, strict=True)]
    ways = [str.ljust if side == "l" else str.rjust for side in align]
    lines = []
    for row in (cells[0], rule, *cells[1:]):
        padded = (way(cell, width) for way, cell, width in zip(ways, row, widths, strict=True))
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain-text table, columns aligned right but for the first."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        first, *others = (f"{cell:{'<' if i == 0 else '>'}{widths[i]}}" for i, cell in enumerate(row))
        lines.append("  ".join((first, *others)).rstrip())
    return "\n".join(lines)
