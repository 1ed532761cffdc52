"""The registry of colorization networks: a decorator, and a record of each."""

from __future__ import annotations

import difflib
import fnmatch
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chromagan.errors import ModelError, UnknownNameError
from chromagan.models.contract import ColorizationNetwork
from chromagan.strangers import load_room, load_strangers

Network = TypeVar("Network", bound=type[ColorizationNetwork])

ROOM = "chromagan.models"  # of our networks, and the entry points of others


@dataclass(frozen=True)
class ModelRecord:
    """What the registry knows of a network.

    Attributes:
        name: what `--model` takes.
        network: its class, which declares the rest.
        paper: where the network is described.
        recipe: training options that the network's authors published, by name of the training configuration's field.
        title: what it is, in a few words.
        outputs: what it answers with, such as "ab at 1/4" or "313 bins at 1/4".
        licence: SPDX name of the licence of this implementation, and of published weights where theirs is another.
        weights: where weights come from, besides those that this package ships.
        weightless: there is nothing to train or load: it works as it is built.
    """

    name: str
    network: type[ColorizationNetwork]
    paper: str
    recipe: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    outputs: str = "ab"
    licence: str = "Apache-2.0"
    weights: str = ""
    weightless: bool = False

    @property
    def options(self) -> Mapping[str, inspect.Parameter]:
        """The keyword arguments that the network is built with, by name."""
        return inspect.signature(self.network).parameters


_RECORDS: dict[str, ModelRecord] = {}


def register_model(name: str, *, paper: str, **facts: Any) -> Callable[[Network], Network]:
    """Decorator that enters a network's class under `name`; a name can be taken once.

    The facts are the other fields of `ModelRecord`; `chromagan zoo` shows them.
    """

    def enter(network: Network) -> Network:
        if name in _RECORDS:
            raise ModelError(f"the model name {name!r} is taken; choose another for {network.__qualname__}")
        network.registered_as = name
        _RECORDS[name] = ModelRecord(name, network, paper, **facts)
        return network

    return enter


def model_record(name: str) -> ModelRecord:
    """The record of one network; `ModelError` names the nearest ones when there is none."""
    for load in (load_room, load_strangers):  # other packages are asked for what is not ours alone
        if name not in _RECORDS:
            load(ROOM)
    if name not in _RECORDS:
        near = difflib.get_close_matches(name, _RECORDS, n=3) or sorted(_RECORDS)
        raise UnknownNameError(f"there is no model {name!r}; did you mean {', '.join(near)}?")
    return _RECORDS[name]


def list_models(filter: str = "*") -> list[str]:
    """Names of the registered networks that match a shell pattern, sorted."""
    load_room(ROOM)
    load_strangers(ROOM)
    return sorted(fnmatch.filter(_RECORDS, filter))


def build_network(name: str, **config: Any) -> ColorizationNetwork:
    """Build a network from its name and configuration, with fresh weights."""
    return model_record(name).network.build(**config)
