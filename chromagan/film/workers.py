"""Windows through the stages: in this process, or scene by scene in several."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chromagan.errors import ChromaganError, DeviceError, WriteError, describe
from chromagan.film.folder import Parts
from chromagan.film.order import Order
from chromagan.film.plan import Plan, Window
from chromagan.film.stages import FilmStages
from chromagan.inference.batch import TorchThreads, count_processors
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.pipeline import Pipeline, Stage

Step = Callable[[], None]
BYTES_IN_FLIGHT = 256 << 20  # of luma, from decoding to writing
_PATIENCE = 0.5  # seconds after which it is looked whether the other processes are still there


def colour_windows(
    order: Order, plan: Plan, parts: Parts, windows: Iterable[Window], colorizer: Colorizer, on_frame: Step
) -> int:
    """Make the parts of windows, which come in their order.

    Returns:
        How many frames the network has painted.

    Raises:
        ChromaganError: a part failed; those before it stand.
        KeyboardInterrupt: Ctrl-C.
    """
    failed, threads = list[Exception](), TorchThreads()
    stages = FilmStages(order, plan, parts, colorizer, on_frame)

    def source() -> Iterator[Window]:
        yield from itertools.takewhile(lambda _: not failed, windows)

    def report(window: Window, error: Exception | None) -> None:
        if error is not None:
            failed.append(error)

    def one() -> int:
        return 1

    outcome = Pipeline(
        source(),
        [
            Stage("decoder", stages.decode, one, room=1),
            Stage("follower", stages.follow, one, room=1),
            Stage("painter", stages.paint, one, room=1),
            Stage("encoder", stages.encode, one, room=0),
        ],
        weigh=lambda window: (window.ahead - window.start) * order.reel.frame_bytes,
        budget=BYTES_IN_FLIGHT, load=stages.load, enter=threads.enter, leave=threads.give_back,
        explain=lambda window, error: explained(order, error), ordered=True,
    ).run(report)  # fmt: skip
    if failed:
        raise failed[0]
    if outcome.interrupted:
        raise KeyboardInterrupt
    return stages.keys


def explained(order: Order, error: BaseException) -> Exception:
    """The same error in one line that names the film."""
    if isinstance(error, ChromaganError):
        return error
    if isinstance(error, MemoryError):
        return DeviceError(f"{order.reel.path}: memory ran out; use a smaller --size, or fewer --jobs")
    if isinstance(error, OSError):
        return WriteError(f"{order.reel.path}: {error.strerror or error}; the same command goes on from here")
    told = ChromaganError(f"{order.reel.path}: {describe(error)}; --debug shows where")
    told.__cause__ = error
    return told


def share_windows(order: Order, plan: Plan, parts: Parts, windows: Sequence[Window], jobs: int, on_frame: Step) -> int:
    """`colour_windows` in several processes, each of which takes scene after scene."""
    context = multiprocessing.get_context("spawn")
    scenes: Any = context.Queue()
    told: Any = context.Queue()
    by_scene = [list(group) for _, group in itertools.groupby(windows, lambda window: window.scene)]
    jobs = min(jobs, len(by_scene))
    # The longest scenes first, so that none is left over at the end.
    for scene in [*sorted(by_scene, key=lambda scene: scene[0].start - scene[-1].stop), *[None] * jobs]:
        scenes.put(scene)
    crew = [
        context.Process(target=_work, args=(order, plan, parts.path, scenes, told, jobs), daemon=True)
        for _ in range(jobs)
    ]
    try:
        for process in crew:
            process.start()
        return _listen(crew, told, on_frame)
    finally:
        for process in crew:
            if process.pid:
                process.terminate()
                process.join()


def _listen(crew: Sequence[Any], told: Any, on_frame: Step) -> int:
    keys, working = 0, len(crew)
    while working:
        try:
            said = told.get(timeout=_PATIENCE)
        except queue.Empty:
            dead = [process for process in crew if process.exitcode]
            if dead:
                raise ChromaganError(
                    f"a process of --jobs ended by itself (code {dead[0].exitcode}), perhaps for want of memory; the "
                    "same command goes on from here, with fewer --jobs"
                ) from None
            continue
        if isinstance(said, Exception):
            raise said
        if said is None:
            on_frame()
        else:
            keys, working = keys + said, working - 1
    return keys


def _work(order: Order, plan: Plan, path: Path, scenes: Any, told: Any, jobs: int) -> None:
    """One of the processes; it ends with the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first one, which ends the others
    parent = os.getppid()

    def on_frame() -> None:
        if os.getppid() != parent:
            os._exit(1)
        told.put(None)

    def windows() -> Iterator[Window]:
        while (scene := scenes.get()) is not None:
            yield from scene

    try:
        import torch

        torch.set_num_threads(max(1, count_processors() // jobs))
        told.put(colour_windows(order, plan, Parts(path), windows(), order.colorizer(), on_frame))
    except BaseException as error:
        told.put(error if isinstance(error, ChromaganError) else explained(order, error))
