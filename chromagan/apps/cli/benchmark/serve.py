"""`chromagan benchmark serve`: load the service with clients, and follow its memory."""

from __future__ import annotations

import argparse
from pathlib import Path

from chromagan.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--clients", type=int, nargs="+", action="extend", metavar="N", help="at the same time, one load after "
        "another (default: 1 4 16)")  # fmt: skip
    add("--photos", type=int, default=1000, metavar="N", help="of the last load; the others have 20 a client "
        "(default: 1000)")  # fmt: skip
    add("--megapixels", type=float, default=2, metavar="MP", help="of a generated photo (default: 2)")
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add("--max-photos", type=int, default=12, metavar="N", help="as for chromagan serve (default: 12, fewer than the "
        "clients, so that some must come again)")  # fmt: skip
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Load, print the table, write the JSON; returns the exit code."""
    clients = args.clients or [1, 4, 16]
    if min(clients) < 1 or args.photos < 1 or not 0 < args.megapixels <= 500:
        raise UsageError("--clients and --photos are at least 1, and --megapixels lies between 0 and 500")
    from chromagan.benchmark.record import machine, write_record
    from chromagan.benchmark.serve import loads_table, time_service

    record = machine()
    options = ["--model", args.model, "--device", args.device, "--max-photos", str(args.max_photos)]
    loads = time_service(clients, args.photos, args.megapixels, options)
    print(loads_table(loads))
    told = [{**vars(load), "growth": load.growth} for load in loads]
    write_record(args.out, {**record, "options": options, "megapixels": args.megapixels, "loads": told})
    return 0
