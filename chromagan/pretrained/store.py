"""Weights in and out of safetensors files: strict, with a digest, and never a pickle.

A pickle can run any code of its author when it is opened, so a `.pt` or `.pth` file is recognised by its first bytes
and refused here (`chromagan.pretrained.published` reads those of known authors, tensors only). What a file holds is
described in `chromagan.pretrained.card`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from chromagan.errors import WeightsError
from chromagan.files.atomic import write_atomically
from chromagan.files.find import special_kind
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.digest import digest
from chromagan.models.look import Look
from chromagan.pretrained.card import WeightsCard
from chromagan.version import __version__

_REMEDY = "get the file again, or name another one"


def save_weights(
    path: str | os.PathLike[str],
    module_or_tensors: nn.Module | Mapping[str, Tensor],
    *,
    model: str,
    config: dict[str, Any],
    command: str,
    licence: str = "Apache-2.0",
    half: bool = True,
    look: Look | None = None,
    extra: dict[str, str] | None = None,
) -> WeightsCard:
    """Write a weights file for inference; the file appears under its name only when it is complete.

    Parameters under the prefixes that a network names in `training_only_prefixes` (its class head) are left out, and
    the stored configuration then is that of the network without them.

    Args:
        path: where to write; folders are made.
        module_or_tensors: a network, or a state dict (which is stored whole).
        model: the registered name.
        config: keyword arguments that rebuild the network.
        command: the command that trained the weights.
        licence: SPDX name.
        half: store floating tensors of two or more dimensions as float16. Biases and the statistics of normalisation
            layers stay as they are: they are small, and half precision would lose variances.
        look: how these weights want to be used.
        extra: further metadata.

    Returns:
        The card that was written.

    Raises:
        WeightsError: a value does not fit into half precision or is not finite.
        WriteError: the file cannot be written.
    """
    path = Path(path)
    tensors, config = inference_part(module_or_tensors, config)
    stored = {name: _stored(name, tensor, half) for name, tensor in tensors.items()}
    card = WeightsCard(
        model=model,
        config=config,
        created_by=f"chromagan {__version__}",
        licence=licence,
        sha256=digest(stored),
        command=command,
        look=look or Look(),
        extra=extra or {},
    )
    _write(path, stored, card)
    return card


def inference_part(
    source: nn.Module | Mapping[str, Tensor], config: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A network's state without what only training needs, and the configuration that fits it; a state dict as it is."""
    if not isinstance(source, nn.Module):
        return dict(source), config
    state = source.state_dict()
    kept = {name: t for name, t in state.items() if not _training_only(name, source)}
    if len(kept) == len(state) or not isinstance(source, ColorizationNetwork):
        return kept, config
    return kept, {**config, **source.without_training_parts}


def _training_only(name: str, network: nn.Module) -> bool:
    return isinstance(network, ColorizationNetwork) and network.training_only(name)


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    # A clone, because safetensors refuses tensors that share memory.
    tensor = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    if half and tensor.is_floating_point() and tensor.ndim > 1:
        tensor = tensor.half()
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        raise WeightsError(f"cannot store {name!r}: it has values that are not finite or too large for half precision")
    return tensor


def _write(path: Path, tensors: dict[str, Tensor], card: WeightsCard) -> None:
    from safetensors.torch import save

    with contextlib.suppress(OSError):  # writing tells what is wrong with the folder
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(save(tensors, card.to_metadata())), sync=True)


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], WeightsCard]:
    """Read a weights file, memory-mapped, and verify its digest. Nothing in the file is executed.

    Args:
        path: a safetensors file that `save_weights` wrote.

    Returns:
        The tensors by name, in their stored precision, and the file's card.

    Raises:
        WeightsError: the file is missing, a pickle, not a safetensors file, damaged, or not from this program.
    """
    path = Path(path)
    # By its first bytes it may be one of ours; then its tensors, its card, and that the two agree.
    _refuse_other_files(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise WeightsError(f"weights file {path} is damaged or cut short; {_REMEDY}") from error
    try:
        card = WeightsCard.from_metadata(metadata)
    except ValueError as error:
        raise WeightsError(f"weights file {path} is not one of chromagan's: {error}; {_REMEDY}") from error
    if digest(tensors) != card.sha256:
        raise WeightsError(f"weights file {path} is damaged: its tensors do not match its sha256; {_REMEDY}")
    return tensors, card


def is_pickled(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as those of `torch.save` do; False where there is none."""
    try:
        with open(path, "rb") as file:
            return _starts_a_pickle(file.read(16))
    except OSError:
        return False  # `read_weights` says what is wrong with it


def _starts_a_pickle(head: bytes) -> bool:
    zipped = head[:4] == b"PK\x03\x04"
    return zipped or (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and head[8:9] != b"{")


def refuse_special(path: str | os.PathLike[str]) -> None:
    """Refuse a pipe, a socket or a device before anything opens it."""
    kind = special_kind(path)
    if kind is not None:
        raise WeightsError(f"weights file {path} is {kind}, which is never opened; name a .safetensors file")


def _refuse_other_files(path: Path) -> None:
    refuse_special(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise WeightsError(f"{path} is a folder, not a weights file; name the .safetensors file in it")
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no weights file {path}; check the name") from error
    except OSError as error:
        raise WeightsError(f"cannot read weights file {path}: {error.strerror or error}") from error
    if _starts_a_pickle(head):
        raise WeightsError(
            f"weights file {path} is a pickle, which can run code when it is opened; "
            "use a .safetensors file written by chromagan"
        )
    if size < 9 or head[8:9] != b"{":
        raise WeightsError(f"{path} is not a safetensors file; {_REMEDY}")
    if int.from_bytes(head[:8], "little") > size - 8:
        raise WeightsError(f"weights file {path} is damaged or cut short; {_REMEDY}")


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], source: str = "the weights") -> None:
    """Copy tensors into a network; every name and shape must agree.

    Only parameters under the network's `training_only_prefixes` may be missing.

    Raises:
        WeightsError: names up to three entries that are missing, unknown, or of another shape.
    """
    state = network.state_dict()
    missing = [name for name in state if name not in tensors and not _training_only(name, network)]
    unknown = [name for name in tensors if name not in state]
    shapes = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(state[name].shape)}"
        for name in state
        if name in tensors and tensors[name].shape != state[name].shape
    ]
    for what, names in (("lacks", missing), ("has unknown entries", unknown), ("has other shapes:", shapes)):
        if names:
            raise WeightsError(
                f"{source} does not fit {type(network).__name__}: it {what} {_first(names)}; "
                "name the model and configuration that it was made for"
            )
    network.load_state_dict(dict(tensors), strict=False)


def _first(names: Iterable[str], count: int = 3) -> str:
    names = list(names)
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
