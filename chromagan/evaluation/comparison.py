"""What an evaluation compares and with what it measures, and what the engine hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.compute.distributed import gather, rank, world_size
from chromagan.evaluation.pairs import BASELINES, Pairs
from chromagan.evaluation.picture_store import PictureStore
from chromagan.evaluation.protocols import Protocol as MeasuringProtocol
from chromagan.metrics.film import FilmMetric
from chromagan.metrics.metric import Collector, MeanMetric, Metric, NetworkMetric, Picture, PictureMetric

BLOCK = 16
"""Images that go to one process together; a constant, so that batches do not depend on the number of processes."""
Column = NDArray[np.float64]
BaseMetric = PictureMetric | NetworkMetric | FilmMetric


@dataclass(frozen=True)
class Ranks:
    """The processes that share an evaluation."""

    rank: int = 0  # of this process, from 0
    world: int = 1  # how many there are. All call the same functions at the same time
    # From one picklable object a rank to the list of all ranks' objects.
    gather: Callable[[Any], list[Any]] = lambda thing: [thing]  # noqa: E731

    @classmethod
    def of_torch(cls) -> Ranks:
        """Those of torchrun, or this process alone."""
        return cls(rank(), world_size(), gather)


@dataclass(frozen=True)
class Unpainted:
    """A picture to be coloured."""

    gray: NDArray[np.uint8]  # (H, W) uint8
    truth: Picture  # (H, W, 3) uint8, for what is given away of it on purpose, such as simulated hints
    image: str  # its name, which decides what is drawn by chance


class Painter(Protocol):
    """Colours gray pictures: one network, and as many methods as it has saturations and numbers of hints.

    Attributes:
        names: of the methods.
        settings: by name, what the answer depends on, as plain JSON.
        whole_blocks: whether it is shown a block at a time, whose pictures then are of one size; else one picture.
    """

    names: tuple[str, ...]
    settings: dict[str, dict[str, Any]]
    whole_blocks: bool

    def paint(self, block: Sequence[Unpainted]) -> list[list[Picture]]:
        """Colour pictures: for each one answer a name, (H, W, 3) uint8."""
        ...


@dataclass(frozen=True)
class Comparison:
    """What to measure."""

    pairs: Pairs  # true photos, and the pictures of methods that are folders
    protocol: MeasuringProtocol  # what is done to every picture first
    painters: Sequence[Painter] = ()  # methods that are models
    metrics: Sequence[Metric] = ()  # those that come of figures of pictures, in the order of the table
    networks: Mapping[str, torch.nn.Module] = field(default_factory=dict)  # of those metrics that have one, by name
    collectors: Sequence[Collector] = ()  # what else looks at every picture
    out: Path | None = None  # folder of the store; None keeps nothing
    settings: dict[str, Any] = field(default_factory=dict)  # what figures depend on, checked against the store's
    workers: int = 2  # threads
    device: str | torch.device = "cpu"  # of the networks
    progress: bool = True  # whether to show a bar (in the first process, on a terminal)
    # Prepared true pictures by index, where they are in memory; else the files of `pairs` are read.
    truths: Sequence[Picture] | None = None
    blocks: Sequence[Sequence[int]] | None = None  # indices that are measured together; 16 in a row unless given
    baselines: tuple[str, ...] = BASELINES  # rows that cost nothing, of `chromagan.evaluation.pairs.BASELINES`
    baselines_in_full: bool = True  # whether networks and collectors look at those rows too
    # What was read and painted, for whoever needs it again.
    origins: Mapping[str, Any] = field(default_factory=dict)  # by method the options that bring it back another time
    pictures: PictureStore = field(default_factory=PictureStore)

    @property
    def own_methods(self) -> tuple[str, ...]:
        """Names of the folders and models, in the order of the table."""
        return (*self.pairs.predictions, *(name for painter in self.painters for name in painter.names))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names in the order of the table; the rows that cost nothing come last."""
        return (*self.own_methods, *self.baselines)

    @property
    def figures(self) -> dict[str, PictureMetric | NetworkMetric]:
        """The figures of pictures that the metrics are made of, by name, in an order that depends on the set alone."""
        bases = (figure_of(metric) for metric in self.metrics)
        made = {base.name: base for base in bases if isinstance(base, PictureMetric | NetworkMetric)}
        return dict(sorted(made.items()))

    def dealt_blocks(self) -> list[list[int]]:
        """All blocks; a process takes every so-many-th."""
        if self.blocks is not None:
            return [list(block) for block in self.blocks]
        count = len(self.pairs.images)
        return [list(range(start, min(start + BLOCK, count))) for start in range(0, count, BLOCK)]


def figure_of(metric: Metric) -> BaseMetric | None:
    """The figure of pictures or films whose mean a metric is or is made of; None where it comes of no such mean."""
    if isinstance(metric, MeanMetric):
        return metric.of
    return metric if isinstance(metric, BaseMetric) else None


@dataclass
class Measured:
    """Figures of images, or of films in their place."""

    figures: Mapping[str, BaseMetric]  # by name
    # By method and figure, (images,) float64; a method has those that were measured for it.
    values: dict[str, dict[str, Column]]
    sizes: NDArray[np.int64]  # (images, 2), height and width
    ab: tuple[float, float] = (0.0, 0.0)  # the mean colour of all truths, each counting once

    def judged(self, figure: str) -> list[Column]:
        """The columns of a figure, the truth's apart, which has an infinite PSNR by itself."""
        return [row[figure] for name, row in self.values.items() if name != "truth" and figure in row]
