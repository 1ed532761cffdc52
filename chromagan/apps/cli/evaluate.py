"""`chromagan evaluate`: compare colorizers - folders of pictures by any program, or models - with the truth."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.errors import UsageError

if TYPE_CHECKING:
    from chromagan.evaluation.comparison import Comparison
    from chromagan.evaluation.painters import ModelPainter
    from chromagan.evaluation.result import ComparisonResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    what = parser.add_argument_group("what to compare")
    add = what.add_argument
    add("--pred", nargs="+", default=[], metavar="NAME=DIR", help="folders of colorized pictures (NAME= is optional)")
    add("--truth", type=Path, metavar="DIR", help="true colour photos of the same names, in any format")
    add("--model", nargs="+", default=[], metavar="NAME|FILE",
        help="shipped networks or .safetensors files (NAME=FILE renames); photos become gray first")  # fmt: skip
    add("--data", type=Path, metavar="DIR", help="true colour photos for models (as --truth; model: chromagan)")
    how = parser.add_argument_group("how to measure")
    add = how.add_argument
    add("--protocol", default="folder", metavar="NAME", help="images, crop, size (default: folder, as they are)")
    add("--list", type=Path, metavar="FILE", help="the published list of images that a protocol needs")
    add("--metrics", nargs="+", metavar="NAME", help="default: all that need no network; `all` adds the others")
    add("--metric-networks", type=Path, metavar="DIR", help="folder with the networks that metrics need")
    add("--classifier", metavar="NAME",
        help="timm model for accuracy, agreement and class_kl (default: MobileNetV2)")  # fmt: skip
    add("--classifier-weights", type=Path, metavar="FILE", help="its weights (default: of --metric-networks, or timm)")
    add("--no-download", action="store_true", help="never download a metric's network")
    add("--limit", type=int, metavar="N", help="measure the first N photos only")
    add("--against", choices=("published",), help="print published figures of the protocol beside the own ones")
    models = parser.add_argument_group("models")
    add = models.add_argument
    add("--size", type=int, metavar="PIXELS", help="working size (default: what suits the weights)")
    add("--saturation", type=float, nargs="+", metavar="FACTOR",
        help="factors on the chroma; with several, the network still runs once a photo")  # fmt: skip
    add("--simulated-hints", type=int, nargs="+", metavar="N",
        help="show a model that takes hints N true colours of each photo (0: none); one row each")  # fmt: skip
    add("--hint-size", type=int, metavar="PIXELS", help="side of the hints' squares at the working size (default: 4)")
    add("--hint-seed", type=int, metavar="SEED", help="decides, with a photo's name, where they are (default: 0)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--out", type=Path, metavar="FOLDER",
        help="write report.html, tables, metrics.json and per_image.csv there; a killed run goes on")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the report; returns the exit code."""
    _check(args)
    from chromagan.compute.device import choose_device
    from chromagan.compute.distributed import process_group

    device = str(choose_device(args.device))
    with process_group(device.partition(":")[0]):
        return _compare(args, device)


