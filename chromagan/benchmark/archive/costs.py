"""What a photo of an archive costs, and from that, what a million of them do.

Times are of processors, not of clocks: other work on the machine hardly counts. Two runs that differ in the number of
photos alone tell a photo from the start of the program, and a network that costs nothing tells the network from the
rest.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chromagan.benchmark.archive.follow import chromagan, finished, follow
from chromagan.benchmark.archive.speed import make_scans
from chromagan.errors import ChromaganError
from chromagan.reports.tables import markdown_table

MILLION = 1_000_000
NODES = (1, 16, 256)
_FREE = "mean"  # the network that costs nothing


@dataclass(frozen=True)
class Costs:
    """Of one photo.

    Attributes:
        megapixels: of the photo.
        seconds: of one processor, all in all.
        network: of these, what the network takes.
        read: bytes.
        written: bytes.
        listed: bytes of its row in the manifest.
        status: bytes of its row of status.
    """

    megapixels: float
    seconds: float
    network: float
    read: float
    written: float
    listed: float
    status: float


def measure_costs(photos: int, megapixels: float, options: Sequence[str]) -> Costs:
    """Measure generated gray JPEGs on one processor.

    Args:
        photos: of the shorter run; the longer one has twice as many.
        megapixels: of each.
        options: of the command, such as `--model`.

    Raises:
        ChromaganError: a command failed.
    """
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        make_scans(few, photos, megapixels)
        make_scans(many, 2 * photos, megapixels)

        def seconds(scans: Path, more: Sequence[str], name: str) -> float:
            command = chromagan("archive", str(scans), "-o", str(Path(folder) / name), "--here", "--quiet", *more)
            return finished(follow(command), "chromagan archive").processor

        whole, free = (
            (seconds(many, more, f"many-{name}") - seconds(few, more, f"few-{name}")) / photos
            for name, more in (("whole", options), ("free", [*options, "--model", _FREE]))
        )
        return Costs(megapixels, whole, max(0.0, whole - free), *_bytes(Path(folder) / "many-whole"))


def _bytes(out: Path) -> tuple[float, float, float, float]:
    import pyarrow.dataset as dataset

    own = out / "_chromagan"
    rows = dataset.dataset(str(own / "status"), format="parquet").to_table(columns=["read", "written"]).to_pylist()
    count = json.loads((own / "manifest.json").read_text())["rows"][0]
    if len(rows) != count:
        raise ChromaganError(f"{count} photos were listed, and {len(rows)} have a status")
    listed, status = (
        sum(path.stat().st_size for path in (own / name).rglob("*.parquet")) for name in ("manifest", "status")
    )
    return sum(row["read"] for row in rows) / count, sum(row["written"] for row in rows) / count, (
        listed / count), status / count  # fmt: skip


def costs_table(costs: Costs, processors: int, price: float) -> str:
    """A million photos, in Markdown.

    Args:
        costs: of one.
        processors: of a node.
        price: of a node for an hour, in whatever currency.
    """
    rows = []
    for nodes in NODES:
        a_second = nodes * processors / costs.seconds
        hours = MILLION / a_second / 3600
        rest = MILLION * (costs.seconds - costs.network) / (nodes * processors) / 3600
        rows.append([
            f"{nodes}", f"{hours:,.3g}", f"{hours * nodes * price:,.0f}", f"{rest:,.3g}", f"{a_second:,.1f}",
            f"{a_second * (costs.read + costs.written) / nodes / 1e6:,.1f}",
        ])  # fmt: skip
    head = [f"nodes of {processors} processors", "hours", f"money at {price:g} an hour", "hours without the network",
            "photos/s", "MB/s a node"]  # fmt: skip
    words = (
        f"A photo of {costs.megapixels:g} MP: {costs.seconds:.2f} s of a processor, {costs.network:.2f} s of them the "
        f"network; {costs.read / 1e6:.2f} MB read, {costs.written / 1e6:.2f} MB written, {costs.listed:.0f} bytes of "
        f"manifest, {costs.status:.0f} of status.\n"
    )
    return f"{words}A million: {costs.read / 1e6:,.1f} TB read, {costs.written / 1e6:,.1f} TB written.\n\n" + (
        markdown_table(head, rows)
    )
