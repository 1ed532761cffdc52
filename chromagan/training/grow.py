"""A trained network with more parts: it answers as before, and learns what they add."""

from __future__ import annotations

from typing import Any

from chromagan.errors import ModelError, UsageError
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.registry import build_network


def grow(before: ColorizationNetwork, backbones: list[str], *, classes: int, **parts: bool) -> ColorizationNetwork:
    """A network with what a run adds: branches behind its own, bins, hints, a class head.

    What is new begins so that the colours stay as they are, see `take_over` of the contract. The trunks of new branches
    are fresh, for the caller to fill. What the network has and the run does not use stays.

    Args:
        before: a network that `grows`, with its weights.
        backbones: all branches as they are built, its own first.
        classes: outputs of the class head, for one without.
        **parts: by option, whether the run uses it; `semantic` alone may take something away.

    Raises:
        UsageError: a new branch does not fit.
    """
    own = before.config
    more: dict[str, Any] = {name: own[name] or used for name, used in parts.items() if name in own}
    more |= {"backbone": backbones, "classes": own["classes"] or classes}
    if "semantic" in more:
        more["semantic"] = parts["semantic"]
    network = build_network(before.registered_as, **{**own, **more})
    try:
        network.take_over(before)
    except ModelError as error:
        raise UsageError(f"--backbone: {error}") from error
    return network
