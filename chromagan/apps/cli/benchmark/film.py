"""`chromagan benchmark film`: time a film against decoding and encoding it."""

from __future__ import annotations

import argparse
from pathlib import Path

from chromagan.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FILM", help="film to time")
    add("--runs", type=int, default=1, metavar="N", help="repetitions; medians are shown (default: 1)")
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--size", type=int, metavar="PIXELS", help="working size (default: what suits the weights)")
    add("--no-steady", action="store_true", help="time every frame painted by itself")
    add("--jobs", type=int, default=1, metavar="N", help="processes that share the scenes (default: 1)")
    add("--codec", default="h264", metavar="NAME", help="as for chromagan film (default: h264)")
    add("--crf", type=int, metavar="N", help="as for chromagan film")
    add("--preset", metavar="NAME", help="as for chromagan film")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Time, print the table, write the JSON; returns the exit code."""
    if args.runs < 1:
        raise UsageError(f"--runs must be at least 1, not {args.runs}")
    try:
        from chromagan.benchmark.film import time_film, timings_table
        from chromagan.film.part import Coding
    except ImportError as error:
        raise UsageError(f'films need {error.name}; run: pip install "chromagan[film]"') from error
    from chromagan.benchmark.record import machine, write_record

    record = machine()
    options = ["--model", args.model, "--jobs", str(args.jobs)]
    options += ["--size", str(args.size)] if args.size else []
    options += ["--no-steady"] if args.no_steady else []
    timings = time_film(args.data, options, Coding(args.codec, args.crf, args.preset), args.runs)
    print(timings_table(timings))
    write_record(args.out, {**record, "options": options, "film": vars(timings)})
    return 0
