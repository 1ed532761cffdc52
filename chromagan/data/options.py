"""Which photographs a run is trained on, and the squares that are cut from them."""

from __future__ import annotations

from dataclasses import dataclass

from chromagan.options import Section, at_least, option


@dataclass(frozen=True)
class DataOptions(Section):
    """The part of a run's configuration that the room of data needs."""

    data: list[str] = option(
        [],
        "training photographs: folders, .tar shards (globs, {000..009}, URLs), .txt lists, "
        "torchvision:NAME?root=DIR, hf:NAME?split=train",
    )
    size: int = option(128, "side of the training squares in pixels", at_least(32))
    smallest_crop: float = option(
        0.6, "random squares have at least this share of the short side", lambda share: 0 < share <= 1
    )
    min_chroma: float = option(4.0, "photos of a smaller mean Lab chroma are left out as near-gray", at_least(0))
    manifest: str = option(
        "", "file that remembers each photo's chroma; near_gray.csv in the run folder by default", free=True
    )
    cache: str = option("none", "keep all photos decoded in memory", choices=("none", "ram", "device"))
    shard_cache: str = option(
        "", "folder for indexes of remote shards, and for shards of servers without byte ranges", free=True
    )
    workers: int = option(1, "processes that decode photographs", at_least(0), free=True)
