"""What metrics need besides pixels, opened: networks that judge pictures, and collectors of whole sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chromagan.errors import MetricUnavailable
from chromagan.metrics.metric import Collector, Metric, NetworkMetric, Resources, SetMetric

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass
class Opened:
    """What could be had.

    Attributes:
        networks: by metric.
        collectors: each for one set metric or several.
        missing: of each metric that cannot be had why, and what to do.
    """

    networks: dict[str, Module] = field(default_factory=dict)
    collectors: list[Collector] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


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
