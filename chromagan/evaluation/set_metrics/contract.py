"""What a metric of whole sets (FID, KID, a classifier's accuracy) is to the comparison that feeds it.

`registry` beside this file has the metrics themselves: `SET_METRICS: tuple[str, ...]`, all their names, and
`make_set_metrics(names, networks, device, download, protocol, images) -> (list[SetMetric], dict[str, str])`, which
builds those that the names ask for (networks, device, download as in `chromagan.metrics.network_files`; protocol a
`chromagan.evaluation.protocols.Protocol`; images the names of the pictures) and says of each that cannot be had why,
and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chromagan.evaluation.result import Figure

Picture = NDArray[np.uint8]


class SetMetric(Protocol):
    """One source of figures of sets; it may give several (FID and KID share their features).

    The comparison deals images in blocks of consecutive indices to the processes. In each block it calls `update` for
    every image in order of the index, and for each image once a method; then `flush`. A block is the same whatever the
    number of processes, so a network may run on what a block holds as one batch, and figures do not depend on how the
    work was shared. Calls come from one thread. A block can come again after a merge (a resumed run measures a block
    again when its state was lost half-way): what is held for an index is then replaced, not added to.

    Attributes:
        names: the figures that `compute` gives, such as `("fid_tf", "kid_tf")`.
        higher_is_better: by name; None for a figure without a direction.
        settings: what the figures depend on besides pictures: digests of networks, sizes, seeds. Plain JSON.
        warnings: what a reader must know, such as too few images; complete after `compute`.
    """

    names: tuple[str, ...]
    higher_is_better: dict[str, bool | None]
    settings: dict[str, Any]
    warnings: list[str]

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
