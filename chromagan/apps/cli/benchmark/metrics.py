"""`chromagan benchmark metrics`: time the metrics of `chromagan evaluate` against scikit-image's."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from chromagan.errors import UsageError


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
    from chromagan.benchmark.metrics import make_pairs, metrics_table, time_metrics
    from chromagan.benchmark.record import machine, write_record
    from chromagan.files.find import find_photo_files

    record = machine()
    photos = find_photo_files(args.data) if args.data else []
    with tempfile.TemporaryDirectory() as folder:
        timings = time_metrics(make_pairs(Path(folder), photos, args.pairs, args.size), args.runs, args.workers)
    print(metrics_table(timings, args.size))
    figures = {**vars(timings), "ratio": timings.ratio, "size": args.size, "runs": args.runs}
    write_record(args.out, {**record, "metrics": figures})
    return 0
