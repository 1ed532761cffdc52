"""Figures that papers and threads have published, each under its protocol, beside one's own.

They ship as data in `published.csv`. Its column `checked` says how far a figure was followed: `primary` was read at its
source, `second-hand` in somebody else's table or collection, `thread` in a discussion, `unverified` not at all.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files

from chromagan.errors import DataError
from chromagan.evaluation.protocols import list_protocols
from chromagan.evaluation.protocols import protocol as protocol_of
from chromagan.reports.tables import markdown_table

UNSTATED = "unstated"
_NUMBERS = ("fid", "colourfulness", "delta_colourfulness", "psnr", "ssim", "lpips")
_HEADER = ("method", "FID ↓", "colourfulness", "Δ colourfulness ↓", "PSNR ↑", "SSIM ↑", "LPIPS ↓", "source", "checked")
# Own figures: metric and the word behind it, by column.
_OWN: tuple[tuple[tuple[str, str], ...], ...] = (
    tuple((f"fid_{net}{kind}", f"{net}{kind.replace('_', ', ')}")
          for net in ("tf", "torchvision") for kind in ("", "_disjoint", "_matched")),
    (("colourfulness_absolute", "absolute"), ("colourfulness", "signed")),
    (("delta_colourfulness_absolute", "absolute"), ("delta_colourfulness", "signed"),
     ("delta_colourfulness_per_image", "per image")),
    (("psnr", ""),),
    (("ssim", ""),),
    (("lpips_alex", "alex"), ("lpips_vgg", "vgg"), ("lpips_squeeze", "squeeze")),
)  # fmt: skip


@dataclass(frozen=True)
class PublishedRow:
    """What one source says of one method; a figure is None where it says nothing."""

    method: str  # as its table calls it
    protocol: str  # name of ours that it was measured under, as far as its source says; or "unstated"
    setting: str  # what the source says of images, crop and size
    fid: float | None  # the figures
    fid_weights: str  # whose Inception network
    colourfulness: float | None
    colourfulness_variant: str  # "absolute" or "signed" opponents, or "unstated"
    delta_colourfulness: float | None
    psnr: float | None
    ssim: float | None
    lpips: float | None
    source: str  # paper and table, or thread
    checked: str  # how far the figure was followed


def published_rows() -> list[PublishedRow]:
    """All published figures that ship, in the order of the file.

    Raises:
        DataError: the file of this installation is damaged.
    """
    text = files("chromagan.evaluation").joinpath("published.csv").read_text(encoding="utf-8")
    return read_rows(text.splitlines())


def read_rows(lines: Iterable[str]) -> list[PublishedRow]:
    """Rows of a table in the columns of `PublishedRow`, which its first line names.

    Raises:
        DataError: other columns, a figure that is no number, a protocol that does not exist, no source, or no word on
            whether it was checked.
    """
    reader = csv.DictReader(lines)
    columns = [column.name for column in fields(PublishedRow)]
    if set(reader.fieldnames or ()) != set(columns):
        raise DataError(f"published figures: the columns are {', '.join(columns)}; mend the table")
    rows = []
    for number, cells in enumerate(reader, 2):
        where = f"published figures, line {number}"
        if None in cells or None in cells.values():
            raise DataError(f"{where}: not as many cells as columns; mend the line")
        try:
            found = {name: _number(cells[name]) for name in _NUMBERS}
        except ValueError as error:
            raise DataError(f"{where}: {error}; mend the line") from error
        if cells["protocol"] not in (*list_protocols(), UNSTATED):
            raise DataError(f"{where}: there is no protocol {cells['protocol']!r}; write {UNSTATED} where none fits")
        if not (cells["method"] and cells["source"] and cells["checked"]):
            raise DataError(f"{where}: method, source and checked must not be empty; mend the line")
        rows.append(PublishedRow(**{**cells, **found}))  # type: ignore[arg-type]
    return rows


def _number(text: str) -> float | None:
    if not text:
        return None
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a figure")
    return number


def published_table(protocol: str, own: Sequence[tuple[str, Mapping[str, float]]] = ()) -> str:
    """Markdown: published figures of a protocol with one's own first, and those of other protocols apart from them.

    Rows of another protocol stand under its own heading, never in one table with one's own: a figure means nothing
    beside one that was measured otherwise. Own figures of several variants (FID with two networks) are all shown, each
    with its variant's name.

    Args:
        protocol: name, or name and version, under which one's own figures were measured.
        own: methods and their figures by this package's names of metrics; those without a column are left out.

    Raises:
        UsageError: there is no such protocol.
    """
    name = protocol_of(protocol).name
    by_protocol: dict[str, list[PublishedRow]] = {}
    for row in published_rows():
        by_protocol.setdefault(row.protocol, []).append(row)
    parts = [f"### {protocol_of(protocol).label}", ""]
    same = by_protocol.pop(name, [])
    if same or own:
        parts += _table([*(_own_cells(method, figures) for method, figures in own), *map(_cells, same)])
    if not same:
        parts += ["", f"Nothing is published under the protocol {name}."]
    order = [*list_protocols(), UNSTATED]
    for other in sorted(by_protocol, key=order.index):
        heading = "an unstated protocol" if other == UNSTATED else f"another protocol, {protocol_of(other).label}"
        parts += ["", f"### Not comparable: {heading}", "", *_table(map(_cells, by_protocol[other]), marked=True)]
    parts += [
        "",
        "Published figures are as their sources print them; `checked` says how far each was followed. FID depends on "
        "resizing, file format and the Inception weights, so equal protocols still differ by source.",
    ]
    return "\n".join(parts) + "\n"


def _table(rows: Iterable[Sequence[str]], marked: bool = False) -> list[str]:
    cells = [(first + (" †" if marked else ""), *others) for first, *others in rows]
    return markdown_table(_HEADER, cells, "l" + "r" * 6 + "ll").splitlines()


def _cells(row: PublishedRow) -> list[str]:
    def shown(value: float | None, variant: str = "", form: Callable[[float], str] = "{:.2f}".format) -> str:
        return "" if value is None else form(value) + (f" ({variant})" if variant else "")

    return [
        row.method + (f"; {row.setting}" if row.setting else ""),
        shown(row.fid, row.fid_weights),
        shown(row.colourfulness, row.colourfulness_variant),
        shown(row.delta_colourfulness),
        shown(row.psnr),
        shown(row.ssim, form="{:.3f}".format),
        shown(row.lpips, form="{:.3f}".format),
        row.source,
        row.checked,
    ]


def _own_cells(method: str, figures: Mapping[str, float]) -> list[str]:
    cells = []
    for place, column in enumerate(_OWN):
        form = "{:.3f}" if place >= 4 else "{:.2f}"
        found = [(form.format(figures[metric]), variant) for metric, variant in column if _is_figure(figures, metric)]
        cells.append("; ".join(value + (f" ({variant})" if variant else "") for value, variant in found))
    return [f"**{method}**", *cells, "this run", "measured here"]


def _is_figure(figures: Mapping[str, float], metric: str) -> bool:
    return metric in figures and math.isfinite(figures[metric])
