"""`chromagan benchmark archive`: what an archive on a cluster costs, and whether kills lose anything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chromagan.errors import ChromaganError, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--photos", type=int, metavar="N", help="time N generated photos against sample.py, on a disk and on stores "
        "that take 20 ms longer for every answer, and follow the memory")  # fmt: skip
    add("--megapixels", type=float, default=0.5, metavar="MP", help="of each photo (default: 0.5)")
    add("--runs", type=int, default=1, metavar="N", help="repetitions; medians are shown (default: 1)")
    add("--names", type=int, metavar="N", help="list a store of N names, once in peace and once killed half-way")
    add("--kill-workers", type=int, default=0, metavar="N", help="kill N workers in an archive of --photos photos, and "
        "look for what is lost, twice or other; nothing is timed then")  # fmt: skip
    add("--kill-drivers", type=int, default=0, metavar="N", help="kill N commands, too")
    add("--costs", action="store_true", help="what a photo costs, and a million of them on 1, 16 and 256 nodes, from "
        "--photos photos and twice as many; nothing else is timed then")  # fmt: skip
    add("--node-processors", type=int, default=16, metavar="N", help="of a node, for --costs (default: 16)")
    add("--node-price", type=float, default=0.7, metavar="MONEY", help="of a node for an hour (default: 0.7)")
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--size", type=int, metavar="PIXELS", help="working size (default: what suits the weights)")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write the JSON; returns the exit code."""
    kills = args.kill_workers + args.kill_drivers
    if not (args.photos or args.names) or ((kills or args.costs) and not args.photos):
        raise UsageError("say how many photos are painted with --photos, or how many names are listed with --names")
    if min(args.photos or 1, args.names or 1000, args.runs) < 1 or (args.names or 1000) < 1000:
        raise UsageError("--photos and --runs are at least 1, and --names at least 1000")
    try:
        from chromagan.benchmark.archive.costs import costs_table, measure_costs
        from chromagan.benchmark.archive.kills import kill_archive
        from chromagan.benchmark.archive.listing import listing_words, time_listing
        from chromagan.benchmark.archive.speed import time_archive, timings_table
    except ImportError as error:
        raise UsageError(f'archives need {error.name}; run: pip install "chromagan[archive]"') from error
    from chromagan.benchmark.record import machine, write_record

    record: dict[str, Any] = machine()
    options = ["--model", args.model, *([] if args.size is None else ["--size", str(args.size)])]
    if args.names:
        listing = time_listing(args.names)
        print(listing_words(listing))
        record["listing"] = vars(listing)
    if kills:
        survived = kill_archive(args.photos, args.megapixels, args.kill_workers, args.kill_drivers, options)
        record["kills"] = vars(survived)
        print(", ".join(f"{name} {count}" for name, count in vars(survived).items()))
        if survived.lost or survived.other or survived.twice or survived.more:
            raise ChromaganError("kills changed what an archive becomes; this must not be")
    elif args.costs:
        costs = measure_costs(args.photos, args.megapixels, options)
        print(costs_table(costs, args.node_processors, args.node_price))
        record["costs"] = vars(costs)
    elif args.photos:
        timings = time_archive(args.photos, args.megapixels, options, args.runs)
        print(timings_table(timings))
        record |= {"options": options, "megapixels": args.megapixels, "archive": vars(timings)}
    write_record(args.out, record)
    return 0
