"""A trained `chromagan` with a further branch: it answers as before, and learns what the branch adds."""

from __future__ import annotations

import torch

from chromagan.errors import UsageError
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.conv_norm import unfold_tensors
from chromagan.models.registry import build_network
from chromagan.pretrained.create import read_any_weights
from chromagan.pretrained.store import load_into

_GLOBAL = "global_features.0.weight"  # reads the deepest maps of all branches side by side


@torch.no_grad()
def grow(init: str, backbones: list[str], classes: int) -> ColorizationNetwork:
    """The network of a weights file with more branches behind its own.

    The new branches' laterals begin at zero, and so do the columns in which the global features read them. Their trunks
    are fresh, for the caller to fill.

    Args:
        init: weights file of a `chromagan`, see `read_any_weights`.
        backbones: the branches wanted, those of the file first.
        classes: outputs of the class head, for a file without one.

    Raises:
        UsageError: the branches do not begin with the file's, or a new one has deeper maps than those.
    """
    tensors, card = read_any_weights(init, "chromagan")
    own = list(card.config["backbone"])
    if backbones[: len(own)] != own:
        raise UsageError(f"--init {init} has the branch {', '.join(own)}: name it first in --backbone")
    options = {**card.config, "folded": False, "classes": card.config["classes"] or classes}
    before = build_network("chromagan", **options)
    load_into(before, unfold_tensors(before, tensors), f"weights file {init}")
    network = build_network("chromagan", **{**options, "backbone": backbones})
    state, known = network.state_dict(), before.state_dict()
    if len(network.levels) != len(before.levels):  # type: ignore[arg-type]
        raise UsageError(f"--backbone {' '.join(backbones)}: its maps do not fit the scales of {init}")
    for key, value in state.items():
        if key in known and value.shape == known[key].shape:
            value.copy_(known[key])
        elif key == _GLOBAL:
            value.zero_()[:, : known[key].shape[1]] = known[key]
        elif ".laterals." in key and key.endswith("norm.weight"):
            value.zero_()
    network.load_state_dict(state)
    return network


def new_branches(init_config: dict[str, object], backbones: list[str]) -> bool:
    """Whether more branches are wanted than the weights of `--init` have."""
    own = init_config.get("backbone")
    return isinstance(own, list) and len(backbones) > len(own)


__all__ = ["grow", "new_branches"]
