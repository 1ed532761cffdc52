"""Networks by name, with fresh, shipped or given weights; and back into a file, or an ONNX graph."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from chromagan.errors import ModelError, WeightsError, words_of
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.conv_norm import fold_frozen_norms, unfold_tensors
from chromagan.models.registry import build_network, model_record
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.catalog import named_weights
from chromagan.pretrained.keras_h5 import MODEL as KERAS_MODEL
from chromagan.pretrained.keras_h5 import SIGNATURE as HDF5
from chromagan.pretrained.keras_h5 import read_keras
from chromagan.pretrained.published import published_models, read_published
from chromagan.pretrained.store import first_bytes, read_weights, refuse_unfit, starts_a_pickle, verify, write_weights

if TYPE_CHECKING:
    from chromagan.models.chroma_upsampler import ChromaUpsampler

Built = TypeVar("Built", bound=nn.Module)
UPSAMPLER = "chroma_upsampler"
# A mode sees the call that comes first: what a module's own start calls as well as what that calls on the tensor.
_RANDOM_FILLS = {
    Tensor.uniform_, Tensor.normal_, nn.init.uniform_, nn.init.normal_, nn.init.trunc_normal_, nn.init.xavier_uniform_,
    nn.init.xavier_normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_,
}  # fmt: skip


class _NoRandomFill(TorchFunctionMode):
    """Leaves out random initialisation where strict loading follows.

    It costs tenths of a second, and seconds on the meta device, for which PyTorch imports its compiler.
    """

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _RANDOM_FILLS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


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
    tensors, card = read_any_weights(path, name, verified=False)
    if name is not None and card.model != name:
        raise WeightsError(f"weights file {path} is for model {card.model!r}, not {name!r}; name that model instead")
    return _filled(lambda: build_network(card.model, **{**card.config, **config}), tensors, card, path), card


def _filled(
    build: Callable[[], Built], tensors: dict[str, Tensor], card: WeightsCard, path: str | os.PathLike[str]
) -> Built:
    """The network that a card describes, with the file's tensors, which are verified on the way."""
    source = f"weights file {path}"
    # An outline without memory first: a small file may describe an enormous network.
    try:
        with torch.device("meta"), _NoRandomFill():
            outline = build()
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:  # whatever PyTorch says of absurd sizes
        raise WeightsError(f"{source} describes no network: {words_of(error)[:160]}; name another file") from error
    refuse_unfit(outline, unfold_tensors(outline, {key: one.to("meta") for key, one in tensors.items()}), source)
    verify(tensors, card, path)
    # The network itself, its random start left out where the file fills all of it, and not only what inference needs.
    state = unfold_tensors(outline, tensors)
    with _NoRandomFill() if outline.state_dict().keys() <= state.keys() else contextlib.nullcontext():
        network = build()
    network.load_state_dict(state, strict=False)
    return network


def read_any_weights(
    path: str | os.PathLike[str], name: str | None = None, verified: bool = True
) -> tuple[dict[str, Tensor], WeightsCard]:
    """The tensors and the card of our own file, or of one that the authors of a registered network publish.

    Args:
        path: the file; its first bytes tell a safetensors file from a Keras file and from a state dict.
        name: the network that a published file must be for, if given.
        verified: see `read_weights`.
    """
    head = first_bytes(path)
    if head.startswith(HDF5):
        if name not in (None, KERAS_MODEL):  # told before half a gigabyte is read
            raise WeightsError(f"weights file {path} is Keras', for model {KERAS_MODEL!r}, not {name!r}; name that one")
        return read_keras(path)
    if starts_a_pickle(head) and published_models(name):
        return read_published(path, name)
    return read_weights(path, verified)


def is_upsampler(path: Path) -> bool:
    """Whether a file holds weights of the chroma step."""
    return first_bytes(path)[8:9] == b"{" and read_weights(path, verified=False)[1].model == UPSAMPLER


def load_upsampler(path: str | os.PathLike[str] | None = None) -> ChromaUpsampler:
    """The learned x2 chroma step, from the shipped weights or a given file, in evaluation mode."""
    from chromagan.models.chroma_upsampler import build_upsampler

    path = named_weights(UPSAMPLER) if path is None else path
    tensors, card = read_weights(path, verified=False)
    if card.model != UPSAMPLER:
        raise WeightsError(f"weights file {path} is for {card.model!r}, not the chroma upsampler; name another file")
    return _filled(lambda: build_upsampler(card.config), tensors, card, path).eval()


@dataclass(frozen=True)
class Exported:
    """A file that was written, and of which network; `fact` is its sha256, or how near an ONNX graph comes."""

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

        return _graph(path, card, export_onnx(path, network, card, half=half))
    # a state dict is stored whole
    written = write_weights(path, network.state_dict() if keep_class_head else network, card, half)
    return Exported(path, card.model, f"sha256 {written.sha256}")


def write_chroma_step(out: str | os.PathLike[str], weights: Path, half: bool = False) -> Exported:
    """Write the chroma step of a weights file as an ONNX graph; otherwise as `write_network`."""
    from chromagan.pretrained.onnx import export_chroma_step

    card = read_weights(weights)[1]
    return _graph(out, card, export_chroma_step(out, load_upsampler(weights), card, half))


def _graph(out: str | os.PathLike[str], card: WeightsCard, difference: float) -> Exported:
    return Exported(Path(out), card.model, f"ab within {difference:.1g} Lab units of the network's under onnxruntime")
