"""What a metric is: one object that says of itself what tables, reports and training need to know, and computes itself.

A new metric is one file in this package, or one object in a package of a stranger's that declares the entry point
`chromagan.metrics`; `chromagan.metrics.registry` finds both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from chromagan.metrics.figure import Figure
    from chromagan.metrics.network_files import Networks

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 sRGB: what a viewer is shown."""
Array = NDArray[np.float64]
T = TypeVar("T")


class Shown:
    """A picture, (H, W, 3) uint8 sRGB, and what several metrics derive of it, made when first asked for."""

    def __init__(self, pixels: Picture) -> None:
        self.pixels = pixels
        self._made: dict[Callable[..., Any], Any] = {}

    def once(self, derive: Callable[[Picture], T]) -> T:
        """What a function makes of the pixels; the same object whoever asks again."""
        if derive not in self._made:
            self._made[derive] = derive(self.pixels)
        return self._made[derive]


class Pair:
    """A picture beside its truth, of the same size, and the gray photo, whose lightness the picture should have.

    Where there is none the truth stands in for it, whose lightness is the same to half a code.
    """

    def __init__(self, picture: Shown, truth: Shown, gray: Shown | None = None) -> None:
        self.picture, self.truth, self.gray = picture, truth, gray or truth
        self._made: dict[Callable[..., Any], Any] = {}

    def once(self, derive: Callable[[Pair], T]) -> T:
        """What a function makes of the pair; the same object whoever asks again."""
        if derive not in self._made:
            self._made[derive] = derive(self)
        return self._made[derive]


@dataclass(frozen=True)
class Resources:
    """What an evaluation lends to metrics that need more than pixels."""

    # Names of all truths, with their folders below the truth's root (those may carry ImageNet's classes).
    images: Sequence[str] = ()
    networks: Networks = None  # a folder of the networks' files, or a mapping, as in `chromagan.metrics.network_files`
    device: torch.device | str = "cpu"  # where networks run
    download: bool = True  # whether a network that is not found may be downloaded
    protocol: str = "folder"  # name and version under which is measured
    classifier: str = ""  # a timm model, for metrics that ask one; empty for the usual one
    classifier_weights: str | Path | None = None  # a local file for it
    cache: str | os.PathLike[str] | None = ""  # folder for features of the truths; "" for the usual one, None for none


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What every metric says of itself.

    Attributes:
        name: what `--metrics` takes and files carry.
        label: for a reader, in a table's head.
        better: "higher", "lower", or "truth" where as much as the truth has is best.
        about: one line for the documentation.
        unit: of the figure; empty for a bare number.
        digits: decimal places in tables.
        place: in tables and lists, lower ones first.
        needs: files or packages besides pixels, such as keys of `chromagan.metrics.network_files.PUBLISHED`; a metric
            that needs some is measured only where it is asked for.
        needs_truth: whether it looks at the truth too.
    """

    level: ClassVar[Literal["picture", "film", "set"]] = "set"
    name: str
    label: str
    better: Literal["higher", "lower", "truth"]
    about: str = ""
    unit: str = ""
    digits: int = 2
    place: int = 1000
    needs: tuple[str, ...] = ()
    needs_truth: bool = True

    @property
    def higher_is_better(self) -> bool | None:
        """Which way; None where neither is better."""
        return None if self.better == "truth" else self.better == "higher"


@dataclass(frozen=True, kw_only=True)
class PictureMetric(Metric):
    """A figure of one picture; tables show the mean over images.

    Attributes:
        compute: from a picture and its truth; called in threads. Infinite where it has no finite figure.
        by_pixels: whether larger pictures count for more in the mean.
    """

    level = "picture"
    compute: Callable[[Pair], float]
    by_pixels: bool = False


def measure_pair(pair: Pair, metrics: Iterable[PictureMetric]) -> dict[str, float]:
    """By name, the figures of one picture; what several of them derive of it is made once."""
    return {metric.name: metric.compute(pair) for metric in metrics}


@dataclass(frozen=True, kw_only=True)
class NetworkMetric(Metric):
    """A figure of one picture by a network; tables show the mean over images.

    Attributes:
        open: builds the network, a module on `Resources.device` from pictures and truths, each (N, 3, H, W) uint8, to
            (N,) figures. Raises `MetricUnavailable` where it cannot be had.
        smallest_side: pixels; smaller pictures have no figure.
    """

    level = "picture"
    open: Callable[[Resources], torch.nn.Module]
    smallest_side: int = 1


@dataclass(frozen=True, kw_only=True)
class MeanMetric(Metric):
    """A figure of a whole set that is made of the mean over its images.

    Attributes:
        of: what the mean is of.
        formula: from that mean and the truths' to the figure; over arrays of bootstrap samples too.
    """

    of: PictureMetric
    formula: Callable[[Array, Array], Array]


@dataclass(frozen=True, kw_only=True)
class SetMetric(Metric):
    """A figure of a whole set that no mean over images gives, such as FID.

    Attributes:
        open: from the names that are asked for among the metrics with this very function, and the resources, to what
            gives them all (FID and KID share their features). Raises `MetricUnavailable` where it cannot be had.
    """

    open: Callable[[Sequence[str], Resources], Collector]


class Collector(Protocol):
    """Takes every picture of an evaluation and gives figures of whole sets.

    The evaluation deals images in blocks to the processes. In each block it calls `update` for every image in order,
    and for each image once a method; then `flush`. A block is the same whatever the number of processes, so a network
    may run on what a block holds as one batch, and figures do not depend on how the work was shared. Calls come from
    one thread. A block can come again after a merge (a resumed run measures a block again when its state was lost
    half-way): what is held for an index is then replaced, not added to.

    Attributes:
        names: the figures that `compute` gives, such as `("fid_tf", "kid_tf")`.
        settings: what the figures depend on besides pictures: digests of networks, sizes, seeds. Plain JSON.
        warnings: what a reader must know, such as too few images; complete after `compute`.
        missing: of figures that were asked for and cannot be given why, and what to do.
    """

    names: tuple[str, ...]
    settings: dict[str, Any]
    warnings: list[str]
    missing: dict[str, str]

    def update(self, index: int, method: str, picture: Picture, truth: Picture) -> None:
        """Take one picture of a method.

        Args:
            index: of the image in the list of all, from 0.
            method: its name; "gray", "mean ab" and "truth" are the rows that cost nothing.
            picture: (H, W, 3) uint8 sRGB.
            truth: the same size; the same array for all methods of an index.
        """
        ...

    def flush(self) -> None:
        """A block is complete: nothing may wait for pictures of the next one."""
        ...

    def state(self) -> dict[str, Any]:
        """All that is held, by index and method, as plain values, tensors and arrays that `torch.load` reads with
        `weights_only=True`.
        """
        ...

    def merge(self, states: Sequence[dict[str, Any]]) -> None:
        """Take over what other objects (other processes', or an earlier run's) hold, besides what is held here.

        Where two hold the same index and method they agree. The order of states changes nothing.
        """
        ...

    def compute(self, method: str) -> dict[str, Figure]:
        """The figures of a method from all that is held, in the order of indices. By `names`."""
        ...
