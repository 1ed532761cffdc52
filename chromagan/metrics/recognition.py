"""Whether a classifier of real photographs still knows what colorized pictures show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chromagan.errors import MetricUnavailable
from chromagan.metrics.classifier import DEFAULT_CLASSIFIER, Classifier, imagenet_class, imagenet_wnids, load_classifier
from chromagan.metrics.distances import TRUTH
from chromagan.metrics.figure import Figure, mean_figure
from chromagan.metrics.metric import Picture, Resources, SetMetric
from chromagan.metrics.registry import register

RECOGNITION = ("accuracy", "agreement", "class_kl")
_BATCH = 32


class Recognition:
    """Answers of one classifier, as a `chromagan.metrics.metric.Collector`; all three are means over images.

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
        self.settings: dict[str, Any] = {**(settings or {}), "bootstrap_seed": seed}
        self.warnings: list[str] = []
        self.missing: dict[str, str] = {}
        self._classify, self._labels, self._device, self._seed = classify, labels, torch.device(device), seed
        self._queues: dict[tuple[str, tuple[int, ...]], list[tuple[int, Picture]]] = {}
        self._answers: dict[tuple[str, int], Tensor] = {}  # of the block at hand
        self._in_block: set[int] = set()
        self._found: dict[str, dict[int, tuple[float, ...]]] = {}

    def update(self, index: int, method: str, picture: Picture, truth: Picture) -> None:
        """Take one picture of a method; see `Collector`."""
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
        """Run what waits, and keep three numbers a picture; see `Collector`."""
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
        """By method: `indices` (n,) and `values` (n, names); see `Collector`."""
        self.flush()
        return {
            method: {"indices": torch.tensor(sorted(found)),
                     "values": torch.tensor([found[i] for i in sorted(found)], dtype=torch.float64)}
            for method, found in self._found.items()
        }  # fmt: skip

    def merge(self, states: Sequence[dict[str, Any]]) -> None:
        """Take over what others hold; see `Collector`."""
        for state in states:
            for method, part in state.items():
                rows = (tuple(row) for row in part["values"].tolist())
                self._found.setdefault(method, {}).update(zip(part["indices"].tolist(), rows, strict=True))

    def compute(self, method: str) -> dict[str, Figure]:
        """The figures of a method; see `Collector`."""
        self.flush()
        found = self._found.get(method, {})
        figures = {}
        for place, name in enumerate(self.names):
            values = [found[index][place] for index in sorted(found)]
            figures[name] = mean_figure(values, seed=self._seed)
        return figures


def open_recognition(names: Sequence[str], resources: Resources) -> Recognition:
    """The classifier, for those of `RECOGNITION` that are asked for; `accuracy` is missing where images carry no class.

    Raises:
        MetricUnavailable: the classifier cannot be had.
    """
    judge = load_classifier(
        resources.classifier or DEFAULT_CLASSIFIER, resources.classifier_weights, resources.networks,
        resources.download, names[0],
    ).to(resources.device)  # fmt: skip
    labels, missing = None, {}
    if "accuracy" in names:
        try:
            labels = _labels(resources.images, judge)
        except MetricUnavailable as error:
            missing["accuracy"] = str(error)
    settings = {"classifier": judge.name, "sha256": judge.digest, "picture": "short side 256, middle 224 x 224"}
    kept = [name for name in names if name not in missing]
    found = Recognition(kept, judge, labels, resources.device, settings)
    found.missing = missing
    return found


def _labels(images: Sequence[str], judge: Classifier) -> list[int]:
    wnids = imagenet_wnids()
    classes = int(judge(torch.zeros(1, 3, 224, 224, dtype=torch.uint8, device=judge.mean.device)).shape[1])
    if classes != len(wnids):
        raise MetricUnavailable(
            f"accuracy is left out: the classifier {judge.name} has {classes} classes, not ImageNet's {len(wnids)}; "
            "take another, or the metric agreement"
        )
    labels = [imagenet_class(name, wnids) for name in images]
    without = [name for name, label in zip(images, labels, strict=True) if label is None]
    if without or not images:
        example = without[0] if without else "nothing"
        raise MetricUnavailable(
            f"accuracy is left out: {len(without)} of {len(images)} images carry no class ({example}); sort the truth "
            "into folders by ImageNet's classes (n01440764/...), or take the metric agreement"
        )
    return [label for label in labels if label is not None]


for _name, _label, _better, _place, _about in (
    ("accuracy", "Classified right", "higher", 130, "share of answers that a classifier gives the photo's label"),
    (
        "agreement",
        "Classified as the truth is",
        "higher",
        131,
        "share of answers that a classifier gives the class of the truth",
    ),
    (
        "class_kl",
        "KL of class distributions",
        "lower",
        132,
        "divergence of a classifier's answer from its answer to the truth",
    ),
):
    register(SetMetric(
        name=_name, label=_label, digits=4, better=_better, place=_place, about=_about,  # type: ignore[arg-type]
        needs=("classifier",), open=open_recognition,
    ))  # fmt: skip
