"""Frechet Inception distance, with either of two Inception networks: see `chromagan.metrics.distances`."""

from __future__ import annotations

from chromagan.metrics.distances import OPEN_DISTANCES
from chromagan.metrics.metric import SetMetric
from chromagan.metrics.registry import register

_KINDS = {
    "": ("", "answers against the truths of the same images"),
    "_disjoint": (", disjoint", "answers of one half of the images against the truths of the other"),
    "_matched": (", matched", "as `{}`, after each answer's colourfulness is made its truth's"),
}

for _start, (_network, _title) in zip((110, 120), {"tf": "TF", "torchvision": "torchvision"}.items(), strict=True):
    for _place, (_kind, (_suffix, _about)) in enumerate(_KINDS.items(), _start):
        register(SetMetric(
            name=f"fid_{_network}{_kind}", label=f"FID, {_title} Inception{_suffix}", better="lower", place=_place,
            about=f"Frechet distance of Inception features: {_about.format(f'fid_{_network}')}",
            needs=(f"inception_{_network}",), open=OPEN_DISTANCES[_network],
        ))  # fmt: skip
