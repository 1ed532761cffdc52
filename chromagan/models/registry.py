"""The registry of colorization networks: a decorator, and a record of each."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chromagan.errors import ModelError
from chromagan.models.contract import ColorizationNetwork
from chromagan.strangers import load_strangers

Network = TypeVar("Network", bound=type[ColorizationNetwork])

ENTRY_POINTS = "chromagan.models"


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


def register_model(
    name: str,
    *,
    paper: str,
    recipe: dict[str, Any] | None = None,
    title: str = "",
    outputs: str = "ab",
    licence: str = "Apache-2.0",
    weights: str = "",
    weightless: bool = False,
) -> Callable[[Network], Network]:
    """Decorator that enters a network's class under `name`; a name can be taken once.

    The other arguments are the fields of `ModelRecord`; `chromagan zoo` shows them.
    """

    def enter(network: Network) -> Network:
        if name in _RECORDS:
            raise ModelError(f"the model name {name!r} is taken; choose another for {network.__qualname__}")
        network.registered_as = name
        _RECORDS[name] = ModelRecord(
            name, network, paper, recipe or {}, title, outputs, licence, weights, weightless
        )
        return network

    return enter


def _load_all() -> None:
    _load_ours()
    load_strangers(ENTRY_POINTS)


def _load_ours() -> None:
    import chromagan.models as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def model_record(name: str) -> ModelRecord:
    """The record of one network; `ModelError` names the nearest ones when there is none."""
    for load in (_load_ours, _load_all):  # other packages are asked for what is not ours alone
        if name not in _RECORDS:
            load()
    if name not in _RECORDS:
        near = difflib.get_close_matches(name, _RECORDS, n=3) or sorted(_RECORDS)
        raise ModelError(f"there is no model {name!r}; did you mean {', '.join(near)}?")
    return _RECORDS[name]


def list_models(filter: str = "*") -> list[str]:
    """Names of the registered networks that match a shell pattern, sorted."""
    _load_all()
    return sorted(fnmatch.filter(_RECORDS, filter))


def build_network(name: str, **config: Any) -> ColorizationNetwork:
    """Build a network from its name and configuration, with fresh weights."""
    record = model_record(name)
    try:
        return record.network.build(**config)
    except TypeError as error:
        raise ModelError(f"model {name!r} does not take this configuration: {error}") from error