def _check(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other; fill in what follows from others."""
    if args.data and args.truth:
        raise UsageError("--data and --truth both name the true photos; give one of them")
    if args.pred and not args.truth:
        raise UsageError("--pred needs the true photos: add --truth DIR")
    if args.truth and not (args.pred or args.model):
        raise UsageError("--truth needs something to compare: add --pred NAME=DIR, or --model NAME")
    if not (args.data or args.truth):
        raise UsageError("name what to measure: --pred NAME=DIR --truth DIR, or --model NAME --data DIR")
    if args.data and not args.model:
        args.model = ["chromagan"]
    if not args.model and (args.saturation or args.size):
        raise UsageError("--saturation and --size are for models; add --model, or leave them out")
    _check_hints(args)
    args.saturation = args.saturation or [1.0]
    wrong = [factor for factor in args.saturation if not (factor >= 0 and math.isfinite(factor))]
    if wrong:
        raise UsageError(f"--saturation must be 0 or more, not {wrong[0]}")
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit must be at least 1, not {args.limit}")


def _check_hints(args: argparse.Namespace) -> None:
    if args.simulated_hints is None:
        if args.hint_size is not None or args.hint_seed is not None:
            raise UsageError("--hint-size and --hint-seed are for --simulated-hints; add it, or leave them out")
        return
    if not args.model:
        raise UsageError("--simulated-hints is for models; add --model siggraph17, or leave it out")
    wrong = [count for count in args.simulated_hints if count < 0]
    if wrong:
        raise UsageError(f"--simulated-hints must be 0 or more, not {wrong[0]}")
    if args.hint_size is not None and args.hint_size < 1:
        raise UsageError(f"--hint-size must be at least 1, not {args.hint_size}")


def _compare(args: argparse.Namespace, device: str) -> int:
    from chromagan.evaluation.compare import compare, pictures_of
    from chromagan.evaluation.comparison_report.files import write_comparison
    from chromagan.evaluation.comparison_report.tables import plain_table

    plan, protocol, missing = _plan(args, device)
    label = protocol.label if args.limit is None else f"{protocol.label}, the first {len(plan.pairs.images)}"
    result = compare(plan, label, missing, _description(args, plan))
    if result is None:
        return 0
    frontier = _frontier(args, plan, result)
    print(plain_table(result))
    published = _published(args, result)
    if published:
        print(f"\n{published}")
    for warning in result.warnings:
        print(f"chromagan: {warning}", file=sys.stderr)
    if args.out:
        pictures = pictures_of(plan, tuple(result.settings["mean_ab"]))
        write_comparison(result, pictures, args.out, {"results": frontier}, published)
        print(f"written to {args.out}")
    for reason in dict.fromkeys(result.missing.values()):
        print(f"chromagan: {reason}", file=sys.stderr)
    return 1 if result.missing else 0


def _plan(args: argparse.Namespace, device: str) -> tuple[Comparison, Any, dict[str, str]]:
    from chromagan.evaluation.comparison import Comparison
    from chromagan.evaluation.engine import default_workers
    from chromagan.evaluation.pairs import check_sizes, match_pairs, parse_methods
    from chromagan.evaluation.protocols import protocol as find_protocol
    from chromagan.metrics.metric import Resources
    from chromagan.metrics.opening import open_metrics
    from chromagan.metrics.registry import choose_metrics

    protocol = find_protocol(args.protocol)
    if args.list:
        protocol = protocol.with_list(args.list)
    metrics = choose_metrics(args.metrics)
    if (args.classifier or args.classifier_weights) and not any("classifier" in metric.needs for metric in metrics):
        raise UsageError("--classifier is for the metrics accuracy, agreement and class_kl; add them to --metrics")

    def select(names: Sequence[str]) -> Sequence[str]:
        chosen = protocol.select(names)
        protocol.check(chosen)
        return chosen

    pairs = match_pairs(args.truth or args.data, parse_methods(args.pred), select, args.limit)
    workers = default_workers()
    if protocol.size is None:
        check_sizes(pairs, workers)
    download = not args.no_download and int(os.environ.get("WORLD_SIZE", "1")) == 1
    opened = open_metrics(metrics, Resources(
        pairs.images, args.metric_networks, device, download, protocol.label, args.classifier, args.classifier_weights
    ))  # fmt: skip
    plan = Comparison(
        pairs=pairs,
        protocol=protocol,
        painters=_painters(args, device),
        metrics=[metric for metric in metrics if metric.name not in opened.missing],
        networks=opened.networks,
        collectors=opened.collectors,
        out=args.out,
        workers=workers,
        device=device,
    )
    return plan, protocol, opened.missing


def _painters(args: argparse.Namespace, device: str) -> list[ModelPainter]:
    from chromagan.evaluation.painters import ModelPainter, SimulatedHints
    from chromagan.inference.colorizer import Colorizer

    hints = None
    if args.simulated_hints is not None:
        size = 4 if args.hint_size is None else args.hint_size
        hints = SimulatedHints(tuple(args.simulated_hints), size, args.hint_seed or 0)
    painters = []
    for word in args.model:
        name, separator, model = word.partition("=")
        if not separator or Path(word).exists():
            name, model = (Path(word).stem if Path(word).suffix else word), word
        painters.append(ModelPainter(name, Colorizer.from_pretrained(model, device, args.size), args.saturation, hints))
    return painters


def _description(args: argparse.Namespace, plan: Comparison) -> dict[str, Any]:
    """What readers want to know besides; for one model also its settings, where programs have always found them."""
    folders = {word.partition("=")[0]: word.partition("=")[2] or word for word in args.pred}
    described: dict[str, Any] = {"data": str(args.truth or args.data), "folders": folders, "limit": args.limit}
    if len(plan.painters) == 1:
        first = next(iter(plan.painters[0].settings.values()))
        described |= {key: value for key, value in first.items() if key not in ("saturation", "simulated_hints")}
    return described


def _frontier(args: argparse.Namespace, plan: Comparison, result: ComparisonResult) -> list[dict[str, Any]]:
    """Print what more colour costs each model, and return it."""
    from chromagan.evaluation.comparison_report.frontier import FIGURES, frontier_line, frontier_results, frontier_table

    if not set(FIGURES) <= {metric.name for metric in plan.metrics}:
        return []
    found = []
    for painter in plan.painters:
        lines = [frontier_line(result, name) for name in painter.names]
        settings = [painter.settings[name] for name in painter.names]
        factors = [one["saturation"] for one in settings]
        hints = [one["simulated_hints"] for one in settings if "simulated_hints" in one]
        if len(plan.painters) > 1:
            print(painter.names[0])
        print(frontier_table(factors, lines, hints) + "\n")
        given = [{"simulated_hints": count} for count in hints] or [{}] * len(lines)
        rows = zip(painter.names, given, frontier_results(factors, lines), strict=True)
        found += [{"method": name, **hint, **line} for name, hint, line in rows]
    return found


def _published(args: argparse.Namespace, result: ComparisonResult) -> str | None:
    if not args.against:
        return None
    from chromagan.evaluation.published import published_table

    own = [
        (method.name, {metric: figure.value for metric, figure in method.summary.items()}) for method in result.methods
    ]
    return published_table(args.protocol.partition("/")[0], own)
