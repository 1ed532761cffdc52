"""`chromagan sample`: colorize files, folders and patterns."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import logging
import os
import re
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.apps.cli import wishes, words
from chromagan.errors import ChromaganError, UsageError, WriteError
from chromagan.files.atomic import remove_abandoned
from chromagan.files.suffixes import WRITTEN, is_photo_name
from chromagan.inference.request import Request
from chromagan.models.look import VIEWS

if TYPE_CHECKING:
    from chromagan.inference.batch_plan import Job, Plan
    from chromagan.inference.colorizer import Colorizer

log = logging.getLogger(__name__)
FORMATS = ("jpeg", "png", "tiff", "webp", "heif", "avif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.usage = "chromagan sample PHOTO... [-o OUT] [options]"
    parser.add_argument("inputs", nargs="*", metavar="PHOTO", help="photos, folders (with all below them) and "
        "patterns; - for one photo from stdin")  # fmt: skip

    add = parser.add_argument_group("what is colorized").add_argument
    add("--no-recursive", action="store_true", help="pass over the folders in a folder")
    add("--exclude", action="append", default=[], metavar="PATTERN", help="leave out what is so called, such as "
        "'*-copy.jpg' or 'drafts' (may be given again)")  # fmt: skip
    add("--accept-truncated", action="store_true", help="colorize photos whose end is missing too, as far as they go "
        "(they are refused as damaged otherwise)")  # fmt: skip
    add("--demo", action="store_true", help="photographs that scikit-image carries")

    add = parser.add_argument_group("how").add_argument
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", type=device_name, metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps "
        "(default: auto)")  # fmt: skip
    add("--batch-size", type=int, default=4, metavar="N", help="photos that go through the network together")
    add("--size", type=int, metavar="PIXELS", help="working size, the short side that the network sees; larger sees "
        "finer things, smaller grasps the whole better (default: what suits the weights)")  # fmt: skip
    add("--views", type=int, choices=VIEWS, help="how often the network sees a photo: 1, 2 at half the size too, 4 "
        "mirrored too; what it answers is averaged (default: what suits the weights)")  # fmt: skip
    add("--saturation", type=float, metavar="FACTOR", help="1 is as the network paints")
    add("--warmth", type=float, metavar="AMOUNT", help="-1 to 1: colder, or warmer, than the network "
        "paints")  # fmt: skip
    wishes.add_arguments(parser)

    add = parser.add_argument_group("what is written").add_argument
    add("-o", "--out", metavar="OUT", help="output folder, or the output file of one photo; - for stdout (default: "
        "colorized; with --suffix, the folder of each photo)")  # fmt: skip
    add("--suffix", default="", metavar="TEXT", help="behind the names of outputs: _colour makes a_colour.jpg of a.jpg")
    add("--format", type=format_name, metavar="FORMAT", help="of all outputs: jpeg (or jpg), png, tiff, webp, heif or "
        "avif (default: that of the input)")  # fmt: skip
    add("--quality", type=int, default=95, help="of lossy formats, 1 to 100 (default: 95)")
    add("--compare", action="store_true", help="also write NAME-compare: before | after")
    add("--layer", action="store_true", help="also write NAME-layer.png, the colour alone at one lightness (.tif for a "
        "TIFF): lay it over the photo in an image editor with the blend mode 'Color' or 'LCh color'")  # fmt: skip
    add("--overwrite", action="store_true", help="write over outputs that exist (finished ones are skipped otherwise)")
    add("--no-metadata", action="store_true", help="carry no EXIF, XMP and IPTC over; the mark that says that the "
        "colours are generated is always written")  # fmt: skip
    add("--keep-date", action="store_true", help="give outputs the file date of their photo")

    add = parser.add_argument_group("what is told").add_argument
    add("--dry-run", action="store_true", help="list what would be done, and do nothing")
    add("--quiet", action="store_true", help="no progress and no summary; errors are told")
    add("--log", type=Path, metavar="FILE.jsonl", help="a line of JSON for each photo: done, skipped, passed over or "
        "failed, and why")  # fmt: skip
    add("--debug", action="store_true", help="show the traceback of every error")


def device_name(text: str) -> str:
    """A device as `--device` takes it."""
    if not re.fullmatch(r"auto|cpu|(cuda|mps)(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"there is no device {text!r}; choose auto, cpu, cuda, cuda:1 or mps")
    return text


def format_name(text: str) -> str:
    """A format as `--format` takes it: its name or an ending."""
    name = WRITTEN.get(f".{text.lower().lstrip('.')}", text.lower())
    if name not in FORMATS:
        raise argparse.ArgumentTypeError(f"there is no format {text!r}; choose one of {', '.join(FORMATS)}")
    return name


def run(args: argparse.Namespace) -> int:
    """Colorize; returns the exit code."""
    request = _check(args)
    with contextlib.ExitStack() as stack:
        stack.enter_context(words.lossy("stdout"))
        folder = None
        if args.out == "-" or args.inputs == ["-"]:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chromagan-")))
        record = stack.enter_context(_Record(args.log, args.out))
        plan = _plan(args, request, folder)
        _tell(plan, record)
        if args.dry_run:
            return _rehearse(args, plan, record)
        code = _colorize(args, plan, record)
        if args.out == "-" and code == 0:
            from chromagan.apps.cli.piped import send

            send(plan.jobs[0].pictures[0].output)
        return code


def _check(args: argparse.Namespace) -> Request:
    """What is asked for, if it makes sense."""
    if args.reference and not (args.inputs or args.demo):
        raise UsageError("--reference takes all names behind it; name the photos to colorize before it, or behind a --")
    if not (args.inputs or args.demo):
        raise UsageError("name photos, folders or patterns to colorize, or use --demo")
    if "" in args.inputs or args.out == "":  # a variable of a script that is not set
        empty = "-o" if args.out == "" else "one of the inputs"
        raise UsageError(f"{empty} is an empty name; write . for the folder you are in")
    if args.demo and args.inputs:
        raise UsageError("--demo brings its own photographs; leave the inputs out")
    wishes.check(args)
    if not 1 <= args.quality <= 100:
        raise UsageError(f"--quality must lie between 1 and 100, not {args.quality}")
    if args.batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1, not {args.batch_size}")
    if re.search(r"[/\\\0-\x1f]", args.suffix):
        raise UsageError(f"--suffix {args.suffix!r} is no part of a file's name; give letters, such as _colour")
    if args.log == Path("-"):
        raise UsageError("--log - is no file; name a .jsonl file, or /dev/stdout")
    if args.log and is_photo_name(args.log):
        raise UsageError(f"--log {args.log} is a photo by its name, and would be written over; name a .jsonl file")
    if "-" in args.inputs and len(args.inputs) > 1:
        raise UsageError("- is one photo from stdin; leave the other inputs out")
    if args.out is None:
        args.out = "-" if args.inputs == ["-"] else None if args.suffix and not args.demo else "colorized"
    _check_stdout(args)
    return Request(guidance=wishes.wished(args), **wishes.given(args))


def _check_stdout(args: argparse.Namespace) -> None:
    if args.out == "-" and (args.compare or args.layer or args.demo or args.dry_run):
        raise UsageError("-o - writes one photo to stdout; leave --compare, --layer, --demo and --dry-run out")
    if args.out == "-" and (args.variations or 0) > 1:
        raise UsageError("-o - writes one photo to stdout, and there are several variations; name a folder with -o")
    if args.out == "-" and sys.stdout.isatty():
        raise UsageError("-o - writes a photo to stdout, which is a terminal; send it on, or name a file with -o")


def _plan(args: argparse.Namespace, request: Request, folder: Path | None) -> Plan:
    from chromagan.inference.batch_masks import with_masks
    from chromagan.inference.batch_plan import check_jobs, plan_jobs

    @functools.cache
    def weights() -> str:
        return weights_digest(args.model)

    if args.demo:
        from chromagan.apps.cli.demo import demo_jobs

        jobs = demo_jobs(args.out, args.format, args.compare, args.layer)
        return check_jobs([job.with_request(request) for job in jobs], args.overwrite, None, weights)
    inputs, out = args.inputs, args.out
    if folder is not None:
        from chromagan.apps.cli.piped import receive, received_job

        inputs = [str(receive(folder))] if inputs == ["-"] else inputs
        out = folder / "out" if out == "-" else out
    plan = plan_jobs(
        inputs,
        out,
        photo_format=args.format,
        compare=args.compare,
        layer=args.layer,
        overwrite=args.overwrite,
        request=request,
        hints=args.hints,
        firm=wishes.given(args),
        masks=functools.partial(with_masks, masks=wishes.masks(args)),
        suffix=args.suffix,
        exclude=args.exclude,
        recursive=not args.no_recursive,
        weights=weights,
    )
    plan.jobs = [replace(job, accept_truncated=args.accept_truncated) for job in plan.jobs]
    if args.inputs == ["-"]:
        plan.jobs = [received_job(job) for job in plan.jobs]
    if args.out == "-" and len(plan.jobs) > 1:
        raise UsageError(f"-o - writes one photo to stdout, and there are {len(plan.jobs)}; name a folder with -o")
    return plan


def weights_digest(model: str) -> str:
    """The digest that stands in the mark of these weights; an error where they cannot be loaded."""
    from chromagan.pretrained.hub import load_pretrained

    return load_pretrained(model)[1].sha256


def _tell(plan: Plan, record: _Record) -> None:
    """What is known before any work."""
    for source, reason in plan.refused:
        log.error("%s: %s", source, reason)
        record.add(source, "failed", error=reason)
    for status, why, sources in (
        ("skipped", "finished before", plan.skipped), ("skipped", "made before with other options", plan.kept),
        ("passed over", "of another kind", plan.passed), ("passed over", "an output of an earlier run", plan.ours),
    ):  # fmt: skip
        for source in sources:
            record.add(source, status, reason=why)
    if plan.kept:
        log.warning(
            "%d outputs stand that other options or weights made, such as that of %s; --overwrite makes them anew",
            len(plan.kept), plan.kept[0],
        )  # fmt: skip


def _rehearse(args: argparse.Namespace, plan: Plan, record: _Record) -> int:
    for job in plan.jobs:
        record.add(job.source, "planned", outputs=list(map(str, job.outputs)))
        shown = [path for one in job.pictures for path in (one.output, one.compare, one.layer)]
        for path in filter(None, [*shown, job.sheet]):
            print(words.spelled(f"{job.source} -> {path}"))
    _say(args, plan, f"{len(plan.jobs)} to colorize", len(plan.refused))
    return 1 if plan.refused else 0


def _colorize(args: argparse.Namespace, plan: Plan, record: _Record) -> int:
    if not plan.jobs:
        _say(args, plan, "0 colorized", len(plan.refused))
        return 1 if plan.refused else 0
    # 1. The work, among what a killed run left half-written.
    from chromagan.inference.batch import colorize_files
    from chromagan.inference.sinks import Files

    def make_colorizer() -> Colorizer:
        from chromagan.inference.colorizer import Colorizer

        colorizer = Colorizer.from_pretrained(args.model, args.device, batch_size=args.batch_size)
        # One that has no colours is told once, before any photo is painted.
        for reference in {one for job in plan.jobs for one in job.request.guidance.references}:
            colorizer.album.seen(reference)
        return colorizer

    for place in {path.parent for job in plan.jobs for path in job.outputs}:
        remove_abandoned(place)
    progress = _Progress(len(plan.jobs), args, record)
    try:
        files = Files(not args.no_metadata, args.quality, args.keep_date)
        outcome = colorize_files(plan.jobs, make_colorizer, progress.report, files)
    except ChromaganError:
        progress.close()
        raise
    # 2. How it went.
    failed = len(plan.refused) + outcome.failed
    with words.last_words(words.INTERRUPTED) if outcome.interrupted else contextlib.nullcontext():
        progress.close()
        if outcome.unreported is not None:
            log.warning("the progress could not be shown: %s", outcome.unreported)
        _say(args, plan, f"{outcome.done} colorized", failed)
    if outcome.interrupted:
        raise KeyboardInterrupt
    return 1 if failed else 0


def _say(args: argparse.Namespace, plan: Plan, done: str, failed: int) -> None:
    """The summary: on stdout, unless that carries the photo."""
    kinds = Counter(path.suffix.lower() or "no ending" for path in plan.passed).most_common()
    named = ", ".join(f"{count} {kind}" for kind, count in kinds[:5]) + (", ..." if len(kinds) > 5 else "")
    parts = (
        (len(plan.skipped), "finished before and skipped"),
        (len(plan.kept), "made before with other options and kept"),
        (len(plan.ours), "of earlier runs passed over"),
        (len(plan.passed), f"of other kinds passed over ({named})"),
        (failed, "failed"),
    )
    told = ", ".join([done, *(f"{count} {what}" for count, what in parts if count)])
    if args.quiet:
        return
    if args.out == "-":
        log.info("%s", told)
    else:
        place = "beside the photos" if args.out is None else f"in {args.out}"
        print(words.spelled(f"{told}; output {place}"), flush=True)


class _Record:
    """The list of what became of each photo, a line of JSON each; nothing where no file is named."""

    def __init__(self, path: Path | None, out: str | None) -> None:
        self._path = path
        self._own = bool(path and out and not is_photo_name(out) and Path(out).absolute() in path.absolute().parents)

    def __enter__(self) -> _Record:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)  # a pipe would wait for its reader

        try:
            if self._path and self._own:  # in the output folder, which need not be there yet
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path and open(self._path, "w", 1, encoding="utf-8", opener=opener)
            if self._file and hasattr(os, "O_NONBLOCK"):
                os.set_blocking(self._file.fileno(), True)
        except OSError as error:
            raise WriteError(f"--log {self._path}: cannot be written: {error.strerror or error}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self._attempt("")

    def add(self, source: Path, status: str, **more: Any) -> None:
        """Write one photo's line; where the file takes no more, that is told once and the work goes on."""
        self._attempt(json.dumps({"source": str(source), "status": status, **more}) + "\n")

    def _attempt(self, line: str) -> None:
        if not self._file:
            return
        try:
            self._file.write(line) if line else self._file.close()
        except OSError as error:
            self._file = None
            log.warning("--log %s: cannot be written any more: %s", self._path, error.strerror or error)


class _Progress:
    """The progress bar, where a person looks on, and a line for what fails."""

    def __init__(self, total: int, args: argparse.Namespace, record: _Record) -> None:
        from tqdm import tqdm

        disable = True if args.quiet else None
        self._bar = tqdm(total=total, unit="photo", disable=disable, leave=False, file=sys.stderr)
        self._debug, self._record = args.debug, record

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()

    def report(self, job: Job, error: Exception | None) -> None:
        """Count a photo; say what failed."""
        if error is None:
            self._record.add(job.source, "done", outputs=list(map(str, job.outputs)), **job.told)
        else:
            self._record.add(job.source, "failed", error=str(error))
            log.error("%s", error, exc_info=error if self._debug else None)
        self._bar.update()
