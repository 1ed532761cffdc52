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
def grow(
    init: str, backbones: list[str], *, classes: int, semantic: bool, bins: bool, hints: bool
) -> ColorizationNetwork:
    """The network of a weights file with what a run adds: branches behind its own, bins, hints, a class head.

    What is new begins so that the colours stay as they are: the new branches' laterals and the columns in which the
    global features read them are zero, and so are the weights of hints. The trunks of new branches are fresh, for the
    caller to fill. What the file has and the run does not use stays.

    Args:
        init: weights file of a `chromagan`, see `read_any_weights`.
        backbones: all branches as they are built, those of the file first.
        classes: outputs of the class head, for a file without one.
        semantic: see `ChromaGAN`, as for the next two.
        bins: whether the run trains them.
        hints: whether the run shows them.

    Raises:
        UsageError: a new branch has deeper maps than those of the file.
    """
    tensors, card = read_any_weights(init, "chromagan")
    config = card.config
    before = build_network("chromagan", **{**config, "folded": False})
    load_into(before, unfold_tensors(before, tensors), f"weights file {init}")
    more = {
        "backbone": backbones, "classes": config["classes"] or classes, "semantic": semantic,
        "bins": config["bins"] or bins, "hints": config["hints"] or hints,
    }  # fmt: skip
    network = build_network("chromagan", **{**before.config, **more})
    if len(network.levels) != len(before.levels):  # type: ignore[arg-type]
        raise UsageError(f"--backbone {' '.join(backbones)}: its maps do not fit the scales of {init}")
    state, known = network.state_dict(), before.state_dict()
    for key, value in state.items():
        if key in known and value.shape == known[key].shape:
            value.copy_(known[key])
        elif key == _GLOBAL:
            value.zero_()[:, : known[key].shape[1]] = known[key]
        elif ".laterals." in key and key.endswith("norm.weight"):
            value.zero_()
    network.load_state_dict(state)
    return network
