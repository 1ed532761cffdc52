"""The provenance mark of a film, in the words that every container holds: its comment."""

from __future__ import annotations

import re
from pathlib import Path

from chromagan.film.reel import opened
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.xmp import MARK, SOURCE_TYPE

_OPENING = "Coloured by "
_FORM = re.compile(
    rf"{_OPENING}(?P<Software>[^;]*); Model (?P<Model>[^;]*); WeightsSha256 (?P<WeightsSha256>[0-9a-f]*); "
    rf"Seed (?P<Seed>\d+); Request (?P<Request>[0-9a-f]*); DigitalSourceType {re.escape(SOURCE_TYPE)}"
)


def sentence(mark: ProvenanceMark) -> str:
    """The mark in one line."""
    said = dict(zip(MARK, mark.entries, strict=True))
    software = said.pop("Software")
    fields = "; ".join(f"{name} {said[name]}" for name in ("Model", "WeightsSha256", "Seed", "Request"))
    return f"{_OPENING}{software}; {fields}; DigitalSourceType {SOURCE_TYPE}"


def joined(comment: str | None, mark: ProvenanceMark) -> str:
    """The comment that a film has, without an older mark, and the mark."""
    own = _FORM.sub("", comment or "").strip(" |")
    return f"{own} | {sentence(mark)}" if own else sentence(mark)


def find_mark(comment: str | None) -> ProvenanceMark | None:
    """The mark in a comment."""
    found = _FORM.search(comment or "")
    if found is None:
        return None
    return ProvenanceMark(
        model=found["Model"], sha256=found["WeightsSha256"], software=found["Software"], seed=int(found["Seed"]),
        request=found["Request"],
    )  # fmt: skip


def read_provenance(path: str | Path) -> ProvenanceMark | None:
    """Read the mark back from a film; None for one without. `ReadError` for a file that is none."""
    with opened(path) as container:
        metadata = {name.lower(): text for name, text in container.metadata.items()}
    return find_mark(metadata.get("comment"))
