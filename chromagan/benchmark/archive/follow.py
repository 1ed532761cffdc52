"""A command with all processes that it starts: how long it takes, what each kind of them holds, and which to kill."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chromagan.errors import ChromaganError

ACTOR = "ray::MapWorker"
_EVERY = 0.5  # seconds between two looks at the processes
_WEIGH_EVERY = 4  # looks between two at their memory, which take longer


@dataclass
class Followed:
    """One run of a command.

    Attributes:
        seconds: from its start to its end.
        processor: seconds of processors, where others' work on the machine does not count.
        after_start: from its first actor on; as `seconds` where it has none.
        peak: bytes of all processes together, at most; pages that they share count once.
        above: those of all but the actors, at most.
        code: its exit code.
        said: what it wrote to stdout and stderr.
    """

    seconds: float = 0.0
    processor: float = 0.0
    after_start: float = 0.0
    peak: int = 0
    above: int = 0
    code: int = 0
    said: str = ""
    _looks: int = field(default=0, repr=False)


def chromagan(*arguments: str, program: Sequence[str] = ("-m", "chromagan")) -> list[str]:
    """A command of this package in a process of its own."""
    return [sys.executable, *program, *arguments]


def follow(
    command: Sequence[str], look: Callable[[list[int]], bool] | None = None, path: Sequence[str] = ()
) -> Followed:
    """Run a command to its end.

    Args:
        command: the command.
        look: given the actors' process numbers now and then; the command is killed where it returns True.
        path: more folders for `PYTHONPATH`.
    """
    search = [str(Path(__file__).resolve().parents[3]), *path, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))}
    run, started, first, used = Followed(), time.perf_counter(), None, dict[int, float]()
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words, env=environment, start_new_session=True)
        while process.poll() is None:
            family = descendants(process.pid)
            actors = [pid for pid in family if _title(pid).startswith(ACTOR)]
            if actors and first is None:
                first = time.perf_counter()
            used |= {pid: max(used.get(pid, 0.0), _processor_seconds(pid)) for pid in family}
            _weigh(run, family, actors)
            if look is not None and look(actors):
                process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_EVERY)
        ended = time.perf_counter()
        words.seek(0)
        run.said = words.read()
    run.processor = sum(used.values())
    run.seconds, run.after_start, run.code = ended - started, ended - (first or started), process.returncode
    return run


def finished(run: Followed, name: str) -> Followed:
    """The same run; `ChromaganError` where it failed."""
    if run.code:
        raise ChromaganError(f"{name} failed: {run.said.strip().splitlines()[-1] if run.said.strip() else run.code}")
    return run


def descendants(pid: int) -> list[int]:
    """A process and all below it, on Linux; elsewhere the process alone."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    family = [pid]
    for one in family:
        family += children.get(one, [])
    return family


def kill(pid: int) -> None:
    """End a process as a power cut does."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _weigh(run: Followed, family: Sequence[int], actors: Sequence[int]) -> None:
    run._looks += 1
    if run._looks % _WEIGH_EVERY == 0:
        held = {pid: _proportional(pid) for pid in family}
        run.peak = max(run.peak, sum(held.values()))
        run.above = max(run.above, sum(held.values()) - sum(held[pid] for pid in actors))


def _processor_seconds(pid: int) -> float:
    """What a process has used so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _proportional(pid: int) -> int:
    """Bytes of memory of a process, of shared pages its share; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
