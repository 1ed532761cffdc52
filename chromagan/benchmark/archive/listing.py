"""A store of a million names, listed into a manifest: how long, in how much memory, and whether it goes on."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chromagan.benchmark.archive.follow import Followed, chromagan, finished, follow
from chromagan.benchmark.archive.stores import plugin
from chromagan.errors import ChromaganError

_FEW = 20_000  # names, for the memory that the program takes in any case


@dataclass(frozen=True)
class ListingTimings:
    """Figures of one listing.

    Attributes:
        names: in the store.
        seconds: of the whole command.
        processor: seconds of a processor that it took.
        peak: bytes of memory, at most.
        peak_few: the same of a store of few names.
        resumed: seconds of a command that goes on where one was killed half-way.
    """

    names: int
    seconds: float
    processor: float
    peak: int
    peak_few: int
    resumed: float


def time_listing(names: int) -> ListingTimings:
    """List the names of `names://COUNT`, once in peace and once killed half-way.

    Raises:
        ChromaganError: a command failed, or a name is missing or stands twice.
    """
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder, plugin() as path:

        def listed(count: int, name: str, until: int | None = None) -> Followed:
            out = Path(folder) / name
            command = chromagan("archive", f"names://{count}", "-o", str(out), "--list-only", "--quiet")
            files = out / "_chromagan" / "manifest"

            def due(actors: list[int]) -> bool:
                return until is not None and len(list(files.glob("*.parquet"))) >= until

            return follow(command, due, [path])

        few = finished(listed(_FEW, "few"), "the listing")
        whole = finished(listed(names, "whole"), "the listing")
        killed = listed(names, "killed", until=names // 20_000)
        if killed.code >= 0:
            raise ChromaganError("the listing was whole before it could be killed; take more names")
        resumed = finished(listed(names, "killed"), "the listing")
        for out in ("whole", "killed"):
            _check(Path(folder) / out / "_chromagan", names)
    return ListingTimings(names, whole.seconds, whole.processor, whole.peak, few.peak, resumed.seconds)


def listing_words(timings: ListingTimings) -> str:
    """The figures in two lines."""
    return (
        f"{timings.names:,} names listed in {timings.seconds:.1f} s ({timings.processor:.1f} s of a processor), "
        f"memory {timings.peak / 1e6:.0f} MB ({timings.peak_few / 1e6:.0f} MB with {_FEW:,} names)\n"
        f"killed half-way, the rest in {timings.resumed:.1f} s; every name is there once"
    )


def _check(own: Path, names: int) -> None:
    import pyarrow.dataset as dataset

    ids = dataset.dataset(str(own / "manifest"), format="parquet").to_table(columns=["id"])["id"]
    told = sum(json.loads((own / "manifest.json").read_text())["rows"])
    if not (len(ids) == told == len(ids.unique()) == names // 1000 * 1000):
        raise ChromaganError(f"{own}: {len(ids)} rows, {len(ids.unique())} ids and {told} told of {names} names")
