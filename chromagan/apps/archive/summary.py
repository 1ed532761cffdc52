"""How an archive went: counts of each case, and a table of failures."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from chromagan.apps.archive.order import OWN
from chromagan.apps.archive.status import DONE, FAILED, IN_COLOUR, LEFT_GRAY, MARKED, Status
from chromagan.files.csv_text import csv_text
from chromagan.files.stores import Place
from chromagan.reports.figures import plural

FAILURES = f"{OWN}/failures"
_WORDS = (
    (IN_COLOUR, "in colour already and left alone"),
    (MARKED, "of earlier runs of this program passed over"),
    (LEFT_GRAY, "that the network left gray, not written"),
    (FAILED, "failed"),
)
_REASONS, _MOST_REASONS = 10, 10_000
_WIDEST = 40  # characters of a column; a longer name pushes its own line alone


@dataclass
class Summary:
    """Counts of an archive.

    Attributes:
        counts: photos of each status, whenever that was.
        before: those of them that an earlier run had dealt with.
        others: of these, what other options or weights made.
        read: bytes of inputs, of this run.
        written: bytes of outputs, of this run.
        pixels: painted by this run.
        reasons: why photos failed, without their names, with the first of each.
    """

    counts: Counter[str] = field(default_factory=Counter)
    before: int = 0
    others: int = 0
    read: int = 0
    written: int = 0
    pixels: int = 0
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Photos that failed."""
        return self.counts[FAILED]

    def add(self, rows: Iterable[Status]) -> None:
        """Count the status of photos."""
        for row in rows:
            self.counts[row.status] += 1
            if row.before:
                self.before += 1
                self.others += row.other
                continue
            self.read, self.written = self.read + row.read, self.written + row.written
            self.pixels += row.pixels * (row.status == DONE)
            if row.status == FAILED:
                self._failed(row)

    def _failed(self, row: Status) -> None:
        # It begins with the photo, or with its output in the folder of these; a URI ends with the id, as a rule.
        reason = re.sub(rf"^(.*?/)?{re.escape(row.id)}(\.\w+)*: ", "", row.error.replace(f"{row.uri}: ", ""))
        reason = reason.replace(f"{row.id}: ", "").replace(row.uri, "").strip(" :")
        if reason not in self.reasons and len(self.reasons) >= _MOST_REASONS:
            reason = "other reasons"
        count, first = self.reasons.get(reason, (0, row.id))
        self.reasons[reason] = count + 1, first

    def text(self, place: str) -> str:
        """One line for the end of a run."""
        parts = [f"{self.counts[DONE]:,} colorized"]
        parts += [f"{self.counts[status]:,} {words}" for status, words in _WORDS if self.counts[status]]
        if self.before:
            parts.append(f"{self.before:,} of all these by earlier runs")
        return f"{', '.join(parts)}; output in {place}"

    def table(self, place: str) -> str:
        """The most frequent reasons of failures, with one photo each; empty where nothing failed."""
        if not self.failed:
            return ""
        ranked = sorted(self.reasons.items(), key=lambda one: -one[1][0])
        rows: list[Sequence[str]] = [(f"{count:,}", first, reason) for reason, (count, first) in ranked[:_REASONS]]
        widths = [min(_WIDEST, max(len(row[at]) for row in rows)) for at in range(2)]
        lines = [f"{count:>{widths[0]}}  {first:<{widths[1]}}  {reason}" for count, first, reason in rows]
        if len(ranked) > _REASONS:
            lines.append(f"and {plural(len(ranked) - _REASONS, 'other reason')}")
        return "\n".join(["failed, the first of them, why:", *lines, f"all of them: {place}/{FAILURES}.csv"])


class Failures:
    """The list of failed photos, of any length; it lies on the disk until it is put into the store.

    Args:
        out: the output folder.
    """

    def __init__(self, out: Place) -> None:
        self._out = out
        self.count = 0

    def __enter__(self) -> Failures:
        self._file: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")
        self._file.write("id,uri,error\n")
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def add(self, rows: Iterable[Status]) -> None:
        """Write those down that failed."""
        for row in rows:
            if row.status == FAILED:
                self._file.write(csv_text((), [(row.id, row.uri, row.error)]).lstrip("\n"))
                self.count += 1

    def put(self, part: str = "") -> None:
        """Put the list into the store, an empty one too, so that no older one stays; `part` tells several apart."""
        self._file.seek(0)
        self._out.put(f"{FAILURES}{part}.csv", self._file.read().encode())
