"""`chromagan benchmark guidance`: measure what a person's guidance is worth."""

from __future__ import annotations

import argparse
from pathlib import Path

from chromagan.errors import UsageError

MEASURES = {
    "session": "how long a person waits for the first answer and for each stroke, photos of 12 megapixels",
    "strokes": "are strokes met, do they leak, do they stay dots",
    "variations": "is one of five nearer than the plain painting, do they differ, by things or by pixels",
    "palette": "do colours come nearer to a palette the stronger it is, and together",
    "references": "decibels over none",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="colour photos")
    add("--model", nargs="+", action="extend", default=[], metavar="NAME|FILE", help="shipped networks, or files "
        "(default: chromagan)")  # fmt: skip
    told = "; ".join(f"{name}: {about}" for name, about in MEASURES.items())
    add("--measures", nargs="+", action="extend", default=[], choices=list(MEASURES), help=f"{told} (default: all)")
    add("--limit", type=int, default=50, metavar="N", help="photos, drawn by chance (default: 50)")
    add("--seed", type=int, default=0, metavar="SEED", help="decides which photos, and what is drawn (default: 0)")
    add("--device", default="auto", metavar="DEVICE")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON; returns the exit code."""
    if args.limit < 1:
        raise UsageError(f"--limit must be at least 1, not {args.limit}")
    import importlib

    from chromagan.benchmark.guidance import drawn_photos
    from chromagan.benchmark.record import machine, write_record
    from chromagan.inference.colorizer import Colorizer

    photos = drawn_photos(args.data, args.limit, args.seed)
    found: dict[str, dict[str, object]] = {}
    for name in args.measures or MEASURES:
        # One file a measure, each with `measure` and `table`.
        kind = importlib.import_module(f"chromagan.benchmark.guidance.{name}")
        made = {
            model: kind.measure(Colorizer.from_pretrained(model, args.device), photos, args.seed)
            for model in args.model or ["chromagan"]
        }
        found[name] = {model: vars(figures) for model, figures in made.items()}
        print(kind.table(made), flush=True)
    write_record(args.out, {**machine(), "photos": len(photos), "seed": args.seed, "guidance": found})
    return 0
