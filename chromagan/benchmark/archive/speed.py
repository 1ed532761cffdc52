"""A folder by `chromagan archive` on a cluster of this machine, against the same folder by `sample.py`."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chromagan.benchmark.archive.follow import chromagan, finished, follow
from chromagan.benchmark.archive.stores import plugin
from chromagan.errors import WriteError
from chromagan.reports.tables import format_table


@dataclass(frozen=True)
class ArchiveTimings:
    """Seconds of each run, in turn, and bytes.

    Attributes:
        photos: of the folder.
        sample: `sample.py`, whole.
        archive: the archive on a disk, after its start.
        far: on stores that take 20 ms longer for every answer, after its start.
        start: of the cluster, until the first actor is there.
        processor: seconds of processors of each of the three, start and all, in the last run.
        above: memory of all processes but the actors, at most.
        peak: of all of them.
    """

    photos: int
    sample: list[float]
    archive: list[float]
    far: list[float]
    start: list[float]
    processor: list[float]
    above: int
    peak: int


def make_scans(folder: Path, count: int, megapixels: float) -> None:
    """Write generated gray JPEGs of 4 to 3, each another one."""
    height = max(1, round((megapixels * 1e6 * 3 / 4) ** 0.5))
    width = max(1, round(height * 4 / 3))
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 24, (height, width), np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        coarse = rng.integers(30, 226, (height // 48 + 2, width // 48 + 2), np.uint8)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        path = folder / f"scan-{number:05}.jpg"
        if not cv2.imwrite(str(path), cv2.add(picture, grain)):
            raise WriteError(f"{path}: the test photo cannot be written; check the disk")


def time_archive(photos: int, megapixels: float, options: Sequence[str], runs: int = 1) -> ArchiveTimings:
    """Time the same generated photos by both, in turn.

    Args:
        photos: how many.
        megapixels: of each.
        options: of both commands, such as `--model`.
        runs: of each.

    Raises:
        ChromaganError: a command failed.
    """
    sample, near, far, start = list[float](), list[float](), list[float](), list[float]()
    processor, above, peak = list[float](), 0, 0
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder, plugin() as path:
        scans = Path(folder) / "scans"
        make_scans(scans, photos, megapixels)
        for run in range(runs):
            out = [str(Path(folder) / f"{name}-{run}") for name in ("sample", "near", "far")]
            command = chromagan("sample", str(scans), "-o", out[0], "--quiet", "--device", "cpu", *options)
            followed = finished(follow(command), "chromagan sample")
            sample.append(followed.seconds)
            processor = [followed.processor]
            for taken, source, target in ((near, str(scans), out[1]), (far, f"slow://{scans}", f"slow://{out[2]}")):
                command = chromagan("archive", source, "-o", target, "--quiet", *options)
                followed = finished(follow(command, path=[path]), "chromagan archive")
                taken.append(followed.after_start)
                processor.append(followed.processor)
                start.append(followed.seconds - followed.after_start)
                above, peak = max(above, followed.above), max(peak, followed.peak)
    return ArchiveTimings(photos, sample, near, far, start, processor, above, peak)


def timings_table(timings: ArchiveTimings) -> str:
    """The figures as a table; ratios are of medians."""
    whole = statistics.median(timings.sample)
    named = (("sample.py", timings.sample), ("archive, after its start", timings.archive),
             ("archive, stores with 20 ms", timings.far))  # fmt: skip
    rows = [
        [name, f"{statistics.median(taken):.1f}", f"{timings.photos / statistics.median(taken):.2f}",
         f"{statistics.median(taken) / whole:.2f}", f"{used:.1f}"]
        for (name, taken), used in zip(named, timings.processor, strict=True)
    ]  # fmt: skip
    text = format_table([f"{timings.photos} photos", "seconds", "photos/s", "x sample.py", "processor seconds"], rows)
    text += f"\nstart of the cluster {statistics.median(timings.start):.1f} s"
    return f"{text}; memory {timings.peak / 1e9:.2f} GB at most, {timings.above / 1e9:.2f} GB of it not the actors'"
