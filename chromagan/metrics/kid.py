"""Kernel Inception distance, with either of two Inception networks: see `chromagan.metrics.distances`."""

from __future__ import annotations

from chromagan.metrics.distances import OPEN_DISTANCES
from chromagan.metrics.metric import SetMetric
from chromagan.metrics.registry import register

_KINDS = {
    "": ("", "answers against the truths of the same images"),
    "_disjoint": (", disjoint", "answers of one half of the images against the truths of the other"),
}

for _start, (_network, _title) in zip((115, 125), {"tf": "TF", "torchvision": "torchvision"}.items(), strict=True):
    for _place, (_kind, (_suffix, _about)) in enumerate(_KINDS.items(), _start):
        register(SetMetric(
            name=f"kid_{_network}{_kind}", label=f"KID, {_title} Inception{_suffix}", digits=4, better="lower",
            about=f"kernel distance of Inception features: {_about}", place=_place,
            needs=(f"inception_{_network}",), open=OPEN_DISTANCES[_network],
        ))  # fmt: skip
