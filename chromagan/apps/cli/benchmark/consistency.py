"""`chromagan benchmark consistency`: does a photo keep its colours at other sizes, flipped, cropped, compressed."""

from __future__ import annotations

import argparse
from pathlib import Path

from chromagan.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="colour photos")
    add("--model", nargs="+", action="extend", default=[], metavar="NAME|FILE", help="shipped networks, or files "
        "(default: chromagan)")  # fmt: skip
    add("--limit", type=int, default=100, metavar="N", help="photos, the first by name (default: 100)")
    add("--device", default="auto", metavar="DEVICE")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON; returns the exit code."""
    from chromagan.benchmark.consistency import measure, table
    from chromagan.benchmark.record import machine, write_record
    from chromagan.files.find import find_photo_files
    from chromagan.inference.colorizer import Colorizer

    if args.limit < 1:
        raise UsageError(f"--limit must be at least 1, not {args.limit}")
    photos = find_photo_files(args.data)
    made = {
        model: measure(Colorizer.from_pretrained(model, args.device), photos[: args.limit])
        for model in args.model or ["chromagan"]
    }
    print(table(made))
    write_record(args.out, {**machine(), "consistency": {model: vars(found) for model, found in made.items()}})
    return 0
