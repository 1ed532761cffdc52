"""`chromagan benchmark metrics|models|networks|sample|train`: time the product here, compare the networks."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.apps.cli import benchmark_metrics, benchmark_models, benchmark_networks
from chromagan.errors import UsageError, WriteError

if TYPE_CHECKING:
    from chromagan.benchmark.photos import Timings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmarks and their options."""
    kinds = parser.add_subparsers(dest="benchmark", metavar="WHAT", required=True)
    sample = kinds.add_parser("sample", help="time colorizing: a photo, a folder, a fresh process, its memory")
    add = sample.add_argument
    add("--data", type=Path, metavar="PHOTO|DIR", help="photo or folder to time in a warm process")
    add("--copies", type=int, default=1, metavar="N", help="take every photo N times (a folder of N times as many)")
    add("--runs", type=int, default=5, metavar="N", help="repetitions; medians are shown (default: 5)")
    add("--cold", action="store_true", help="also time fresh processes on a generated photo of 2 megapixels")
    add("--megapixels", type=float, metavar="MP", help="also measure the memory of a process on a generated photo")
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    add("--size", type=int, metavar="PIXELS", help="working size (default: what suits the weights)")
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")
    models = kinds.add_parser("models", help="time the networks: latency, throughput, memory, roofline, whole photos")
    benchmark_models.add_arguments(models)
    summary = "train the networks for the same budget, and compare them on held-out photos"
    benchmark_networks.add_arguments(kinds.add_parser("networks", aliases=["zoo"], help=summary))
    metrics = kinds.add_parser("metrics", help="time the metrics of `chromagan evaluate` against scikit-image's")
    benchmark_metrics.add_arguments(metrics)
    train = kinds.add_parser("train", help="time the training loop against its arithmetic and a plain loop")
    add = train.add_argument
    add("--preset", default="paper", help="configuration to time (default: paper, with random weights)")
    add("--data", nargs="+", metavar="PHOTOS", help="training photographs (default: generated ones)")
    add("--steps", type=int, default=4, metavar="N", help="steps of a timed stretch (default: 4)")
    add("--runs", type=int, default=3, metavar="N", help="stretches; medians are shown (default: 3)")
    add("--precision", help="autocast of the generator; bfloat16 where it is fast unless given")
    add("--compile", action="store_true", help="compile the generator")
    add("--cache", default="none", help="none, ram or device")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    add("--out", type=Path, metavar="FILE", help="write the figures there as JSON")


def run(args: argparse.Namespace) -> int:
    """Time, print the table, write the JSON; returns the exit code."""
    if args.benchmark == "models":
        return benchmark_models.run(args)
    if args.benchmark in ("networks", "zoo"):  # the old name
        return benchmark_networks.run(args)
    if args.benchmark == "metrics":
        return benchmark_metrics.run(args)
    if args.benchmark == "train":
        return _train(args)
    if not (args.data or args.cold or args.megapixels):
        raise UsageError("name a photo or a folder with --data, or measure a process with --cold or --megapixels")
    if args.copies < 1 or args.runs < 1 or (args.megapixels is not None and not 0 < args.megapixels <= 500):
        raise UsageError("--copies and --runs are at least 1, and --megapixels lies between 0 and 500")
    from chromagan.compute.versions import versions
    from chromagan.files.atomic import write_json

    figures: dict[str, Any] = {"versions": versions(), "processors": os.cpu_count(), "load_before": _load()}
    if args.megapixels or args.cold:
        figures.update(_processes(args))
    if args.data:
        figures["warm"] = _warm(args)
    if args.out:
        try:
            write_json(args.out, figures)
        except OSError as error:
            raise WriteError(f"{args.out}: cannot be written ({error.strerror}); choose another --out") from error
    return 0


def _train(args: argparse.Namespace) -> int:
    if args.steps < 1 or args.runs < 1:
        raise UsageError("--steps and --runs are at least 1")
    from chromagan.benchmark.photos import make_photo
    from chromagan.benchmark.training import time_training
    from chromagan.compute.device import choose_device
    from chromagan.compute.versions import versions
    from chromagan.files.atomic import write_json
    from chromagan.reports.tables import format_table
    from chromagan.training.config import from_preset

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
    rates = timings.images_per_second
    rows = [(name, f"{rate:.2f}", f"{rate / rates['textbook']:.2f}") for name, rate in rates.items()]
    title = f"{args.preset}, batch {config.schedule.batch_size}, {config.photos.size} px"
    print(format_table((title, "images/s", "x textbook"), rows))
    print(format_table(("phase", "seconds"), [(name, f"{value:.4f}") for name, value in timings.phases.items()]))
    share = timings.teraflops / timings.peak_teraflops
    print(f"data, logging, bookkeeping: {100 * timings.bookkeeping:.1f} % of the loop; peak memory "
          f"{timings.peak_bytes / 1e9:.2f} GB; {timings.teraflops:.3f} of {timings.peak_teraflops:.3f} teraflops "
          f"({100 * share:.0f} %)")  # fmt: skip
    if args.out:
        figures = {**vars(timings), "bookkeeping": timings.bookkeeping, "config": config.flat()}
        write_json(args.out, {"versions": versions(), "processors": os.cpu_count(), "training": figures})
    return 0


def _warm(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from chromagan.benchmark.photos import time_folder, time_photo
    from chromagan.files.find import find_photo_files
    from chromagan.inference.colorizer import Colorizer

    paths = find_photo_files(args.data) * args.copies
    colorizer = Colorizer.from_pretrained(args.model, args.device, args.size)
    single = len(paths) == 1
    timings = time_photo(colorizer, paths[0], args.runs) if single else time_folder(colorizer, paths, args.runs)
    print(_table(timings))
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


def _table(timings: Timings) -> str:
    from chromagan.reports.tables import format_table

    total = sum(timings.parts.values())
    rows = [(name, f"{value:.4f}", f"{value / total:.2f}") for name, value in timings.parts.items()]
    rows.append(("their sum", f"{total:.4f}", "1.00"))
    rows += [(f"({name})", f"{value:.4f}", f"{value / total:.2f}") for name, value in timings.stages.items()]
    rows.append(("whole", f"{timings.whole:.4f}", f"{timings.ratio:.2f}"))
    title = f"{timings.photos} photo{'s' * (timings.photos > 1)}, {timings.megapixels:.1f} megapixels"
    return format_table((title, "seconds", "of the sum"), rows)


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


def _load() -> float | None:
    """Work of others on the machine in the last minute, where the system tells: timings under load say little."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
