"""How long the product takes for a photo or a folder, against what cannot be saved: decode, encode and the network.

Every part is timed alone in the same run as the whole, and the runs alternate between them, so that other work on the
machine falls on all alike. Ratios of medians are the figures to compare; seconds are for orientation.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from chromagan.benchmark.child_process import ProcessCost, measure_process
from chromagan.errors import ChromaganError, DataError
from chromagan.images.read import Photo, read_photo
from chromagan.images.write import output_suffix, write_photo
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import Job
from chromagan.inference.stages import stage_seconds
from chromagan.reports.figures import plural
from chromagan.reports.tables import format_table

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer

T = TypeVar("T")
PARTS = ("decode", "encode", "forward")
"""What every colorizer must do; `whole` is compared with their sum."""
STAGES = ("prepare", "enlarge", "join")
"""What the product does besides, timed for orientation."""


@dataclass(frozen=True)
class Timings:
    """Median seconds of each part, of each further stage and of the whole; `ratio` is the whole over the parts' sum."""

    parts: dict[str, float]
    stages: dict[str, float]
    whole: float
    photos: int
    megapixels: float

    @property
    def ratio(self) -> float:
        """1 means that the product takes no longer than decode, encode and network one after the other."""
        return self.whole / sum(self.parts.values())


def time_photo(colorizer: Colorizer, path: Path, runs: int = 5) -> Timings:
    """Time one photo in a warm process, each part `runs` times after one round that is thrown away.

    The medians' `whole` is the product's own path from file to file.
    """
    with tempfile.TemporaryDirectory() as folder:
        rounds = [_one_round(colorizer, path, Path(folder)) for _ in range(runs + 1)][1:]
    median = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    parts, stages = ({name: median[name] for name in names} for names in (PARTS, STAGES))
    height, width = read_photo(path).pixels.shape[:2]
    return Timings(parts, stages, median["whole"], 1, height * width / 1e6)


def time_folder(colorizer: Colorizer, paths: Sequence[Path], runs: int = 5) -> Timings:
    """Time a batch of photos against the parts of all of them, added up; the batch itself runs once, after them.

    A file that is named several times is timed alone once and counted as often as it is named.
    """
    timed = {path: time_photo(colorizer, path, runs) for path in dict.fromkeys(paths)}
    alone = [timed[path] for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        jobs = [Job(path, _target(path, Path(folder), f"{index}-")) for index, path in enumerate(paths)]
        whole, _ = _timed(lambda: _colorize(colorizer, jobs))
    return Timings(
        {name: sum(one.parts[name] for one in alone) for name in PARTS},
        {name: sum(one.stages[name] for one in alone) for name in STAGES},
        whole,
        len(paths),
        sum(one.megapixels for one in alone),
    )


def timings_table(timings: Timings) -> str:
    """The figures for a terminal."""
    total = sum(timings.parts.values())
    stages = {f"({name})": value for name, value in timings.stages.items()}
    seconds = {**timings.parts, "their sum": total, **stages, "whole": timings.whole}
    rows = [(name, f"{value:.4f}", f"{value / total:.2f}") for name, value in seconds.items()]
    title = f"{plural(timings.photos, 'photo')}, {timings.megapixels:.1f} megapixels"
    return format_table((title, "seconds", "of the sum"), rows)


def _one_round(colorizer: Colorizer, path: Path, folder: Path) -> dict[str, float]:
    """Seconds of each stage alone, then of the whole."""
    decode, photo = _timed(lambda: read_photo(path))
    parts, pixels = stage_seconds(colorizer.network, photo.pixels, colorizer.look, colorizer.step)
    colour = replace(photo, pixels=pixels)
    alone, job = _target(path, folder, "part-"), Job(path, _target(path, folder, "whole-"))
    encode, _ = _timed(lambda: write_photo(colour, alone, colorizer.mark))
    alone.unlink()
    whole, _ = _timed(lambda: _colorize(colorizer, [job]))
    job.output.unlink()
    return {"decode": decode, **parts, "encode": encode, "whole": whole}


def _colorize(colorizer: Colorizer, jobs: Sequence[Job]) -> None:
    failures: list[Exception | None] = []
    colorize_files(jobs, lambda: colorizer, lambda _, error: failures.append(error))
    for error in filter(None, failures):
        raise error  # a time for fewer photos than were asked for would be no figure


def _timed(action: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def _target(path: Path, folder: Path, prefix: str) -> Path:
    """Beside other outputs, in the format that the product would choose for this photo."""
    photo = read_photo(path)
    return folder / f"{prefix}{path.stem}{output_suffix(photo.format, None, 8 * photo.pixels.itemsize)}"


def sample_command(path: Path, out: Path, model: str, device: str = "auto", size: int | None = None) -> list[str]:
    """The command that a person would type, for a process of its own."""
    command = [sys.executable, "-m", "chromagan", "sample", str(path), "-o", str(out), "--model", model]
    return [*command, "--device", device, *([] if size is None else ["--size", str(size)])]


def measure_sample(path: Path, model: str, runs: int = 1, **options: object) -> list[ProcessCost]:
    """Run `chromagan sample PHOTO` in so many fresh processes: import, weights, one photo written.

    Files are in the operating system's cache from the second run on. `options` are those of `sample_command`;
    `DataError` with the command's own message where it failed.
    """
    costs = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            command = sample_command(path, Path(folder), model, **options)  # type: ignore[arg-type]
            cost = measure_process(command)
        if cost.exit_code:
            raise DataError(f"{path}: the command `chromagan sample` failed: {cost.reason}")
        costs.append(cost)
    return costs


def make_photo(path: Path, megapixels: float, seed: int = 0) -> None:
    """Write a generated colour JPEG of 4 to 3 with structure at all scales: for memory and cold start, not for eyes.

    Colour, because that is the larger case: three bytes a pixel are read as well as written.
    """
    height = max(1, round((megapixels * 1e6 * 3 / 4) ** 0.5))
    width = max(1, round(height * 4 / 3))
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (max(1, height // 32), max(1, width // 32), 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    tile = rng.integers(0, 24, (min(height, 512), min(width, 512), 1), dtype=np.uint8)
    for top in range(0, height, 512):
        for left in range(0, width, 512):
            block = picture[top : top + 512, left : left + 512]
            block += np.minimum(tile[: block.shape[0], : block.shape[1]], 255 - block)
    try:
        write_photo(Photo(picture, format="jpeg"), path, None)
    except OSError as error:
        raise ChromaganError(f"{path}: the test photo cannot be written: {error}") from error
