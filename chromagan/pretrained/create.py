"""Networks by name, with fresh, shipped or given weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from chromagan.errors import WeightsError
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.conv_norm import unfold_tensors
from chromagan.models.registry import build_network, model_record
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.catalog import named_weights
from chromagan.pretrained.keras_h5 import MODEL as KERAS_MODEL
from chromagan.pretrained.keras_h5 import is_hdf5, read_keras
from chromagan.pretrained.published import published_models, read_published
from chromagan.pretrained.store import is_pickled, load_into, read_weights, refuse_special

if TYPE_CHECKING:
    from chromagan.models.chroma_upsampler import ChromaUpsampler

_RANDOM_FILLS = {Tensor.uniform_, Tensor.normal_}


class _NoRandomFill(TorchFunctionMode):
    """Leaves out random initialisation, which costs tenths of a second, where strict loading follows."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _RANDOM_FILLS:
            return args[0]
        return func(*args, **(kwargs or {}))


def create_model(
    name: str, pretrained: bool = False, weights: str | os.PathLike[str] | None = None, **config: Any
) -> ColorizationNetwork:
    """Build a registered network.

    Args:
        name: its registered name, see `list_models`; with `pretrained` also one of the catalogue, `NAME@TAG`.
        pretrained: load the weights of the catalogue under this name (a network without weights is just built).
        weights: load this safetensors file instead; or, where the network's authors publish one, their state dict
            (`.pth`) or Keras file (`.h5`), which are read as tensors only.
        **config: the network's own options; with weights they are laid over those that the file states.

    Returns:
        The network in training mode, float32, on the CPU.

    Raises:
        ModelError: there is no such name or option.
        WeightsError: the weights are missing, damaged, or made for another network.
    """
    model = name.partition("@")[0] if pretrained and weights is None else name
    # an unknown name is told before a missing file
    if weights is None and (not pretrained or model_record(model).weightless):
        return build_network(model, **config)
    model_record(model)
    return load_model(weights if weights is not None else named_weights(name), model, **config)[0]


def load_model(
    path: str | os.PathLike[str], name: str | None = None, **config: Any
) -> tuple[ColorizationNetwork, WeightsCard]:
    """Build the network that a weights file is for, with its weights.

    Args:
        path: a safetensors file, or a state dict or Keras file that the authors of a registered network publish.
        name: the network that it must be for, if given.
        **config: options laid over those that the file states.

    Returns:
        The network and the file's card.
    """
    # The file says what it is for.
    tensors, card = read_any_weights(path, name)
    if name is not None and card.model != name:
        raise WeightsError(f"weights file {path} is for model {card.model!r}, not {name!r}; name that model instead")
    # The network, its random start left out where the file fills it.
    options = {**card.config, **config}
    with _NoRandomFill():
        network = build_network(card.model, **options)
    if not network.state_dict().keys() <= unfold_tensors(network, tensors).keys():
        # What the file leaves out (a class head for a second stage of training) starts at random.
        network = build_network(card.model, **options)
    # Every tensor in its place, or an error that names it.
    load_into(network, unfold_tensors(network, tensors), f"weights file {path}")
    return network, card


def read_any_weights(
    path: str | os.PathLike[str], name: str | None = None
) -> tuple[dict[str, Tensor], WeightsCard]:
    """The tensors and the card of our own file, or of one that the authors of a registered network publish.

    Args:
        path: the file; its first bytes tell a safetensors file from a Keras file and from a state dict.
        name: the network that a published file must be for, if given.
    """
    refuse_special(path)
    if is_hdf5(path):
        if name not in (None, KERAS_MODEL):  # told before half a gigabyte is read
            raise WeightsError(f"weights file {path} is Keras', for model {KERAS_MODEL!r}, not {name!r}; name that one")
        return read_keras(path)
    if is_pickled(path) and published_models(name):
        return read_published(path, name)
    return read_weights(path)


def load_upsampler(path: str | os.PathLike[str] | None = None) -> ChromaUpsampler:
    """The learned x2 chroma step, from the shipped weights or a given file, in evaluation mode."""
    from chromagan.models.chroma_upsampler import build_upsampler

    path = named_weights("chroma_upsampler") if path is None else path
    tensors, card = read_weights(path)
    if card.model != "chroma_upsampler":
        raise WeightsError(f"weights file {path} is for {card.model!r}, not the chroma upsampler; name another file")
    with _NoRandomFill():
        upsampler = build_upsampler(card.config)
    load_into(upsampler, tensors, f"weights file {path}")
    return upsampler.eval()


__all__ = ["create_model", "load_model", "load_upsampler", "read_any_weights"]
