"""Weights in and out of safetensors files: strict, with a digest, and never a pickle.

A pickle can run any code of its author when it is opened, so a `.pt` or `.pth` file is recognised by its first bytes
and refused here (`chromagan.pretrained.published` reads those of known authors, tensors only). What a file holds is
described in `chromagan.pretrained.card`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from chromagan.errors import UnknownNameError, WeightsError
from chromagan.files.atomic import write_atomically
from chromagan.files.find import special_kind
from chromagan.models.contract import ColorizationNetwork, digest
from chromagan.models.look import Look
from chromagan.pretrained.card import WeightsCard
from chromagan.version import __version__

_REMEDY = "get the file again, or name another one"
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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
    """`write_weights` with the card's entries one by one; see `WeightsCard`."""
    card = WeightsCard(model, config, "", licence, "", command, look or Look(), extra or {})
    return write_weights(path, module_or_tensors, card, half=half)


def write_weights(
    path: str | os.PathLike[str], source: nn.Module | Mapping[str, Tensor], card: WeightsCard, half: bool = True
) -> WeightsCard:
    """Write a weights file for inference; the file appears under its name only when it is complete.

    Parameters under the prefixes that a network names in `training_only_prefixes` (its class head) are left out, and
    the stored configuration then is that of the network without them.

    Args:
        path: where to write; folders are made.
        source: a network, or a state dict (which is stored whole).
        card: what the file says of itself; its `sha256` and `created_by` are set here.
        half: store floating tensors of two or more dimensions as float16. Biases and the statistics of normalisation
            layers stay as they are: they are small, and half precision would lose variances.

    Returns:
        The card that was written.

    Raises:
        WeightsError: a value does not fit into half precision or is not finite.
        WriteError: the file cannot be written.
    """
    from safetensors.torch import save

    tensors, config = inference_part(source, card.config)
    stored = {name: _stored(name, tensor, half) for name, tensor in tensors.items()}
    card = replace(card, config=config, created_by=f"chromagan {__version__}", sha256=digest(stored))
    path = Path(path)
    with contextlib.suppress(OSError):  # writing tells what is wrong with the folder
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(save(stored, card.to_metadata())), sync=True)
    return card


def inference_part(
    source: nn.Module | Mapping[str, Tensor], config: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A network's state without what only training needs, and the configuration that fits it; a state dict as it is."""
    state = dict(source.state_dict() if isinstance(source, nn.Module) else source)
    if not isinstance(source, ColorizationNetwork):
        return state, config
    kept = {name: tensor for name, tensor in state.items() if not source.training_only(name)}
    return kept, config if len(kept) == len(state) else {**config, **source.without_training_parts}


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    # A clone, because safetensors refuses tensors that share memory.
    tensor = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    if half and tensor.is_floating_point() and tensor.ndim > 1:
        tensor = tensor.half()
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        raise WeightsError(f"cannot store {name!r}: it has values that are not finite or too large for half precision")
    return tensor


def read_weights(path: str | os.PathLike[str], verified: bool = True) -> tuple[dict[str, Tensor], WeightsCard]:
    """Read a weights file that `write_weights` wrote, memory-mapped; nothing in it is executed.

    Args:
        path: of the file.
        verified: look whether its tensors are those of its digest; who looks at their shapes first, does so by
            `verify` afterwards: a small file may speak of enormous ones.

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
    if verified:
        verify(tensors, card, path)
    return tensors, card


def verify(tensors: Mapping[str, Tensor], card: WeightsCard, path: str | os.PathLike[str]) -> None:
    """Refuse tensors that are not those of the card's digest, or hold numbers that no network has: `WeightsError`."""
    if digest(tensors) != card.sha256:
        raise WeightsError(f"weights file {path} is damaged: its tensors do not match its sha256; {_REMEDY}")
    floats = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}
    for name, tensor in floats.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"weights file {path} is damaged: {name[:60]} holds no finite numbers; {_REMEDY}")
    if floats and not any(tensor.any() for tensor in floats.values()):
        raise WeightsError(f"weights file {path} holds nothing but zeros: its network answers gray; {_REMEDY}")


def first_bytes(path: str | os.PathLike[str]) -> bytes:
    """The first 16 bytes of a weights file; a pipe, which would wait for ever, is not opened.

    Raises:
        UnknownNameError: there is no such file.
        WeightsError: it cannot be read.
    """
    kind = special_kind(path)
    if kind is not None:
        raise WeightsError(f"weights file {path} is {kind}, which is never opened; name a .safetensors file")
    try:
        with open(path, "rb") as file:
            return file.read(16)
    except IsADirectoryError as error:
        raise UnknownNameError(f"{path} is a folder, not a weights file; name the .safetensors file in it") from error
    except FileNotFoundError as error:
        raise UnknownNameError(f"there is no weights file {path}; check the name") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise WeightsError(f"cannot read weights file {path}: {getattr(error, 'strerror', '') or error}") from error


def starts_a_pickle(head: bytes) -> bool:
    """Whether a file begins as those of `torch.save` do."""
    zipped = head[:4] == b"PK\x03\x04"
    return zipped or (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and head[8:9] != b"{")


def _refuse_other_files(path: Path) -> None:
    head = first_bytes(path)
    if starts_a_pickle(head):
        raise WeightsError(
            f"weights file {path} is a pickle, which can run code when it is opened; "
            "use a .safetensors file written by chromagan"
        )
    if head[8:9] != b"{":
        raise WeightsError(f"{path} is not a safetensors file; {_REMEDY}")
    if int.from_bytes(head[:8], "little") > path.stat().st_size - 8:
        raise WeightsError(f"weights file {path} is damaged or cut short; {_REMEDY}")


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], source: str = "the weights") -> None:
    """Copy tensors into a network; see `refuse_unfit`."""
    refuse_unfit(network, tensors, source)
    network.load_state_dict(dict(tensors), strict=False)


def refuse_unfit(network: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Refuse tensors that do not fit a network by name, shape or type; both may lie on the meta device.

    Only parameters under the network's `training_only_prefixes` may be missing.

    Raises:
        WeightsError: names up to three entries that are missing, unknown, or of another shape or type.
    """
    state = network.state_dict()
    needed, _ = inference_part(network, {})
    missing = [name for name in needed if name not in tensors]
    unknown = [name for name in tensors if name not in state]
    shapes = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(state[name].shape)}"
        for name in state
        if name in tensors and tensors[name].shape != state[name].shape
    ]
    types = [
        f"{name} {str(tensors[name].dtype).removeprefix('torch.')}"
        for name, ours in state.items()
        if name in tensors and tensors[name].dtype not in (_FLOATS if ours.is_floating_point() else (ours.dtype,))
    ]
    for what, names in (
        ("lacks", missing), ("has unknown entries", unknown), ("has other shapes:", shapes), ("has other types:", types)
    ):  # fmt: skip
        if names:
            raise WeightsError(
                f"{source} does not fit {type(network).__name__}: it {what} {_first(names)}; "
                "name the model and configuration that it was made for"
            )


def _first(names: Sequence[str], count: int = 3) -> str:
    names = [name[:120] for name in names]
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
