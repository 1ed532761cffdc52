"""A network and its card into the file that sampling or training takes, or into an ONNX graph."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from chromagan.models.contract import ColorizationNetwork
from chromagan.models.conv_norm import fold_frozen_norms
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.store import save_weights


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: the file.
        model: registered name of the network in it.
        fact: its sha256, or how near an ONNX graph comes to the network.
    """

    path: Path
    model: str
    fact: str

    def text(self) -> str:
        """It in a line."""
        return f"{self.path}: {self.model}, {self.path.stat().st_size / 2**20:.1f} MiB, {self.fact}"


def write_network(
    out: str | os.PathLike[str],
    network: ColorizationNetwork,
    card: WeightsCard,
    *,
    onnx: bool = False,
    half: bool = True,
    keep_class_head: bool = False,
) -> Exported:
    """Write a network, its frozen normalisations folded into the convolutions before them.

    Args:
        out: file to write.
        network: any registered network; folding changes it in place.
        card: what it says of itself.
        onnx: write an ONNX graph.
        half: store the weights in half precision.
        keep_class_head: write what only training needs, too; nothing is folded then.

    Raises:
        WeightsError: a value does not fit into half precision, or an ONNX graph cannot be made.
        WriteError: the file cannot be written.
    """
    if not keep_class_head and fold_frozen_norms(network):
        card = replace(card, config={**card.config, "folded": True})
    path = Path(out)
    if onnx:
        from chromagan.pretrained.onnx import export_onnx

        difference = export_onnx(path, network, card, half=half)
        return Exported(path, card.model, f"ab within {difference:.1g} Lab units of the network's under onnxruntime")
    written = save_weights(
        path,
        network.state_dict() if keep_class_head else network,  # a state dict is stored whole
        model=card.model,
        config=card.config,
        command=card.command,
        licence=card.licence,
        half=half,
        look=card.look,
        extra=card.extra,
    )
    return Exported(path, card.model, f"sha256 {written.sha256}")


__all__ = ["Exported", "write_network"]
