"""`chromagan benchmark models`: how fast the networks are on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from chromagan.errors import UsageError

SIZES = (128, 256, 512)
PRECISIONS = ("float32", "bfloat16", "float16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--models", nargs="+", action="extend", metavar="NAME|FILE",
        help="networks or weights files; others are compared with the first (default: the whole zoo)")  # fmt: skip
    add("--sizes", type=int, nargs="+", action="extend", metavar="PIXELS",
        help=f"sides of the square input (default: {' '.join(map(str, SIZES))})")  # fmt: skip
    add("--precision", nargs="+", action="extend", metavar="NAME",
        help=f"{', '.join(PRECISIONS)} (default: all); what the device has not is left out and told")  # fmt: skip
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    add("--batch-size", type=int, default=4, metavar="N", help="photos a batch, for the throughput (default: 4)")
    add("--runs", type=int, default=20, metavar="N", help="timed forward passes of each cell (default: 20)")
    add("--threads", type=int, metavar="N", help="threads on the CPU (default: PyTorch's choice)")
    add("--photo", type=Path, metavar="FILE", help="photo to time from file to file (default: a generated one, 2 MP)")
    add("--no-memory", action="store_true", help="leave peak memory out (on the CPU it takes a process a cell)")
    add("--plain", action="store_true", help="time each network as a plain module in PyTorch's own layout, too")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON, and the tables beside it as .md")


def run(args: argparse.Namespace) -> int:
    """Time, print the tables, write them; returns the exit code."""
    if args.out and args.out.suffix == ".md":
        raise UsageError(f"--out {args.out}: that is the name of the tables; give one for the JSON, such as speed.json")
    from chromagan.benchmark.models import Settings, time_models
    from chromagan.benchmark.record import machine, write_record
    from chromagan.benchmark.report import as_json, as_markdown

    settings = Settings(
        args.models, args.sizes or SIZES, args.precision or PRECISIONS, args.device, args.batch_size, args.runs,
        args.threads, args.photo, not args.no_memory, args.plain,
    )  # fmt: skip
    record, report = machine(), time_models(settings)
    table = as_markdown(report)
    print(table)
    write_record(args.out, {**record, **as_json(report)}, table)
    return 0
