"""The colorizers that a benchmark times: registered networks, with or without weights, and weights files."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from chromagan.compute.device import place
from chromagan.errors import ModelError, UsageError, WeightsError
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, count_parameters
from chromagan.models.registry import build_network, list_models, model_record
from chromagan.pretrained.catalog import named_weights
from chromagan.pretrained.create import load_model, load_upsampler
from chromagan.pretrained.hub import find_weights


@dataclass
class Contender:
    """A colorizer to be timed, ready on its device, by the name that it was asked for.

    Its `weights` are "shipped", "none needed", "random" (fresh ones: as fast as trained ones) or "given".
    """

    name: str
    weights: str
    colorizer: Colorizer

    @property
    def network(self) -> ColorizationNetwork:
        """The network, ready for inference."""
        return self.colorizer.network

    @cached_property
    def plain(self) -> ColorizationNetwork:
        """A copy in PyTorch's own memory layout, as a script that builds the same layers has it."""
        return place(copy.deepcopy(self.network), layout=torch.contiguous_format)

    @property
    def parameters(self) -> int:
        """Parameters at inference."""
        return count_parameters(self.network)


def inference_network(name: str) -> ColorizationNetwork:
    """A registered network with fresh weights and without what only training needs."""
    # never built whole: a class head may be larger than the rest, and memory is measured
    record = model_record(name)
    without = record.network.without_training_parts.items()
    return build_network(name, **{option: value for option, value in without if option in record.options})


def load_contender(model: str, device: str) -> Contender:
    """Make a colorizer ready on a device ("auto", "cpu", "cuda" or "mps").

    The model is a registered name, with the shipped weights where there are any and with random ones otherwise; or
    anything else that `chromagan sample --model` takes. `ModelError` where there is no such network, or it needs a
    package that is not installed; `WeightsError` for a file that cannot be loaded.
    """
    network, weights = _network_of(model)
    return Contender(model, weights, Colorizer(network, upsampler=load_upsampler(), device=device, model=model))


def _network_of(model: str) -> tuple[ColorizationNetwork, str]:
    if model not in list_models():
        return load_model(find_weights(model))[0], "given"
    if model_record(model).weightless:
        return build_network(model), "none needed"
    try:
        path = named_weights(model)
    except WeightsError:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return inference_network(model), "random"
    return load_model(path, model)[0], "shipped"


def load_contenders(models: Sequence[str] | None, device: str, skipped: dict[str, str]) -> list[Contender]:
    """Make several ready, none of them twice; every registered network unless models are given.

    `skipped` gets, by name, why a registered network that nobody asked for cannot be built here.
    """
    if models is not None:
        if twice := sorted({model for model in models if models.count(model) > 1}):
            raise UsageError(f"--models names {twice[0]} twice; its ratio to itself would say nothing")
        return [load_contender(model, device) for model in models]
    found = []
    for model in list_models():
        try:
            found.append(load_contender(model, device))
        except ModelError as error:
            skipped[model] = str(error)
    return found
