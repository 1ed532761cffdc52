"""How much memory a training step needs, told before the run."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork
from chromagan.models.critic import PatchCritic
from chromagan.training.config import TrainConfig

_TRIED = 2  # one photograph alone has no batch statistics where a map is 1 x 1


def estimate_memory(generator: ColorizationNetwork, config: TrainConfig) -> dict[str, int]:
    """Bytes of a step in float32; autocast needs down to half of it for activations.

    Weights, gradients, Adam's two moments (one with `--optimizer sgd`) and the average are counted; activations are
    what autograd keeps of a forward pass of generator and critic on two photographs, scaled to those of one
    accumulation part.

    Args:
        generator: with the parameters that the run trains.
        config: of the run.
    """
    network = copy.deepcopy(generator).train()
    critic = PatchCritic() if config.objective.asking_for("critic") else None
    networks = [network] if critic is None else [network, critic]
    weights = sum(p.numel() for one in networks for p in one.parameters())
    photos = config.schedule.batch_size // config.schedule.accumulate
    side = config.photos.size
    L = torch.rand(_TRIED, 1, side, side) * 100
    kept = _saved_bytes(network, L)
    if critic is not None:
        stride = generator.ab_stride
        small = torch.rand(_TRIED, 3, -(-side // stride), -(-side // stride))
        # real and interpolates; the second backward pass of the penalty keeps about as much again
        kept += 3 * _saved_bytes(critic, small[:, :1], small[:, 1:])
    moments = 4 if config.optimizer.optimizer == "sgd" else 8
    generator_weights = sum(p.numel() for p in network.parameters())
    return {
        "weights": 4 * weights,
        "gradients": 4 * weights,
        "optimisers": moments * generator_weights + 8 * (weights - generator_weights),
        "average": 4 * generator_weights if config.optimizer.ema else 0,
        "activations": kept * photos // _TRIED,
    }


def _saved_bytes(network: nn.Module, *inputs: Tensor) -> int:
    """Bytes that autograd keeps of one forward pass, each storage once, parameters left out."""
    seen: dict[Any, int] = {}
    ours = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in ours:
            seen[storage._cdata] = storage.nbytes()
            alive.append(tensor)  # an address is not given away while it is counted
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(*inputs)
    return sum(seen.values())
