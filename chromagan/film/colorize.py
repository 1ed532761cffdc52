"""Film in, film out: `colorize`."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chromagan.errors import ReadError, UsageError
from chromagan.files.atomic import told
from chromagan.film.folder import PartsFolder
from chromagan.film.guides import TimedReference, check_guides, seconds_of, time_name
from chromagan.film.join import check_output, join
from chromagan.film.mark import read_provenance
from chromagan.film.order import Order
from chromagan.film.part import Coding, fitted
from chromagan.film.pictures import upright
from chromagan.film.plan import Plan, make_plan
from chromagan.film.reel import Reel, open_reel
from chromagan.film.resume import missing_windows
from chromagan.film.workers import colour_windows, share_windows
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.write import write_photo
from chromagan.inference.request import Request

log = logging.getLogger(__name__)


@dataclass
class FilmOutcome:
    """How it went.

    Attributes:
        frames: of the film that was made.
        scenes: in it.
        keys: frames that the network painted in this run.
        damaged: frames that could not be decoded whole, and were passed through gray.
        notes: what could not be kept, a line each.
        finished_before: the film stood there already, made with the same options.
    """

    frames: int = 0
    scenes: int = 0
    keys: int = 0
    damaged: int = 0
    notes: tuple[str, ...] = ()
    finished_before: bool = False


class Progress(Protocol):
    """Told how far the work is."""

    def begin(self, what: str, frames: int | None, done: int = 0) -> None:
        """A pass over so many frames begins, if they are known, of which some are done."""

    def step(self) -> None:
        """One frame more; from any thread."""


class _Silent:
    """Nobody is told."""

    def begin(self, what: str, frames: int | None, done: int = 0) -> None:
        """Nothing."""

    def step(self) -> None:
        """Nothing."""


def colorize(
    film: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    model: str = "chromagan",
    device: str = "auto",
    request: Request | None = None,
    references: Sequence[str] = (),
    hints: str | os.PathLike[str] | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    bits: int | None = None,
    start: str | float | None = None,
    stop: str | float | None = None,
    jobs: int = 1,
    steady: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FilmOutcome:
    """Colour a film; its Y plane, stamps, sound and all else stay.

    The network paints key frames; their colours are carried along the motion of each scene. What is finished stands in
    OUTPUT.parts until the film is whole, and the same call goes on from there after whatever ended it.

    Args:
        film: any container and codec that FFmpeg reads.
        output: the film to make; its ending is its container. It stands there once it is whole.
        model: as for `Colorizer.from_pretrained`.
        device: "auto", "cpu", "cuda" or "mps".
        request: what is asked for of every frame.
        references: colour photos, as `PHOTO` for all scenes or `TIME=PHOTO` for the scene at that time.
        hints: a folder of what `export_frames` wrote, with hints or colours.
        codec: "h264", "h265", "av1", "ffv1" or "prores"; what suits the output's ending and the film's depth unless
            given.
        crf: quality, lower is better; the codec's usual one unless given.
        preset: the encoder's speed, in its own words.
        bits: of a sample in the output, such as 10; the film's own unless given. More let colours change more finely.
        start: first time that is coloured, seconds or HH:MM:SS.
        stop: the time at which it ends.
        jobs: processes that share the scenes. A script that asks for more than one does so under
            `if __name__ == "__main__":`, as with all of Python's multiprocessing.
        steady: False paints every frame by itself, as a photo.
        overwrite: write over an output that stands there.
        progress: told how far it is.

    Raises:
        UsageError: options that do not go together.
        ReadError: the film cannot be read.
        WriteError: the output, or its parts, cannot be written.
        KeyboardInterrupt: Ctrl-C; finished parts stay.
    """
    output, progress, request = Path(output), progress or _Silent(), request or Request()
    if jobs < 1:
        raise UsageError(f"--jobs {jobs}: at least 1")
    # 1. What is asked for, before anything takes time.
    found = open_reel(Path(film)).clip(seconds_of(start), seconds_of(stop))
    coding = Coding.suited(output, found.bits, codec, crf, preset, bits)
    check_output(output, coding.codec)
    reel = fitted(found, coding)
    timed = tuple(TimedReference.parse(text) for text in references)
    check_guides(timed, None if hints is None else Path(hints))
    order = Order(reel, coding, model, device, request, timed, None if hints is None else Path(hints), steady)
    colorizer = order.colorizer()
    mark = order.mark(colorizer)
    if output.is_dir():
        raise UsageError(f"{output}: is a folder; name a file")
    if output.exists() and output.samefile(reel.path):
        raise UsageError(f"{output}: is the film itself; give the output another name")
    if output.exists() and not overwrite:
        if _mark_of(output) == mark:
            return FilmOutcome(finished_before=True)
        raise UsageError(f"{output}: stands there already; --overwrite makes it anew")
    for note in reel.notes:
        log.warning("%s", note)
    # 2. The plan: stamps, scenes, windows.
    folder = PartsFolder(output, order.values(mark))
    try:
        plan = folder.plan
        if plan is None:
            progress.begin("looking for scenes", reel.expected_frames)
            plan = folder.keep(make_plan(reel, progress.step))
        told = [*reel.notes, *_cut_short(reel, plan), *order.guides(plan).left_out]  # wrong times are refused now
        for line in told[len(reel.notes) :]:
            log.warning("%s", line)
        # 3. The parts that are missing.
        windows = plan.windows(reel.frame_bytes)
        missing = missing_windows(windows, folder)
        done = len(plan.pts) - sum(window.stop - window.start for window in missing)
        progress.begin("colouring", len(plan.pts), done)
        if jobs > 1:
            keys = share_windows(order, plan, folder, missing, jobs, progress.step)
        else:
            keys = colour_windows(order, plan, folder, missing, colorizer, progress.step)
        # 4. All of it, under its name.
        parts = [folder.part(window.number) for window in windows]
        begin, end = (None if tick is None else float(tick * reel.time_base) for tick in reel.span)
        notes = join(parts, reel, plan.pts, output, mark, start=begin, stop=end)
    except BaseException:
        folder.release()
        raise
    folder.remove()
    for note in notes:
        log.warning("%s", note)
    return FilmOutcome(len(plan.pts), len(plan.scenes), keys, len(plan.damaged), (*told, *notes))


def _cut_short(reel: Reel, plan: Plan) -> list[str]:
    """A line on a film whose pictures end well before the time that it says."""
    end = reel.seconds_at(plan.pts[-1]) + float(1 / reel.rate)
    if reel.seconds is None or reel.span[1] is not None or end > reel.seconds - 1:
        return []
    return [f"{reel.path}: its pictures end after {end:.3g} s, where it says {reel.seconds:.3g} s; it may be cut short"]


def _mark_of(output: Path) -> ProvenanceMark | None:
    """Of what stands there, which need not be a film."""
    try:
        return read_provenance(output)
    except ReadError:
        return None


def export_frames(
    film: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    start: str | float | None = None,
    stop: str | float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a frame of each scene as a gray PNG that is called by its time, to be corrected and given as `hints`.

    Args:
        film: as for `colorize`.
        folder: where to; it is made if need be.
        start: first time that is looked at.
        stop: the time at which that ends.
        overwrite: write over frames that stand there.
        progress: told how far it is.

    Returns:
        The files.

    Raises:
        UsageError: a frame stands there already.
        ReadError: the film cannot be read.
        WriteError: the folder cannot be written.
    """
    folder, progress = Path(folder), progress or _Silent()
    reel = open_reel(Path(film)).clip(seconds_of(start), seconds_of(stop))
    progress.begin("looking for scenes", reel.expected_frames)
    plan = make_plan(reel, progress.step)
    # The middle of a scene: away from fades at its ends.
    ends = [*plan.scenes[1:], len(plan.pts)]
    numbers = [_whole(plan, (begin + end) // 2, begin) for begin, end in zip(plan.scenes, ends, strict=True)]
    files = [folder / f"{time_name(reel.seconds_at(plan.pts[number]))}.png" for number in numbers]
    there = [file for file in files if file.exists()]
    if there and not overwrite:
        raise UsageError(f"{there[0]}: stands there already; --overwrite writes over it")
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for number, file in zip(numbers, files, strict=True):
        (frame,) = plan.decoded(reel, number, number + 1)
        write_photo(upright(frame, reel), file, None)
    return files


def _whole(plan: Plan, number: int, first: int) -> int:
    """The frame, or the nearest one before it in its scene that is not damaged."""
    return next((one for one in range(number, first - 1, -1) if one not in plan.damaged), number)
