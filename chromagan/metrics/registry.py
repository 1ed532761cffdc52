"""The metrics by name: those of this package, a file each or a few of a kind, and those of other packages.

Of a metric with a file of its name no other is imported. A stranger's package declares its objects in its
`pyproject.toml` as entry points:

    [project.entry-points."chromagan.metrics"]
    their_metric = "their_package.their_module:THEIR_METRIC"
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import math
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from chromagan.errors import MetricUnavailable, UsageError
from chromagan.metrics.metric import Collector, Metric, NetworkMetric, Resources, SetMetric
from chromagan.strangers import entry_points_of, load_stranger

if TYPE_CHECKING:
    from torch.nn import Module

GROUP = "chromagan.metrics"
M = TypeVar("M", bound=Metric)
_METRICS: dict[str, Metric] = {}


def register(metric: M) -> M:
    """Enter a metric of this package under its name, which can be taken once; hands it back."""
    if metric.name in _METRICS:
        raise ValueError(f"the metric name {metric.name!r} is taken")
    _METRICS[metric.name] = metric
    return metric


def find_metric(name: str) -> Metric | None:
    """The metric of that name, or None; imports the file of that name, or else all."""
    if name not in _METRICS:
        file = f"{__package__}.{name}"
        if name.isidentifier() and importlib.util.find_spec(file):
            importlib.import_module(file)
        if name not in _METRICS:
            _own_metrics()
    return _METRICS.get(name) or _foreign(name)


def get_metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        UsageError: there is none; the message lists those that there are.
    """
    found = find_metric(name)
    if found is None:
        raise UsageError(f"there is no metric {name!r}; there are {', '.join(each.name for each in list_metrics())}")
    return found


def list_metrics() -> list[Metric]:
    """All metrics in the order of tables, strangers' last; imports all of them."""
    own = _own_metrics()
    return own + [found for name in sorted(_entry_points()) if name not in _METRICS and (found := _foreign(name))]


def _own_metrics() -> list[Metric]:
    import chromagan.metrics as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return sorted(_METRICS.values(), key=lambda metric: metric.place)


def choose_metrics(names: Sequence[str] | None = None) -> list[Metric]:
    """The metrics of photos that names ask for, each once, in their order.

    Args:
        names: None for those of this package that need nothing but pixels, `["all"]` for all.

    Raises:
        UsageError: a name that does not exist, or of a metric of films.
    """
    if names is None:
        return [metric for metric in _own_metrics() if metric.level != "film" and not metric.needs]
    if list(names) == ["all"]:
        return [metric for metric in list_metrics() if metric.level != "film"]
    chosen = [get_metric(name) for name in dict.fromkeys(names)]
    of_films = [metric.name for metric in chosen if metric.level == "film"]
    if of_films:
        raise UsageError(f"the metric {of_films[0]} is of films: add --protocol film, or leave it out")
    return chosen


def describe(name: str) -> Metric:
    """What tables and pages show of a figure; one that is no metric keeps its words and has no direction."""
    return find_metric(name) or Metric(name=name, label=name.replace("_", " "), better="truth")


def directions(names: Iterable[str]) -> dict[str, bool | None]:
    """By name, whether higher is better; None where neither is."""
    return {name: describe(name).higher_is_better for name in names}


def better(name: str, a: float, b: float) -> bool:
    """Whether figure `a` of a metric is better than figure `b`; equal is not better, and NaN is worse than any number.

    Raises:
        UsageError: no such metric, or one without a direction.
    """
    higher = get_metric(name).higher_is_better
    if higher is None:
        usable = ", ".join(each.name for each in list_metrics() if each.higher_is_better is not None)
        raise UsageError(f"{name!r} does not say which of two figures is better; choose one of {usable}")
    if math.isnan(a) or math.isnan(b):
        return math.isnan(b) and not math.isnan(a)
    return a > b if higher else a < b


@dataclass
class Opened:
    """What could be had: networks by metric, collectors (each for one set metric or several), and what is missing."""

    networks: dict[str, Module] = field(default_factory=dict)
    collectors: list[Collector] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # by metric why, and what to do


def open_metrics(metrics: Sequence[Metric], resources: Resources) -> Opened:
    """Open what metrics need; nothing stands in for a network that is missing.

    Args:
        metrics: those that need nothing are passed over.
        resources: where networks are and what they are opened for.

    Raises:
        UsageError: a folder or file that was named and is not there.
        WeightsError: a network was found and is damaged, or another one's.
        DataError: cached features of the truths are damaged.
    """
    opened = Opened()
    together: dict[Callable[..., Collector], list[str]] = {}
    for metric in metrics:
        if isinstance(metric, SetMetric):
            together.setdefault(metric.open, []).append(metric.name)
        elif isinstance(metric, NetworkMetric):
            try:
                opened.networks[metric.name] = metric.open(resources)
            except MetricUnavailable as error:
                opened.missing[metric.name] = str(error)
    for opener, names in together.items():
        try:
            collector = opener(names, resources)
        except MetricUnavailable as error:
            opened.missing |= {name: str(error).replace(names[0], name, 1) for name in names}
            continue
        opened.missing |= collector.missing
        if collector.names:
            opened.collectors.append(collector)
    return opened


# Strangers' metrics.


@cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in entry_points_of(GROUP)}


@cache
def _foreign(name: str) -> Metric | None:
    """A stranger's metric; one that cannot be loaded is told once, in one line, and is as if it were not there."""
    point = _entry_points().get(name)

    def check(found: object) -> None:
        if not isinstance(found, Metric) or found.name != name:
            raise TypeError(f"it is {found!r:.60}, not a Metric of that name")

    return None if point is None else load_stranger(point, check)
