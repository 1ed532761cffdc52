"""`chromagan benchmark train`: time the training loop against its arithmetic and a plain loop."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from chromagan.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--preset", default="paper", help="configuration to time (default: paper, with random weights)")
    add("--data", nargs="+", action="extend", metavar="PHOTOS", help="training photographs (default: generated ones)")
    add("--steps", type=int, default=4, metavar="N", help="steps of a timed stretch (default: 4)")
    add("--runs", type=int, default=3, metavar="N", help="stretches; medians are shown (default: 3)")
    add("--precision", help="autocast of the generator; bfloat16 where it is fast unless given")
    add("--compile", action="store_true", help="compile the generator")
    add("--cache", default="none", help="none, ram or device")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Time, print the tables, write the JSON; returns the exit code."""
    if args.steps < 1 or args.runs < 1:
        raise UsageError("--steps and --runs are at least 1")
    from chromagan.benchmark.photos import make_photo
    from chromagan.benchmark.record import machine, write_record
    from chromagan.benchmark.training import time_training, training_tables
    from chromagan.compute.device import choose_device
    from chromagan.training.config import from_preset

    record = machine()
    with tempfile.TemporaryDirectory() as folder:
        if not args.data:
            (Path(folder) / "photos").mkdir()
            for number in range(32):
                make_photo(Path(folder) / "photos" / f"{number}.jpg", 0.07)
        config = from_preset(
            args.preset, data=args.data or [str(Path(folder) / "photos")], no_pretrained=True, warmup=0,
            precision=args.precision or "auto", compile=args.compile, cache=args.cache, trunk_start=0,
            adversarial_start=0,
        )  # fmt: skip
        timings = time_training(config, Path(folder) / "run", choose_device(args.device), args.steps, args.runs)
    title = f"{args.preset}, batch {config.schedule.batch_size}, {config.photos.size} px"
    print(training_tables(timings, title))
    figures = {**vars(timings), "bookkeeping": timings.bookkeeping, "config": config.flat()}
    write_record(args.out, {**record, "training": figures})
    return 0
