"""What a comparison is asked to do, and what the engine hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.evaluation.pairs import BASELINES, Pairs
from chromagan.metrics.metric import Collector, MeanMetric, Metric, NetworkMetric, Picture, PictureMetric


class Preparation(Protocol):
    """What the engine needs of a protocol."""

    def prepare(self, picture: Picture) -> Picture:
        """Bring a truth or an answer to the pixels that are measured."""
        ...


class Painter(Protocol):
    """Colours gray pictures: one network, and as many methods as it has saturations and numbers of hints.

    Attributes:
        names: of the methods.
        settings: by name, what the answer depends on, as plain JSON.
    """

    names: tuple[str, ...]
    settings: dict[str, dict[str, Any]]

    def paint(self, gray: NDArray[np.uint8], truth: Picture, image: str) -> list[Picture]:
        """Colour one picture.

        Args:
            gray: (H, W) uint8.
            truth: (H, W, 3) uint8, for what is given away of it on purpose, such as simulated hints.
            image: its name, which decides what is drawn by chance.

        Returns:
            One answer a name, (H, W, 3) uint8.
        """
        ...


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        pairs: true photos, and the pictures of methods that are folders.
        painters: methods that are models.
        protocol: what is done to every picture first.
        metrics: those that come of figures of pictures, in the order of the table.
        networks: of those metrics that have one, by name.
        collectors: what else looks at every picture.
        out: folder of the journal; None keeps nothing.
        settings: what figures depend on, checked against the journal's.
        workers: threads.
        device: of the networks.
        progress: whether to show a bar (in the first process, on a terminal).
    """

    pairs: Pairs
    protocol: Preparation
    painters: Sequence[Painter] = ()
    metrics: Sequence[Metric] = ()
    networks: Mapping[str, torch.nn.Module] = field(default_factory=dict)
    collectors: Sequence[Collector] = ()
    out: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    workers: int = 2
    device: str | torch.device = "cpu"
    progress: bool = True

    @property
    def methods(self) -> tuple[str, ...]:
        """Names in the order of the table; the rows that cost nothing come last."""
        painted = tuple(name for painter in self.painters for name in painter.names)
        return (*self.pairs.predictions, *painted, *BASELINES)

    @property
    def figures(self) -> dict[str, PictureMetric | NetworkMetric]:
        """The figures of pictures that the metrics are made of, by name, in an order that depends on the set alone."""
        made = {base.name: base for metric in self.metrics if (base := figure_of(metric))}
        return dict(sorted(made.items()))


def figure_of(metric: Metric) -> PictureMetric | NetworkMetric | None:
    """The figure of pictures whose mean a metric is or is made of; None where it comes of no such mean."""
    if isinstance(metric, MeanMetric):
        return metric.of
    return metric if isinstance(metric, PictureMetric | NetworkMetric) else None


@dataclass
class Measured:
    """Figures of images.

    Attributes:
        figures: by name, in the order of the columns of `values`.
        values: by method, (images, figures) float64.
        sizes: (images, 2), height and width.
        ab: the mean colour of all truths, each counting once.
    """

    figures: dict[str, PictureMetric | NetworkMetric]
    values: dict[str, NDArray[np.float64]]
    sizes: NDArray[np.int64]
    ab: tuple[float, float] = (0.0, 0.0)

    def column(self, figure: str) -> int:
        """The place of a figure in `values`."""
        return list(self.figures).index(figure)
