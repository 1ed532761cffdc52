"""How fast a film is coloured: the whole command against reading and writing the same film with neutral chroma.

The two alternate in one run, the second in this process and the first in one of its own, whose memory is followed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chromagan.benchmark.child_process import memory_growth, package_environment, resident_bytes
from chromagan.errors import ChromaganError
from chromagan.film.frames import frames
from chromagan.film.part import Coding, PartWriter, fitted
from chromagan.film.reel import Reel, open_reel
from chromagan.reports.tables import format_table

_EVERY = 0.5  # seconds between two looks at the memory


@dataclass(frozen=True)
class FilmTimings:
    """Figures of one film on one machine.

    Attributes:
        frames: of the film.
        whole: median seconds of the whole command, start and joining included.
        alone: median seconds of decoding and encoding alone.
        memory: resident bytes of the command, one each half second of its last run; empty where the system tells none.
    """

    frames: int
    whole: float
    alone: float
    memory: list[int]

    @property
    def growth(self) -> float | None:
        """Mean memory in the last quarter of the run, over that in the second."""
        return memory_growth(self.memory)


def time_film(film: Path, options: Sequence[str], coding: Coding | None = None, runs: int = 1) -> FilmTimings:
    """Time a film.

    Args:
        film: the film.
        options: of `chromagan film`, but for the films' names and what `coding` says.
        coding: how both are encoded; H.264 as usual unless given.
        runs: of each; medians count.

    Raises:
        ChromaganError: the command failed.
    """
    coding = coding or Coding()
    reel = fitted(open_reel(film), coding)
    whole, alone, memory, count = list[float](), list[float](), list[int](), 0
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder:
        for run in range(runs):
            started = time.perf_counter()
            count = _read_and_write(reel, coding, Path(folder) / f"alone-{run}.mkv")
            alone.append(time.perf_counter() - started)
            seconds, memory = _command(film, Path(folder) / f"whole-{run}.mkv", options, coding)
            whole.append(seconds)
    return FilmTimings(count, statistics.median(whole), statistics.median(alone), memory)


def timings_table(timings: FilmTimings) -> str:
    """The figures as a table."""
    rows = [
        [name, f"{seconds:.1f}", f"{timings.frames / seconds:.2f}", f"{seconds / timings.alone:.2f}"]
        for name, seconds in (("whole command", timings.whole), ("decode + encode alone", timings.alone))
    ]
    text = format_table(["", "seconds", "frames/s", "x alone"], rows)
    if timings.memory:
        text += f"\npeak memory {max(timings.memory) / 1e9:.2f} GB"
        if timings.growth is not None:
            text += f"; last quarter over the second {timings.growth:.3f}"
    return text


def _read_and_write(reel: Reel, coding: Coding, part: Path) -> int:
    """Frames read, and written with no chroma."""
    count, neutral = 0, None
    with PartWriter(part, reel, coding) as writer:
        for frame in frames(reel):
            if neutral is None:
                rows, columns = (-(-side >> shift) * -1 for side, shift in
                                 zip((-reel.height, -reel.width), reel.shift[::-1], strict=True))  # fmt: skip
                neutral = np.full((rows, columns), 1 << (writer.bits - 1), np.uint8 if writer.bits <= 8 else np.uint16)
            writer.write(frame, neutral, neutral)
            count += 1
    return count


def _command(film: Path, output: Path, options: Sequence[str], coding: Coding) -> tuple[float, list[int]]:
    """Seconds of the whole command, and its memory."""
    said = [*options, "--codec", coding.codec]
    said += [] if coding.crf is None else ["--crf", str(coding.crf)]
    said += [] if coding.preset is None else ["--preset", coding.preset]
    said += [] if coding.bits is None else ["--bits", str(coding.bits)]
    command = [sys.executable, "-m", "chromagan", "film", str(film), "-o", str(output), "--quiet", *said]
    started, memory = time.perf_counter(), list[int]()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stderr=errors, env=package_environment())
        while process.poll() is None:
            memory += resident_bytes(process.pid)
            try:
                process.wait(_EVERY)
            except subprocess.TimeoutExpired:
                continue
        seconds = time.perf_counter() - started
        errors.seek(0)
        told = errors.read().strip()
    if process.returncode:
        raise ChromaganError(f"chromagan film failed: {told.splitlines()[-1] if told else process.returncode}")
    return seconds, memory
