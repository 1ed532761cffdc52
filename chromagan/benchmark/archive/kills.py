"""An archive whose workers and drivers are killed again and again, against one that is left in peace."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chromagan.benchmark.archive.follow import chromagan, finished, follow, kill
from chromagan.benchmark.archive.speed import make_scans
from chromagan.errors import ChromaganError

OWN = "_chromagan"


@dataclass(frozen=True)
class Survived:
    """What became of the photos.

    Attributes:
        photos: of the archive.
        workers: actors that were killed at work.
        drivers: commands that were killed at work.
        lost: photos without an output.
        other: outputs that differ from those of the archive that was left in peace.
        twice: photos with two final status rows.
        more: files beside the outputs.
    """

    photos: int
    workers: int
    drivers: int
    lost: int
    other: int
    twice: int
    more: int


def kill_archive(photos: int, megapixels: float, workers: int, drivers: int, options: Sequence[str]) -> Survived:
    """Paint an archive, killing workers and drivers at times of chance, until the last command comes to its end.

    Args:
        photos: how many are generated.
        megapixels: of each.
        workers: how many actors to kill, at least; while the last commands run.
        drivers: how many commands to kill, before them.
        options: of the command.

    Raises:
        ChromaganError: a command that nobody killed failed, or ended before enough was killed.
    """
    chance, killed = random.Random(0), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder:
        scans, calm, out = (Path(folder) / name for name in ("scans", "calm", "out"))
        make_scans(scans, photos, megapixels)
        finished(follow(chromagan("archive", str(scans), "-o", str(calm), "--here", *options)), "chromagan archive")
        command = chromagan("archive", str(scans), "-o", str(out), *options)
        share = photos / (workers + drivers + 1)

        def outputs() -> int:
            return sum(1 for _ in out.glob("*.jpg"))

        def driver_due(actors: list[int]) -> bool:
            return bool(actors) and outputs() >= (killed["driver"] + chance.random()) * share

        while killed["driver"] < drivers:
            run = follow(command, driver_due)
            if run.code >= 0:
                raise ChromaganError(f"the archive was whole after {killed['driver']} kills; take more photos")
            killed["driver"] += 1

        def worker_due(actors: list[int]) -> bool:
            due = (drivers + killed["worker"] + chance.random()) * share
            if actors and killed["worker"] < workers and outputs() >= due:
                kill(chance.choice(actors))
                killed["worker"] += 1
            return False

        finished(follow(command, worker_due), "chromagan archive")
        return _look(scans, calm, out, killed["worker"], killed["driver"])


def _look(scans: Path, calm: Path, out: Path, workers: int, drivers: int) -> Survived:
    import pyarrow.dataset as dataset

    names = {path.name for path in scans.iterdir()}
    there = {path.name: _digest(path) for path in out.iterdir() if path.is_file()}
    wanted = {path.name: _digest(path) for path in calm.iterdir() if path.is_file()}
    status = dataset.dataset(str(out / OWN / "status"), format="parquet").to_table(columns=["id"])["id"].to_pylist()
    return Survived(
        len(names), workers, drivers, len(names - there.keys()),
        sum(there[name] != wanted[name] for name in names & there.keys()),
        sum(count > 1 for count in Counter(status).values()), len(there.keys() - names),
    )  # fmt: skip


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
