"""`chromagan study`: make the page of a colorization Turing test, or analyse its result files."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from chromagan.errors import ReadError, UsageError

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    make = parser.add_argument_group("make the page")
    add = make.add_argument
    add("--real", type=Path, metavar="DIR", help="folder of real colour photos")
    add("--colorized", nargs="+", action="extend", metavar="NAME=DIR",
        help="folders of their colorized versions (NAME= is optional), matched by name without suffix")  # fmt: skip
    add("--mode", default="pairs", choices=("pairs", "single"),
        help="pairs: which of two is colorized? single: is this one? (default: pairs)")  # fmt: skip
    add("--presentation", default="sequential", choices=("sequential", "together"),
        help="pairs: left, then right for one second each; or both at once (default: sequential)")  # fmt: skip
    add("--practice", type=int, default=10, metavar="N", help="trials with feedback (default: 10)")
    add("--trials", type=int, default=40, metavar="N", help="trials after them (default: 40)")
    add("--attention", type=int, metavar="N",
        help="attention checks among the trials (default: a tenth of them)")  # fmt: skip
    add("--participants", type=int, default=40, metavar="N", help="schedules to make (default: 40)")
    add("--photos", type=int, default=0, metavar="N", help="take N of the photos, drawn by the seed (default: all)")
    add("--seed", type=int, default=0, help="decides photos, order and sides (default: 0)")
    add("--size", type=int, default=256, metavar="PIXELS", help="side of the shown squares (default: 256)")
    add("--encoding", default="png", choices=("png", "jpeg"), help="of the embedded pictures (default: png)")
    add("--title", help="heading of the page")
    add("--contact", default="", help="whom participants hand their file to, such as a mail address")
    add("--consent", type=Path, metavar="FILE", help="plain text that participants agree to, instead of the default")
    analyse = parser.add_argument_group("analyse the answers")
    add = analyse.add_argument
    add("--results", nargs="+", action="extend", metavar="FILES", help="result files, or folders of them")
    add("--min-attention", type=float, default=0.75, metavar="SHARE",
        help="exclude participants who pass a smaller share of the attention checks (default: 0.75)")  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, metavar="DIR",
        help="folder for the page (default: study), or for tables and plot of the results")  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace what stands in the folder")


def run(args: argparse.Namespace) -> int:
    """Make or analyse; returns the exit code."""
    if args.results:
        if args.real or args.colorized:
            raise UsageError("--results analyses answers and --real, --colorized make a page: give one or the other")
        return _analyse(args)
    if not args.real or not args.colorized:
        raise UsageError("give --real DIR and --colorized NAME=DIR to make a page, or --results FILES to analyse one")
    return _make(args)


def _make(args: argparse.Namespace) -> int:
    from chromagan.evaluation.pairs import parse_methods
    from chromagan.evaluation.study.design import StudyOptions
    from chromagan.evaluation.study.page import PageText, write_study

    options = StudyOptions(
        args.mode, args.presentation, args.practice, args.trials, args.attention, args.participants, args.seed,
        args.size,
    )  # fmt: skip
    text = PageText(
        args.title or PageText.title, args.contact, _read_consent(args.consent) if args.consent else PageText.consent
    )
    page = write_study(
        args.real, parse_methods(args.colorized, "--colorized", ("real",)), args.out or Path("study"), options, text,
        args.encoding, args.photos, args.overwrite,
    )  # fmt: skip
    for warning in page.warnings:
        log.warning("warning: %s", warning)
    print(
        f"{page.path}: study {page.study}, {page.photos} photos, {page.pictures} pictures, "
        f"{page.size_bytes / 1e6:.1f} MB; give participants index.html?participant=1 and so on"
    )
    return 0


def _read_consent(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror}); --consent takes a text file") from error
    except UnicodeDecodeError as error:
        raise ReadError(f"{path}: not UTF-8 text; --consent takes a text file") from error


def _analyse(args: argparse.Namespace) -> int:
    from chromagan.evaluation.study.report import FILES, as_table, write_study_report
    from chromagan.evaluation.study.results import analyse_study, find_result_files, read_participant
    from chromagan.files.atomic import refuse_existing

    if args.out and not args.overwrite:
        refuse_existing(args.out, FILES, "-o")
    participants = [read_participant(path) for path in find_result_files(args.results)]
    result = analyse_study(participants, args.min_attention)
    print(as_table(result))
    if args.out:
        write_study_report(result, args.out)
        print(f"written to {args.out}")
    return 0
