"""`chromagan benchmark sample`: time colorizing: a photo, a folder, a fresh process, its memory."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from chromagan.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmark's options."""
    add = parser.add_argument
    add("--data", type=Path, metavar="PHOTO|DIR", help="photo or folder to time in a warm process")
    add("--copies", type=int, default=1, metavar="N", help="take every photo N times (a folder of N times as many)")
    add("--runs", type=int, default=5, metavar="N", help="repetitions; medians are shown (default: 5)")
    add("--cold", action="store_true", help="also time fresh processes on a generated photo of 2 megapixels")
    add("--megapixels", type=float, metavar="MP", help="also measure the memory of a process on a generated photo")
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    add("--size", type=int, metavar="PIXELS", help="working size (default: what suits the weights)")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Time, print the table, write the JSON; returns the exit code."""
    if not (args.data or args.cold or args.megapixels):
        raise UsageError("name a photo or a folder with --data, or measure a process with --cold or --megapixels")
    if args.copies < 1 or args.runs < 1 or (args.megapixels is not None and not 0 < args.megapixels <= 500):
        raise UsageError("--copies and --runs are at least 1, and --megapixels lies between 0 and 500")
    from chromagan.benchmark.record import machine, write_record

    record = machine()
    if args.megapixels or args.cold:
        record |= _processes(args)
    if args.data:
        record["warm"] = _warm(args)
    write_record(args.out, record)
    return 0


def _warm(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from chromagan.benchmark.photos import time_folder, time_photo, timings_table
    from chromagan.files.find import find_photo_files
    from chromagan.inference.colorizer import Colorizer

    paths = find_photo_files(args.data) * args.copies
    colorizer = Colorizer.from_pretrained(args.model, args.device, args.size)
    single = len(paths) == 1
    timings = time_photo(colorizer, paths[0], args.runs) if single else time_folder(colorizer, paths, args.runs)
    print(timings_table(timings))
    return {
        "model": colorizer.mark.model,
        "weights_sha256": colorizer.mark.sha256,
        "device": str(colorizer.device),
        "size": colorizer.look.size,
        "torch_threads": torch.get_num_threads(),
        "runs": args.runs,
        "photos": timings.photos,
        "megapixels": timings.megapixels,
        "parts_seconds": timings.parts,
        "stages_seconds": timings.stages,
        "whole_seconds": timings.whole,
        "ratio": timings.ratio,
    }


def _processes(args: argparse.Namespace) -> dict[str, Any]:
    from chromagan.benchmark.photos import make_photo, measure_sample

    options = {"device": args.device, "size": args.size}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if args.megapixels:
            photo = Path(folder) / "large.jpg"
            make_photo(photo, args.megapixels)
            cost = measure_sample(photo, args.model, **options)[0]
            figures["memory"] = {"megapixels": args.megapixels, "peak_bytes": cost.peak_bytes, "seconds": cost.seconds}
            peak = "not told by this system" if cost.peak_bytes is None else f"{cost.peak_bytes / 1e9:.2f} GB"
            print(f"{args.megapixels:g} megapixels in a fresh process: peak memory {peak}, {cost.seconds:.2f} s")
        if args.cold:
            photo = Path(folder) / "cold.jpg"
            make_photo(photo, 2)
            seconds = [cost.seconds for cost in measure_sample(photo, args.model, args.runs, **options)]
            figures["cold"] = {"megapixels": 2, "seconds": seconds, "median": statistics.median(seconds)}
            print(f"fresh process, 2 megapixels: {statistics.median(seconds):.2f} s (median of {args.runs})")
    return figures
