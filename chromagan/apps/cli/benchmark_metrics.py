"""`chromagan benchmark metrics`: time the metrics of `chromagan evaluate` against scikit-image's."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from chromagan.errors import UsageError, WriteError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--data", type=Path, metavar="PHOTO|DIR", help="photos to make the pairs from (default: generated ones)")
    add("--size", type=int, default=256, metavar="PIXELS", help="side of the pictures (default: 256)")
    add("--pairs", type=int, default=32, metavar="N", help="pairs of picture and truth (default: 32)")
    add("--runs", type=int, default=3, metavar="N", help="rounds; medians are shown (default: 3)")
    add("--workers", type=int, metavar="N", help="threads (default: as `chromagan evaluate`)")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Time, print the table, write the JSON; returns the exit code."""
    if args.size < 11 or args.pairs < 1 or args.runs < 1 or (args.workers is not None and args.workers < 1):
        raise UsageError("--size is at least 11, and --pairs, --runs and --workers are at least 1")
    from chromagan.benchmark.metrics import make_pairs, time_metrics
    from chromagan.compute.versions import versions
    from chromagan.files.atomic import write_json
    from chromagan.files.find import find_photo_files
    from chromagan.reports.tables import format_table

    photos = find_photo_files(args.data) if args.data else []
    with tempfile.TemporaryDirectory() as folder:
        timings = time_metrics(make_pairs(Path(folder), photos, args.pairs, args.size), args.runs, args.workers)
    whole = timings.milliseconds["scikit-image"]
    rows = [(name, f"{value:.2f}", f"1 / {whole / value:.1f}") for name, value in timings.milliseconds.items()]
    title = f"{args.size} px, {timings.workers} thread{'s' * (timings.workers > 1)}"
    print(format_table((title, "ms a pair", "of scikit-image"), rows))
    off = ", ".join(f"{metric} {value:.1e}" for metric, value in timings.differences.items())
    print(f"largest difference from scikit-image over {timings.pairs} pairs: {off}")
    if args.out:
        figures = {**vars(timings), "ratio": timings.ratio, "size": args.size, "runs": args.runs}
        try:
            write_json(args.out, {"versions": versions(), "processors": os.cpu_count(), "metrics": figures})
        except OSError as error:
            raise WriteError(f"{args.out}: cannot be written ({error.strerror}); choose another --out") from error
    return 0
