"""Realism in a classifier's features: how far a method's pictures lie from true ones, as sets.

The formula is KID's (`chromagan.metrics.kernel_distance`), the features are a classifier's (MobileNetV2's unless
another is named), before its last layer. It is no KID, and its figures compare with those of the same classifier alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from chromagan.errors import MetricUnavailable
from chromagan.metrics.classifier import DEFAULT_CLASSIFIER, load_classifier
from chromagan.metrics.distances import FeatureDistances
from chromagan.metrics.metric import Resources, SetMetric
from chromagan.metrics.registry import register

_KINDS = {"classifier_distance": "kid", "classifier_distance_disjoint": "kid_disjoint"}


def open_distances(names: Sequence[str], resources: Resources) -> FeatureDistances:
    """The classifier, for those of the two figures that are asked for.

    Raises:
        MetricUnavailable: fewer than two images, or a classifier that cannot be had or has no such features.
    """
    if len(resources.images) < 2:
        raise MetricUnavailable(f"{names[0]} is left out: it compares sets, and two images are the least; give more")
    judge = load_classifier(
        resources.classifier or DEFAULT_CLASSIFIER, resources.classifier_weights, resources.networks,
        resources.download, names[0],
    ).to(resources.device)  # fmt: skip
    if not hasattr(judge.net, "forward_head"):
        raise MetricUnavailable(f"{names[0]} is left out: {judge.name} does not tell its features; take a timm model")
    dimensions = judge.features(torch.zeros(1, 3, 256, 256, dtype=torch.uint8, device=resources.device)).shape[1]
    settings = {"classifier": judge.name, "sha256": judge.digest, "picture": "short side 256, middle 224 x 224"}
    kinds = {name: _KINDS[name] for name in names}
    return FeatureDistances(kinds, judge.features, dimensions, resources.images, resources.device, settings=settings)


for _name, _label, _place, _about in (
    ("classifier_distance", "Kernel distance, classifier", 133, "answers against the truths of the same images"),
    (
        "classifier_distance_disjoint",
        "Kernel distance, classifier, disjoint",
        134,
        "answers of one half of the images against the truths of the other",
    ),
):
    register(SetMetric(
        name=_name, label=_label, better="lower", digits=4, place=_place,
        about=f"kernel distance of a classifier's features: {_about}", needs=("classifier",), open=open_distances,
    ))  # fmt: skip
