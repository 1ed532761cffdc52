"""A comparison of coloured films from options to figures: what `chromagan evaluate --protocol film` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from chromagan.compute.threads import default_workers
from chromagan.compute.versions import versions
from chromagan.errors import DataError, UsageError
from chromagan.evaluation.comparison import BaseMetric, Measured, figure_of
from chromagan.evaluation.film.clips import Clip, find_clips, match_clips
from chromagan.evaluation.film.engine import BASELINES, measure_film
from chromagan.evaluation.options import EvaluateOptions
from chromagan.evaluation.pairs import list_digest, parse_methods
from chromagan.evaluation.protocols import Protocol
from chromagan.evaluation.result import ComparisonResult
from chromagan.evaluation.summary import paired_tests, summarize
from chromagan.metrics.metric import Metric
from chromagan.metrics.registry import get_metric

_TAKEN = {"pred", "truth", "protocol", "metrics", "out", "device"}


def compare_films(options: EvaluateOptions, protocol: Protocol) -> ComparisonResult:
    """Measure films of methods beside the true ones.

    Raises:
        UsageError: an option that is not for films, a metric that is not, a file or folder that is not there.
        DataError: films and truths do not match.
        ReadError: a film or photo that cannot be read.
    """
    # 1. What is compared, and by what.
    for field in fields(options):
        given = getattr(options, field.name)
        if field.name not in _TAKEN and given != field.default and given != []:
            raise UsageError(f"--{field.name.replace('_', '-')} is not for films; leave it out, or the protocol film")
    if len(options.photos) != 1:
        raise UsageError("--protocol film takes one --truth: a film, or a folder of films or frames")
    place = Path(options.photos[0])
    if not place.exists():
        raise DataError(f"{place}: there is nothing of this name; give a film, or a folder of films or frames")
    metrics = _metrics(options.metrics or protocol.metrics)
    bases = {base.name: base for metric in metrics if (base := figure_of(metric))}
    places = parse_methods(options.pred, files_too=True)
    truths = find_clips(place)
    matched = match_clips(truths, {name: find_clips(made) for name, made in places.items()})
    # 2. Film by film.
    rows = (*places, *BASELINES)
    values = {row: {name: np.full(len(truths), np.nan) for name in bases} for row in rows}
    sizes, frames, notes = np.zeros((len(truths), 2), np.int64), {}, []
    for index, (name, truth) in enumerate(truths.items()):
        found, sizes[index], frames[name] = measure_film(
            name, truth, matched[name], list(bases.values()), default_workers()
        )
        notes += _notes([truth, *matched[name].values()])
        for row, figures in found.items():
            for figure, value in figures.items():
                values[row][figure][index] = value
    # 3. Means over films.
    methods = summarize(Measured(bases, values, sizes), metrics)
    return ComparisonResult(
        protocol=protocol.label,
        images=list(truths),
        sizes=[(int(height), int(width)) for height, width in sizes],
        methods=methods,
        tests=paired_tests(methods, metrics),
        settings=_settings(place, places, frames, bases),
        versions=versions(),
        warnings=list(dict.fromkeys(notes)),
        unit="films",
    )


def _metrics(names: Sequence[str]) -> list[Metric]:
    chosen = [get_metric(name) for name in dict.fromkeys(names)]
    for metric in chosen:
        base = figure_of(metric)
        if base is None or not hasattr(base, "compute") and base.level != "film":
            raise UsageError(f"the metric {metric.name} needs a network or a set of photos, and is not for films; "
                             "leave it out")  # fmt: skip
    return chosen


def _notes(clips: Sequence[Clip]) -> list[str]:
    return [note for clip in clips for note in clip.notes]


def _settings(
    truth: Path, places: Mapping[str, Path], frames: Mapping[str, int], bases: Mapping[str, BaseMetric]
) -> dict[str, Any]:
    """What figures depend on, and where it was."""
    return {
        "films": len(frames),
        "films_sha256": list_digest(list(frames)),
        "frames": dict(frames),
        "metrics": sorted(bases),
        "data": str(truth),
        "folders": {name: str(place) for name, place in places.items()},
    }
