"""An archive from its listing to its summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from chromagan.apps.archive.manifest import SHARD, Listing, list_photos, shards_of
from chromagan.apps.archive.order import Order
from chromagan.apps.archive.status import Status
from chromagan.apps.archive.summary import Failures, Summary
from chromagan.files.stores import Place

Engine = Callable[[Order, Sequence[str]], Iterable[list[Status]]]
"""Paints shards, on whatever machines; gives the status of every photo of them."""


class Progress(Protocol):
    """What is told on the way."""

    def listed(self, photos: int) -> None:
        """So many more photos were listed."""

    def begin(self, photos: int) -> None:
        """The listing is whole, and so many photos are this run's."""

    def painted(self, rows: list[Status]) -> None:
        """The status of more photos."""


def colorize_archive(
    inputs: Sequence[str],
    order: Order,
    engine: Engine | None = None,
    *,
    relist: bool = False,
    list_only: bool = False,
    part: tuple[int, int] = (1, 1),
    shard: int = SHARD,
    progress: Progress | None = None,
) -> tuple[Listing, Summary]:
    """Colour an archive, or go on with it.

    Args:
        inputs: folders, URIs and manifests.
        order: what is asked for.
        engine: where it is painted; in this process unless given.
        relist: list the inputs again and add what is new.
        list_only: list them, and paint nothing.
        part: of how many parts of the archive this one is painted, as (3, 16) for the third of sixteen.
        shard: photos that a worker takes at a time.
        progress: told on the way.

    Returns:
        What was listed, and how it went.

    Raises:
        ChromaganError: the work could not be done, or not to its end; what is done is kept.
    """
    out = Place(order.out)
    listing = list_photos(inputs, out, relist, progress.listed if progress else None, shard)
    summary = Summary()
    if list_only:
        return listing, summary
    number, parts = part
    shards = shards_of(listing)[number - 1 :: parts]
    if engine is None:
        from chromagan.apps.archive.shard import here  # PyTorch, which a driver of a cluster does not need

        engine = here
    if progress:
        progress.begin(listing.photos // parts)
    with Failures(out) as failures:
        for rows in engine(order, shards) if shards else ():
            summary.add(rows)
            failures.add(rows)
            if progress:
                progress.painted(rows)
        failures.put(f"-{number}-of-{parts}" if parts > 1 else "")
    return listing, summary
