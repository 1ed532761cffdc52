"""Whether a classifier of real photographs still knows what colorized pictures show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.evaluation.result import Figure
from chromagan.evaluation.set_metrics.distances import TRUTH
from chromagan.evaluation.statistics import mean_figure

RECOGNITION = ("accuracy", "agreement", "class_kl")
_BATCH = 32
Picture = NDArray[np.uint8]


class Recognition:
    """Answers of one classifier, as a `SetMetric`; all three are means over images.

    - `accuracy`: share of pictures whose likeliest class is the image's label.
    - `agreement`: share of pictures whose likeliest class is that of the truth; it needs no labels. The truth has 1.
    - `class_kl`: sum over classes of p(truth) (log p(truth) - log p(picture)), in nats. The truth has 0.

    Args:
        names: which of `RECOGNITION`.
        classify: (N, 3, H, W) uint8 on `device` to log-probabilities (N, classes).
        labels: class of each image by index, needed for `accuracy`.
        device: where `classify` runs.
        settings: what the figures depend on, to be reported.
        seed: of the bootstrap intervals.
    """

    def __init__(
        self,
        names: Sequence[str],
        classify: Callable[[Tensor], Tensor],
        labels: Sequence[int] | None = None,
        device: torch.device | str = "cpu",
        settings: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        if "accuracy" in names and labels is None:
            raise ValueError("accuracy needs labels")
        self.names = tuple(names)
        self.higher_is_better: dict[str, bool | None] = {name: name != "class_kl" for name in self.names}
        self.settings: dict[str, Any] = {**(settings or {}), "bootstrap_seed": seed}
        self.warnings: list[str] = []
        self._classify, self._labels, self._device, self._seed = classify, labels, torch.device(device), seed
        self._queues: dict[tuple[str, tuple[int, ...]], list[tuple[int, Picture]]] = {}
        self._answers: dict[tuple[str, int], Tensor] = {}  # of the block at hand
        self._in_block: set[int] = set()
        self._found: dict[str, dict[int, tuple[float, ...]]] = {}

    def update(self, index: int, method: str, picture: Picture, truth: Picture) -> None:
        """Take one picture of a method; see `SetMetric`."""
        if index not in self._in_block:
            self._in_block.add(index)
            self._enqueue(TRUTH, index, truth)
        if method != TRUTH:
            self._enqueue(method, index, picture)
        elif picture is not truth and not np.array_equal(picture, truth):
            raise ValueError("the row named truth must show the truth")

    def _enqueue(self, method: str, index: int, picture: Picture) -> None:
        place = method, picture.shape
        self._queues.setdefault(place, []).append((index, picture))
        if len(self._queues[place]) == _BATCH:
            self._run(place)

    def _run(self, place: tuple[str, tuple[int, ...]]) -> None:
        queue = self._queues.pop(place)
        batch = torch.from_numpy(np.stack([picture for _, picture in queue])).permute(0, 3, 1, 2).contiguous()
        for (index, _), answer in zip(queue, self._classify(batch.to(self._device)).double().cpu(), strict=True):
            self._answers[place[0], index] = answer

    def flush(self) -> None:
        """Run what waits, and keep three numbers a picture; see `SetMetric`."""
        for place in list(self._queues):
            self._run(place)
        for (method, index), answer in self._answers.items():
            truth = self._answers[TRUTH, index]
            best = int(answer.argmax())
            right = float(self._labels is not None and best == self._labels[index])
            kl = float((truth.exp() * (truth - answer)).sum()) if method != TRUTH else 0.0
            figures = {"accuracy": right, "agreement": float(best == int(truth.argmax())), "class_kl": kl}
            self._found.setdefault(method, {})[index] = tuple(figures[name] for name in self.names)
        self._answers.clear()
        self._in_block.clear()

    def state(self) -> dict[str, Any]:
        """By method: `indices` (n,) and `values` (n, names); see `SetMetric`."""
        self.flush()
        return {
            method: {"indices": torch.tensor(sorted(found)),
                     "values": torch.tensor([found[i] for i in sorted(found)], dtype=torch.float64)}
            for method, found in self._found.items()
        }  # fmt: skip

    def merge(self, states: Sequence[dict[str, Any]]) -> None:
        """Take over what others hold; see `SetMetric`."""
        for state in states:
            for method, part in state.items():
                rows = (tuple(row) for row in part["values"].tolist())
                self._found.setdefault(method, {}).update(zip(part["indices"].tolist(), rows, strict=True))

    def compute(self, method: str) -> dict[str, Figure]:
        """The figures of a method; see `SetMetric`."""
        self.flush()
        found = self._found.get(method, {})
        figures = {}
        for place, name in enumerate(self.names):
            values = [found[index][place] for index in sorted(found)]
            figures[name] = mean_figure(values, seed=self._seed)
        return figures
