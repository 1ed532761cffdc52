"""State dicts as the authors of other networks publish them: files of `torch.save`, read as tensors and nothing else.

A network that such a file fits says so by `published` (see `chromagan.models.contract`); its names and shapes
are the file's own, so nothing is converted. Unpickling is PyTorch's restricted one (`weights_only=True`), which builds
tensors and plain containers; a file that asks for more is refused.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import torch
from torch import Tensor

from chromagan.errors import WeightsError
from chromagan.models.contract import Published
from chromagan.models.look import Look
from chromagan.models.registry import build_network, list_models, model_record
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.store import digest

_REMEDY = "give the file that the authors publish, or a .safetensors file written by chromagan"
_STEPS = ".num_batches_tracked"
_SIZE = 256  # the working size of the authors' own programs, in pixels


def published_models(name: str | None = None) -> dict[str, Published]:
    """Networks whose authors publish a state dict, and what they publish.

    Args:
        name: look at this network only.
    """
    names = list_models() if name is None else [name]
    found = {one: model_record(one).network.published for one in names}
    return {one: published for one, published in found.items() if published is not None}


def read_published(path: str | os.PathLike[str], name: str | None = None) -> tuple[dict[str, Tensor], WeightsCard]:
    """Read a state dict that a network's authors publish.

    Args:
        path: the file.
        name: the network; without it, the one whose names of tensors are the file's.

    Returns:
        The tensors by name, and a card that says for which network and configuration they are.

    Raises:
        WeightsError: the file is damaged, holds more than tensors by name, or fits no such network.
    """
    tensors = _read_tensors(Path(path))
    # Whose they are.
    models = published_models(name)
    if name is None:
        models = {one: theirs for one, theirs in models.items() if _names(one, theirs) == _without_steps(tensors)}
        if len(models) != 1:
            raise WeightsError(
                f"weights file {path} is a pickle whose tensors are those of no network with published weights "
                f"({', '.join(published_models())}); {_REMEDY}"
            )
    ((model, published),) = models.items()
    # Files from before PyTorch 0.4.1 do not count the steps of batch norm; the count has no part in inference.
    steps = {f"{prefix}{_STEPS}" for prefix in _batch_norms(tensors)} - tensors.keys()
    tensors |= {key: torch.zeros((), dtype=torch.long) for key in steps}
    card = WeightsCard(
        model=model,
        config=dict(published.config),
        created_by=f"the authors of {model}, {published.url}",
        licence=published.licence,
        sha256=digest(tensors),
        command="",
        look=Look(size=_SIZE),
    )
    return tensors, card


def _read_tensors(path: Path) -> dict[str, Tensor]:
    # PyTorch's reader of its oldest format, tar files, ran code in spite of `weights_only` until 2.6 (CVE-2025-32434).
    if tarfile.is_tarfile(path):
        raise WeightsError(f"weights file {path} is a tar archive, which can run code when it is opened; {_REMEDY}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises whatever a damaged or hostile file makes it raise
        raise WeightsError(
            f"weights file {path} is a pickle, damaged or with more than tensors in it, and was not opened; {_REMEDY}"
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise WeightsError(f"weights file {path} is a pickle, but not of tensors by name; {_REMEDY}")
    return {key: value.detach() for key, value in content.items()}


def _batch_norms(names: dict[str, Tensor]) -> set[str]:
    return {name.removesuffix(".running_var") for name in names if name.endswith(".running_var")}


def _without_steps(names: dict[str, Tensor]) -> set[str]:
    return {name for name in names if not name.endswith(_STEPS)}


def _names(model: str, published: Published) -> set[str]:
    with torch.device("meta"):  # names without memory
        return _without_steps(build_network(model, **published.config).state_dict())
