"""How the service bears many clients: what is lost, how long they wait, and whether its memory grows.

The service runs in a process of its own, as a person starts it. Each client asks for one photo after another over one
connection; where it is told to come again it does, after the seconds that it is told. Every answer is compared with
the file that `chromagan sample` writes of the same photo.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chromagan.benchmark.child_process import measure_process, memory_growth, package_environment, resident_bytes
from chromagan.benchmark.photos import make_photo, sample_command
from chromagan.errors import ChromaganError
from chromagan.reports.tables import format_table

_START_SECONDS = 300
_EVERY = 0.5  # seconds between two looks at the memory
_PATIENCE = 600.0
_EACH = 20  # photos a client, but for the last load


@dataclass
class Load:
    """What became of some clients' photos.

    Attributes:
        clients: that asked at the same time.
        seconds: of each photo, from asking to the last byte; waits between two tries counted.
        statuses: of all answers.
        lost: photos that got no answer, or another than the command's file.
        whole: seconds of all together.
        memory: resident bytes of the service, one each half second; empty where the system tells none.
    """

    clients: int
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    whole: float = 0.0
    memory: list[int] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Answers that are neither a photo nor "come again"."""
        return sum(count for status, count in self.statuses.items() if status not in (200, 429))

    @property
    def growth(self) -> float | None:
        """Mean memory in the last quarter of the run, over that in the second."""
        return memory_growth(self.memory)


def time_service(
    clients: Sequence[int], photos: int, megapixels: float, options: Sequence[str] = (), kinds: int = 4
) -> list[Load]:
    """Load the service.

    Args:
        clients: at the same time; one load each, in this order.
        photos: of the last load, and at most of the others, which have 20 a client.
        megapixels: of a photo.
        options: of `chromagan serve`.
        kinds: photos that differ, taken in turn.

    Raises:
        ChromaganError: the service does not start, or `chromagan sample` fails.
    """
    model = options[options.index("--model") + 1] if "--model" in options else "chromagan"
    with tempfile.TemporaryDirectory(prefix="chromagan-") as name:
        folder = Path(name)
        sources = [folder / f"{kind}.jpg" for kind in range(kinds)]
        for kind, source in enumerate(sources):
            make_photo(source, megapixels, seed=kind)
        cost = measure_process([*sample_command(folder, folder / "sample", model), "--batch-size", "1"])
        if cost.exit_code:
            raise ChromaganError(f"chromagan sample failed: {cost.reason}")
        wanted = [(source.read_bytes(), _digest((folder / "sample" / source.name).read_bytes())) for source in sources]
        with running(options) as (process, host, port):
            return [_load(count, _share(count, clients, photos), wanted, process.pid, host, port) for count in clients]


def loads_table(loads: Sequence[Load]) -> str:
    """The figures as a table."""
    rows = []
    for load in loads:
        done = sorted(load.seconds)
        p50, p99 = (done[min(len(done) - 1, int(share * len(done)))] for share in (0.5, 0.99))
        rows.append([
            str(load.clients), str(len(done)), str(load.lost), str(load.errors), str(load.statuses[429]),
            f"{p50:.2f}", f"{p99:.2f}", f"{len(done) / load.whole:.2f}",
            f"{max(load.memory, default=0) / 1e9:.2f}", "" if load.growth is None else f"{load.growth - 1:+.1%}",
        ])  # fmt: skip
    head = ["clients", "photos", "lost", "errors", "429", "p50 s", "p99 s", "photos/s", "peak GB", "growth"]
    return format_table(head, rows)


@contextmanager
def running(options: Sequence[str] = ()) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """`chromagan serve` in a process of its own, ready: the process, host and port; it is told to end on leaving.

    Raises:
        ChromaganError: it does not start, or does not end well.
    """
    command = [sys.executable, "-m", "chromagan", "serve", "--port", "0", "--quiet", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=package_environment()) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        address = next((word.rstrip(",") for word in first.split() if word.startswith("http://")), "")
        if not address:
            raise ChromaganError(f"chromagan serve failed: {first.strip() or process.wait()}")
        told = list[str]()
        listener = threading.Thread(target=told.extend, args=(process.stderr,), daemon=True)
        listener.start()
        place = urlsplit(address)
        host, port = str(place.hostname), int(place.port or 80)
        try:
            _until_ready(process, host, port, told)
            yield process, host, port
        finally:
            process.terminate()
            code = process.wait(_PATIENCE)
            listener.join()
        if code:
            raise ChromaganError(f"chromagan serve ended with {code}: {''.join(told).strip()}")


def ask(connection: http.client.HTTPConnection, photo: bytes) -> tuple[int, bytes, int]:
    """Send a photo; the status, the answer, and the seconds after which to come again."""
    connection.request("POST", "/colorize", photo, {"content-type": "image/jpeg"})
    with connection.getresponse() as answer:
        return answer.status, answer.read(), int(answer.headers.get("retry-after", "0"))


def _share(count: int, clients: Sequence[int], photos: int) -> int:
    return photos if count == clients[-1] else min(photos, _EACH * count)


def _load(count: int, photos: int, wanted: list[tuple[bytes, str]], pid: int, host: str, port: int) -> Load:
    load, lock, numbers = Load(count), threading.Lock(), iter(range(photos))

    def client() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return connection.close()
            photo, digest = wanted[number % len(wanted)]
            started, status, answer = time.perf_counter(), 429, b""
            while status == 429:
                try:
                    status, answer, seconds = ask(connection, photo)
                except (OSError, http.client.HTTPException):
                    connection.close()
                    status, seconds = 0, 0
                with lock:
                    load.statuses[status] += 1
                time.sleep(seconds if status == 429 else 0)
            with lock:
                load.seconds.append(time.perf_counter() - started)
                load.lost += status != 200 or _digest(answer) != digest

    threads = [threading.Thread(target=client) for _ in range(count)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        load.memory += resident_bytes(pid)
        time.sleep(_EVERY)
    load.whole = time.perf_counter() - started
    return load


def _until_ready(process: subprocess.Popen[str], host: str, port: int, told: list[str]) -> None:
    """Wait until the service says that it is ready."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", "/ready")
            if json.loads(connection.getresponse().read())["state"] == "ready":
                return
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise ChromaganError(f"chromagan serve did not get ready: {''.join(told).strip()}")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
