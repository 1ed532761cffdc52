"""What a command costs as a process of its own: seconds, and its largest resident memory.

On Linux a child starts with the peak memory of the process that spawned it, so a parent with torch in memory cannot
measure a small child. The command is therefore spawned by a launcher: this very file, which imports nothing heavy.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessCost:
    """One run of a command, from spawning it to its end."""

    seconds: float
    peak_bytes: int | None  # largest resident memory without children of its own; None where the system does not tell
    exit_code: int
    message: str  # the last lines of its stderr

    @property
    def reason(self) -> str:
        """Why it failed: its last words, or its exit code."""
        return self.message.splitlines()[-1] if self.message else f"exit code {self.exit_code}"


def measure_process(command: Sequence[str]) -> ProcessCost:
    """Run a program with its arguments to its end, its output kept off the screen; it finds this very package."""
    launcher = [sys.executable, str(Path(__file__).resolve()), *command]
    answer = subprocess.run(launcher, capture_output=True, text=True, env=package_environment())
    if answer.returncode:
        raise OSError(answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else "the launcher failed")
    return ProcessCost(**json.loads(answer.stdout))


def package_environment() -> dict[str, str]:
    """The environment of a process that finds this very package."""
    search = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))}


def resident_bytes(pid: int) -> list[int]:
    """Bytes of memory that a process holds now; nothing where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return []
    return [pages * os.sysconf("SC_PAGE_SIZE")]


def memory_growth(memory: Sequence[int]) -> float | None:
    """Mean of the last quarter of a run's `resident_bytes`, over that of the second; None of too few."""
    quarter = len(memory) // 4
    if not quarter:
        return None
    return statistics.mean(memory[-quarter:]) / statistics.mean(memory[quarter : 2 * quarter])


def _launch(command: list[str]) -> ProcessCost:
    import tempfile

    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        peak = None
        if hasattr(os, "wait4"):
            _, status, usage = os.wait4(child.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            child.returncode = code  # Popen must not wait for it again
            peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        else:
            code = child.wait()
        seconds = time.perf_counter() - start
        errors.seek(0)
        message = errors.read().decode(errors="replace")[-2000:].strip()
    return ProcessCost(seconds, peak, code, message)


if __name__ == "__main__":
    print(json.dumps(_launch(sys.argv[1:]).__dict__))
