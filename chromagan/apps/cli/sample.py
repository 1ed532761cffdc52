"""`chromagan sample`: colorize files, folders and patterns."""

from __future__ import annotations

import argparse
import contextlib
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chromagan.apps.cli import words
from chromagan.conditioning.guidance import Guidance
from chromagan.errors import ChromaganError, UsageError
from chromagan.files.find import special_kind
from chromagan.inference.request import Request

if TYPE_CHECKING:
    from chromagan.inference.batch_plan import Job, Plan
    from chromagan.inference.colorizer import Colorizer

INTERRUPTED = 130
FORMATS = ("jpeg", "png", "tiff", "webp", "heif", "avif")
DEVICES = ("auto", "cpu", "cuda", "mps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="photos, folders (with all below them) and patterns")
    add("-o", "--out", default="colorized", help="output folder, or the output file of one photo (default: colorized)")
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", choices=DEVICES)
    add("--size", type=int, metavar="PIXELS", help="working size, the short side that the network sees; larger sees "
        "finer things, smaller grasps the whole better (default: what suits the weights)")  # fmt: skip
    add("--batch-size", type=int, default=4, metavar="N", help="photos that go through the network together")
    add("--saturation", type=float, default=1.0, metavar="FACTOR", help="1 is as the network paints")
    add("--hints", type=Path, metavar="FILE|FOLDER", help="colours at places, for weights that take them: a JSON "
        "file for one photo, or a folder with NAME.json for each photo NAME that has hints")  # fmt: skip
    add("--format", choices=FORMATS, help="format of all outputs (default: that of the input)")
    add("--quality", type=int, default=95, help="of lossy formats, 1 to 100 (default: 95)")
    add("--compare", action="store_true", help="also write NAME-compare: before | after")
    add("--layer", action="store_true", help="also write NAME-layer.png, the colour alone at one lightness (.tif for a "
        "TIFF): lay it over the photo in an image editor with the blend mode 'Color' or 'LCh color'")  # fmt: skip
    add("--overwrite", action="store_true", help="write over outputs that exist (finished ones are skipped otherwise)")
    add("--no-metadata", action="store_true", help="carry no EXIF, XMP and IPTC over; the mark that says that the "
        "colours are generated is always written")  # fmt: skip
    add("--demo", action="store_true", help="colorize photographs that scikit-image carries")
    add("--debug", action="store_true", help="show the traceback of every error")


def run(args: argparse.Namespace) -> int:
    """Colorize; returns the exit code."""
    request = _check(args)
    with words.lossy("stdout"), contextlib.nullcontext() if args.debug else words.quiet_decoders():
        return _colorize(args, request)


def _colorize(args: argparse.Namespace, request: Request) -> int:
    plan = _plan(args, request)
    for source, reason in plan.refused:
        _tell(f"chromagan: error: {source}: {reason}")
    if not plan.jobs:
        print(_summary(0, len(plan.skipped), len(plan.refused), args.out))
        return 1 if plan.refused else 0
    from chromagan.inference.batch import colorize_files
    from chromagan.inference.sinks import Files

    def make_colorizer() -> Colorizer:
        from chromagan.inference.colorizer import Colorizer

        return Colorizer.from_pretrained(args.model, args.device, batch_size=args.batch_size)

    progress = _Progress(len(plan.jobs), args.debug)
    try:
        files = Files(not args.no_metadata, args.quality)
        outcome = colorize_files(plan.jobs, make_colorizer, progress.report, files)
    except ChromaganError:
        progress.close()
        raise
    failed = len(plan.refused) + outcome.failed
    with words.last_words(INTERRUPTED) if outcome.interrupted else contextlib.nullcontext():
        progress.close()
        if outcome.unreported is not None:
            _tell(f"chromagan: warning: the progress could not be shown: {outcome.unreported}")
        print(_summary(outcome.done, len(plan.skipped), failed, args.out), flush=True)
    if outcome.interrupted:
        raise KeyboardInterrupt
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> Request:
    """What is asked for, if it makes sense."""
    if not (args.inputs or args.demo):
        raise UsageError("name photos, folders or patterns to colorize, or use --demo")
    if args.demo and args.inputs:
        raise UsageError("--demo brings its own photographs; leave the inputs out")
    if not 1 <= args.quality <= 100:
        raise UsageError(f"--quality must lie between 1 and 100, not {args.quality}")
    if args.batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1, not {args.batch_size}")
    return Request(saturation=args.saturation, size=args.size)


def _plan(args: argparse.Namespace, request: Request) -> Plan:
    from chromagan.inference.batch_plan import check_jobs, plan_jobs

    if args.hints and args.demo:
        raise UsageError("--hints goes with photos of your own; leave --demo out")
    if args.demo:
        from chromagan.apps.cli.demo import demo_jobs

        jobs = demo_jobs(args.out, args.format, args.compare, args.layer)
        return check_jobs([replace(job, request=request) for job in jobs], args.overwrite)
    plan = plan_jobs(
        args.inputs,
        args.out,
        photo_format=args.format,
        compare=args.compare,
        layer=args.layer,
        overwrite=args.overwrite,
        request=request,
    )
    if args.hints:
        plan.jobs = _guided(plan.jobs, args.hints)
    return plan


def _guided(jobs: list[Job], hints: Path) -> list[Job]:
    """The jobs with what a person says of their colours."""
    if not hints.exists():
        raise UsageError(f"--hints {hints}: there is no such file or folder; check the name")
    kind = special_kind(hints)
    if kind is not None:
        raise UsageError(f"--hints {hints} is {kind}, which is never opened; name a JSON file")
    if not hints.is_dir() and len(jobs) > 1:
        raise UsageError(f"--hints {hints} is of one photo, and there are {len(jobs)}; give a folder with NAME.json")

    def guided(job: Job) -> Job:
        file = hints / f"{job.source.stem}.json" if hints.is_dir() else hints
        if hints.is_dir() and not file.is_file():
            return job
        try:
            guidance = Guidance.from_json(file.read_text(encoding="utf-8-sig"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--hints {file}: cannot be read: {error}") from error
        return replace(job, request=replace(job.request, guidance=guidance))

    return [guided(job) for job in jobs]


def _summary(done: int, skipped: int, failed: int, out: str) -> str:
    parts = [f"{done} colorized"]
    if skipped:
        parts.append(f"{skipped} finished before and skipped")
    if failed:
        parts.append(f"{failed} failed")
    return f"{', '.join(parts)}; output in {out}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


class _Progress:
    """The progress bar, where a person looks on, and error lines that do not tear it."""

    def __init__(self, total: int, debug: bool) -> None:
        from tqdm import tqdm

        self._bar, self._debug = tqdm(total=total, unit="photo", disable=None, leave=False, file=sys.stderr), debug

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()

    def report(self, job: Job, error: Exception | None) -> None:
        """Count a photo; say what failed."""
        if error is not None:
            if self._debug:
                self._bar.write("".join(traceback.format_exception(error)), file=sys.stderr)
            self._bar.write(f"chromagan: error: {error}", file=sys.stderr)
        self._bar.update()
