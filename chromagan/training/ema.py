"""Exponential average of a network's weights, batch-norm buffers included."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class ExponentialAverage:
    """Keeps `average = decay * average + (1 - decay) * weights`, with the decay held low while the run is young.

    Args:
        network: whose weights are averaged.
        decay: in [0, 1); 0 follows the weights themselves.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.tensors = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the network's weights in; integer buffers are copied."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.decay else 0.0
        for key, value in network.state_dict().items():
            mean = self.tensors[key]
            if value.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def applied_to(self, network: Network) -> Network:
        """A copy of the network with the averaged weights, in evaluation mode."""
        copied = copy.deepcopy(network)
        copied.load_state_dict(self.tensors)
        return copied.eval()

    def state_dict(self) -> dict[str, Tensor | int | dict[str, Tensor]]:
        """Tensors and counters for a checkpoint."""
        return {"steps": self.steps, "tensors": self.tensors}

    def load_state_dict(self, state: dict) -> None:
        """Go on from a checkpoint."""
        self.steps = int(state["steps"])
        for key, value in state["tensors"].items():
            self.tensors[key].copy_(value)
