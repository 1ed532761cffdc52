"""Weights averaged: what several runs from one beginning have learned, in one network that costs no more than each.

Wortsman et al., "Model soups", ICML 2022: runs that started from the same weights lie in one basin, and their mean is
often better than any of them. Runs of different beginnings have nothing in common, and their mean paints gray mud.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from chromagan.errors import UsageError
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.conv_norm import fold_frozen_norms
from chromagan.pretrained.card import WeightsCard

Loaded = tuple[ColorizationNetwork, WeightsCard]


def average(loaded: Sequence[Loaded], names: Sequence[str]) -> Loaded:
    """The equal mean of networks' weights, each taken as it is stored for inference.

    Args:
        loaded: networks with their cards; they are folded in place, and the first one becomes the mean.
        names: what to call each in messages.

    Returns:
        The mean, with the first one's card; `averaged` in it lists sha256, command and photographs of each.

    Raises:
        UsageError: they are not of one network with one configuration.
    """
    folded = [_folded(*one) for one in loaded]
    (network, card), *others = folded
    for (_, other), name in zip(others, names[1:], strict=True):
        if (other.model, _painting(network, other)) != (card.model, _painting(network, card)):
            raise UsageError(
                f"{name} is of another network or configuration than {names[0]}; weights of one network can be averaged"
            )
    states = [one.state_dict() for one, _ in folded]
    wanted = [key for key, value in states[0].items() if value.is_floating_point() and not network.training_only(key)]
    with torch.no_grad():
        mean = {key: torch.stack([state[key].double() for state in states]).mean(0) for key in wanted}
    network.load_state_dict(mean, strict=False)
    parts = [{"sha256": one.sha256, "command": one.command, "images": one.extra.get("images", "")} for _, one in folded]
    return network, replace(card, extra={**card.extra, "averaged": json.dumps(parts)})


def _folded(network: ColorizationNetwork, card: WeightsCard) -> Loaded:
    if fold_frozen_norms(network):
        card = replace(card, config={**card.config, "folded": True})
    return network, card


def _painting(network: ColorizationNetwork, card: WeightsCard) -> dict[str, Any]:
    """The configuration without what only training needs."""
    return {name: value for name, value in card.config.items() if name not in network.without_training_parts}
