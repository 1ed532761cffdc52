"""The metrics of whole sets by name: which there are, and how each is built with its network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from chromagan.errors import MetricUnavailable
from chromagan.evaluation.protocols import Protocol
from chromagan.evaluation.set_metrics.distances import InceptionDistances, distance_names
from chromagan.evaluation.set_metrics.recognition import RECOGNITION, Recognition
from chromagan.evaluation.set_metrics.reference_cache import ReferenceCache, cache_folder
from chromagan.metrics.classifier import DEFAULT_CLASSIFIER, Classifier, imagenet_class, imagenet_wnids, load_classifier
from chromagan.metrics.inception import FEATURES, InceptionFeatures
from chromagan.metrics.network_files import Networks, network_tensors
from chromagan.pretrained.store import digest

if TYPE_CHECKING:
    from chromagan.evaluation.set_metrics.contract import SetMetric

INCEPTIONS = ("tf", "torchvision")
SET_METRICS: tuple[str, ...] = (*(name for net in INCEPTIONS for name in distance_names(net)), *RECOGNITION)


def make_set_metrics(
    names: Sequence[str],
    networks: Networks = None,
    device: torch.device | str = "cpu",
    download: bool = True,
    protocol: Protocol | None = None,
    images: Sequence[str] = (),
    *,
    classifier: str = DEFAULT_CLASSIFIER,
    classifier_weights: str | Path | None = None,
    cache: str | os.PathLike[str] | None = "",
) -> tuple[list[SetMetric], dict[str, str]]:
    """Build the metrics of sets that the names ask for; nothing stands in for a network that is missing.

    Args:
        names: from `SET_METRICS`; names of other metrics are not looked at.
        networks: a folder of the networks' files, or a mapping, as in `chromagan.metrics.network_files`.
        device: where the networks run.
        download: whether a network that is not found may be downloaded.
        protocol: under which is measured; None for pictures as they are.
        images: names of all truths, with their folders below the truth's root (those may carry ImageNet's classes).
        classifier: a timm model for `RECOGNITION`.
        classifier_weights: a local file for it.
        cache: folder for the truths' features; "" for the usual one (`cache_folder`), None for none.

    Returns:
        The metrics; and of each name that cannot be had why, and what to do.

    Raises:
        UsageError: a folder or file that was named and is not there.
        WeightsError: a network was found and is damaged, or another one's.
        DataError: cached features of the truths are damaged.
    """
    wanted = [name for name in dict.fromkeys(names) if name in SET_METRICS]
    made: list[SetMetric] = []
    missing: dict[str, str] = {}
    folder = cache_folder() if cache == "" else cache
    for network in INCEPTIONS:
        mine = [name for name in wanted if name in distance_names(network)]
        if mine:
            try:
                made.append(_distances(network, mine, networks, device, download, protocol, images, folder))
            except MetricUnavailable as error:
                missing |= {name: str(error).replace(mine[0], name, 1) for name in mine}
    mine = [name for name in wanted if name in RECOGNITION]
    if mine:
        try:
            judge = load_classifier(classifier, classifier_weights, networks, download, mine[0]).to(device)
        except MetricUnavailable as error:
            missing |= {name: str(error).replace(mine[0], name, 1) for name in mine}
        else:
            labels = None
            if "accuracy" in mine:
                try:
                    labels = _labels(images, judge)
                except MetricUnavailable as error:
                    missing["accuracy"] = str(error)
                    mine.remove("accuracy")
            if mine:
                made.append(Recognition(mine, judge, labels, device, _classifier_settings(judge)))
    return made, missing


def _distances(
    network: str,
    names: Sequence[str],
    networks: Networks,
    device: torch.device | str,
    download: bool,
    protocol: Protocol | None,
    images: Sequence[str],
    folder: str | os.PathLike[str] | None,
) -> InceptionDistances:
    if len(images) < 2:
        raise MetricUnavailable(f"{names[0]} is left out: it compares sets, and two images are the least; give more")
    key = f"inception_{network}"
    tensors = network_tensors(key, names[0], networks, download)
    sha256 = digest(tensors)
    features = InceptionFeatures(key, tensors).to(device)
    # Processors differ in the last bits, so each kind has its own file.
    about = f"{key} {sha256} {torch.device(device).type}"
    label = protocol.label if protocol else "folder"
    cache = ReferenceCache(folder, about, label, images, FEATURES) if folder is not None else None
    settings = {"network": key, "sha256": sha256}
    return InceptionDistances(network, names, features, FEATURES, images, device, cache, settings)


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


def _classifier_settings(judge: Classifier) -> dict[str, Any]:
    return {"classifier": judge.name, "sha256": judge.digest, "picture": "short side 256, middle 224 x 224"}

