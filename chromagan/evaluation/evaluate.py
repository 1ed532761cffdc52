"""An evaluation from options to figures and report: what `chromagan evaluate` and `chromagan.evaluate` do."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from chromagan.compute.device import choose_device
from chromagan.compute.distributed import process_group, rank
from chromagan.compute.threads import default_workers
from chromagan.errors import DataError, UsageError
from chromagan.evaluation.compare import compare, files_root, pictures_of
from chromagan.evaluation.comparison import Comparison, Painter
from chromagan.evaluation.comparison_report import frontier
from chromagan.evaluation.comparison_report.files import write_comparison, write_tables
from chromagan.evaluation.comparison_report.tables import plain_table
from chromagan.evaluation.options import EvaluateOptions, Place
from chromagan.evaluation.painters import KnownPainter, ModelPainter, SimulatedHints
from chromagan.evaluation.pairs import Pairs, check_sizes, list_digest, match_pairs, parse_methods
from chromagan.evaluation.protocols import Protocol
from chromagan.evaluation.protocols import protocol as find_protocol
from chromagan.evaluation.published import published_table
from chromagan.evaluation.result import ComparisonResult
from chromagan.evaluation.store import methods_there, shared_there
from chromagan.inference.colorizer import Colorizer
from chromagan.metrics.metric import Resources
from chromagan.metrics.registry import choose_metrics, open_metrics


@dataclass(frozen=True)
class Evaluation:
    """What was found."""

    result: ComparisonResult  # every figure, with intervals, paired tests, settings and versions
    frontiers: dict[str, str]  # by the name of a model's first row, the table of what more colour costs it
    rows: list[dict[str, Any]]  # the same as strict JSON
    published: str | None  # published figures of the protocol, as Markdown, where they were asked for

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """By method and metric, the figures of the table, the rows that cost nothing included."""
        methods = self.result.methods
        return {row.name: {metric: figure.value for metric, figure in row.summary.items()} for row in methods}

    def text(self) -> str:
        """The tables for a terminal."""
        several = len(self.frontiers) > 1
        parts = [f"{name}\n{table}\n" if several else f"{table}\n" for name, table in self.frontiers.items()]
        return "\n".join([*parts, plain_table(self.result), *([f"\n{self.published}"] if self.published else [])])


def evaluate(options: EvaluateOptions | None = None, **given: Any) -> Evaluation | None:
    """Compare colorizers - folders of pictures by any program, or models - with the truth.

    Every true photo is decoded once and painted once by every model, at every saturation and number of hints. With
    several processes (torchrun) all call this, and they share the work.

        found = chromagan.evaluate(data="photos", model=["chromagan", "mine.safetensors"], out="report")
        found.figures["mine"]["psnr"]

    Args:
        options: what to compare and how.
        **given: fields of `EvaluateOptions`, in place of `options`.

    Returns:
        What was found; None in all processes but the first.

    Raises:
        UsageError: options that contradict each other, a name that does not exist.
        DataError: pictures and truths do not match, or the folder `out` holds figures of another configuration.
        ReadError, WriteError, WeightsError, ModelError, DeviceError: see their messages.
    """
    options = options or EvaluateOptions(**given)
    device = str(choose_device(options.device))
    protocol = find_protocol(options.protocol)
    with process_group(device.partition(":")[0]):
        if protocol.films:
            return _evaluate_films(options, protocol) if rank() == 0 else None
        comparison, label, missing = open_comparison(options, device)
        result = compare(comparison, label, missing, _description(options, comparison))
        if result is None:
            return None
        found = Evaluation(result, *_frontiers(comparison, result), None)
        if options.against:
            table = published_table(options.protocol.partition("/")[0], list(found.figures.items()))
            found = replace(found, published=table)
        if options.out:
            pictures = pictures_of(comparison, tuple(result.settings["mean_ab"]))
            write_comparison(result, pictures, Path(options.out), {"results": found.rows}, found.published)
            pictures.keep()
        return found


def _evaluate_films(options: EvaluateOptions, protocol: Protocol) -> Evaluation:
    """One process does it all."""
    from chromagan.evaluation.film.compare import compare_films

    result = compare_films(options, protocol)
    if options.out:
        write_tables(result, Path(options.out))
    return Evaluation(result, {}, [], None)


def open_comparison(options: EvaluateOptions, device: str) -> tuple[Comparison, str, dict[str, str]]:
    """What the engine is to do, what it is called, and of metrics that cannot be had why."""
    # How to measure.
    protocol = find_protocol(options.protocol)
    if options.list:
        protocol = protocol.with_list(Path(options.list))
    metrics = choose_metrics(options.metrics)
    if (options.classifier or options.classifier_weights) and not any("classifier" in one.needs for one in metrics):
        raise UsageError("--classifier is for the metrics accuracy, agreement and class_kl; add them to --metrics")

    # Which photos, and pictures of them.
    folders = parse_methods(options.pred)
    pairs = match_pairs(options.photos, folders, protocol.chosen, options.limit)
    painters, origins = _painters(options, device)
    if options.out:
        earlier = _Earlier(Path(options.out), pairs, {*folders, *origins}, device)
        if earlier.folders:
            pairs = match_pairs(options.photos, {**earlier.folders, **folders}, protocol.chosen, options.limit)
        painters = [*earlier.painters, *painters]
        origins |= earlier.origins | {name: {"pred": _seen_from(options.out, made)} for name, made in folders.items()}
    workers = default_workers()
    if protocol.size is None:
        check_sizes(pairs, workers)
    # The networks of metrics, as far as they can be had.
    resources = Resources(
        images=pairs.images,
        networks=options.metric_networks,
        device=device,
        download=not options.no_download and int(os.environ.get("WORLD_SIZE", "1")) == 1,
        protocol=protocol.label,
        classifier=options.classifier or "",
        classifier_weights=Path(options.classifier_weights) if options.classifier_weights else None,
    )
    opened = open_metrics(metrics, resources)
    comparison = Comparison(
        pairs=pairs,
        protocol=protocol,
        painters=painters,
        metrics=[metric for metric in metrics if metric.name not in opened.missing],
        networks=opened.networks,
        collectors=opened.collectors,
        out=Path(options.out) if options.out else None,
        workers=workers,
        device=device,
        origins=origins,
    )
    label = protocol.label if options.limit is None else f"{protocol.label}, the first {len(pairs.images)}"
    return comparison, label, opened.missing


def _painters(options: EvaluateOptions, device: str) -> tuple[list[Painter], dict[str, Any]]:
    """The models, and by method the options that bring it back another time."""
    hints = None
    if options.simulated_hints is not None:
        size = 4 if options.hint_size is None else options.hint_size
        hints = SimulatedHints(tuple(options.simulated_hints), size, options.hint_seed or 0, not options.no_spread)
    kept = ("size", "views", "saturation", "simulated_hints", "hint_size", "hint_seed", "no_spread")
    shared = {key: getattr(options, key) for key in kept}
    painters: list[Painter] = []
    origins: dict[str, Any] = {}
    for word in options.models:
        name, separator, model = word.partition("=")
        if not separator or Path(word).exists():
            name, model = (Path(word).stem if Path(word).suffix else word), word
        colorizer = Colorizer.from_pretrained(model, device, options.size, views=options.views)
        painter = ModelPainter(name, colorizer, options.factors, hints)
        file = _seen_from(options.out, Path(model)) if options.out and Path(model).exists() else None
        origins |= dict.fromkeys(painter.names, {"name": name, "model": model, "file": file, **shared})
        painters.append(painter)
    return painters, origins


def _seen_from(out: Place | None, path: Path) -> str:
    """A path from the report's folder: whoever gets that folder reads no more of this machine's names than needed."""
    try:
        return os.path.relpath(path.resolve(), Path(out or ".").resolve())
    except ValueError:  # on another drive
        return str(path.resolve())


class _Earlier:
    """Methods of the report that is there already, but those that are given again.

    There are none where the report is of other photos: the store says then what differs.

    Raises:
        DataError: a method's folder is gone.
    """

    def __init__(self, out: Path, pairs: Pairs, given: set[str], device: str) -> None:
        self.folders: dict[str, Path] = {}
        self.painters: list[Painter] = []
        self.origins: dict[str, Any] = {}
        shared = shared_there(out)
        known = shared.get("truth", "")
        if shared.get("images_sha256") != list_digest(pairs.images) or files_root(pairs.truth, out, known) != known:
            return
        models: dict[str, dict[str, Any]] = {}
        for name, known in methods_there(out).items():
            origin = known["from"]
            if name in given or not origin:
                continue
            self.origins[name] = origin
            if "pred" in origin:
                self.folders[name] = folder = out.resolve() / origin["pred"]
                if not folder.is_dir():
                    raise DataError(f"{out}: the folder of its method {name!r}, {os.path.normpath(folder)}, is gone; "
                                    "bring it back, or choose another --out")  # fmt: skip
            else:
                models.setdefault(json.dumps(origin, sort_keys=True), {})[name] = known["settings"]
        for text, settings in models.items():
            self.painters.append(KnownPainter(settings, partial(_open_again, out, json.loads(text), device), out))


def _open_again(out: Path, origin: dict[str, Any], device: str) -> ModelPainter:
    name, model, file = (origin.pop(key) for key in ("name", "model", "file"))
    found = str(out.resolve() / file) if file else model
    (painter,), _ = _painters(EvaluateOptions(data=".", model=[f"{name}={found}"], **origin), device)
    assert isinstance(painter, ModelPainter)
    return painter


def _description(options: EvaluateOptions, comparison: Comparison) -> dict[str, Any]:
    """What readers want to know besides; for one model also its settings, where programs have always found them."""
    out = Path(options.out or "").resolve()
    made = {name: origin["pred"] for name, origin in comparison.origins.items() if "pred" in origin}
    folders = {name: os.path.normpath(out / place) for name, place in made.items()}
    folders |= {name: str(folder) for name, folder in parse_methods(options.pred).items()}
    photos = [str(place) for place in options.photos]
    described: dict[str, Any] = {
        "data": photos[0] if len(photos) == 1 else photos,
        "folders": folders,
        "limit": options.limit,
    }
    if len(comparison.painters) == 1:
        first = next(iter(comparison.painters[0].settings.values()))
        described |= {key: value for key, value in first.items() if key not in ("saturation", "simulated_hints")}
    return described


def _frontiers(comparison: Comparison, result: ComparisonResult) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """What more colour costs each model: a table a model, and all rows as JSON."""
    tables: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    if not set(frontier.FIGURES) <= {metric.name for metric in comparison.metrics}:
        return tables, rows
    for painter in comparison.painters:
        lines = [frontier.frontier_line(result, name) for name in painter.names]
        settings = [painter.settings[name] for name in painter.names]
        factors = [one["saturation"] for one in settings]
        hints = [one["simulated_hints"] for one in settings if "simulated_hints" in one]
        tables[painter.names[0]] = frontier.frontier_table(factors, lines, hints)
        given = [{"simulated_hints": count} for count in hints] or [{}] * len(lines)
        found = zip(painter.names, given, frontier.frontier_results(factors, lines), strict=True)
        rows += [{"method": name, **hint, **line} for name, hint, line in found]
    return tables, rows
