"""A second network, for what the one that paints does not predict."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from chromagan.compute.device import place
from chromagan.conditioning.variations import Doubt
from chromagan.inference.stages import predict
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.pretrained.hub import load_pretrained

MODEL = "chromagan@small"


class Adviser:
    """What variations of any network are drawn from: the distributions over the ab bins that a small one predicts.

    Its weights are loaded when they are asked for.

    Args:
        device: that it runs on.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._lock = device, threading.Lock()
        self._network: ColorizationNetwork | None = None

    def __call__(self, L: Tensor) -> Doubt:
        """What is open of the colours of a photo.

        Args:
            L: (1, 1, h, w) in [0, 100], at the working size.
        """
        answer, centres = self._asked(L)
        assert answer.bin_logits is not None
        return Doubt(answer.bin_logits, centres, L, answer.features)

    def distribution(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """What is likely of the colours of a photo: logits (1, Q, h', w'), and the bins' centres (Q, 2)."""
        answer, centres = self._asked(L)
        assert answer.bin_logits is not None
        return answer.bin_logits, centres

    def _asked(self, L: Tensor) -> tuple[Prediction, Tensor]:
        with self._lock:
            if self._network is None:
                self._network = place(load_pretrained(MODEL)[0].eval().requires_grad_(False), self._device)
        (answer,) = predict(self._network, [L])
        assert self._network.bins is not None
        return answer, self._network.bins.centres
