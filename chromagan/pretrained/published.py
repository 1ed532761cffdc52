"""State dicts as the authors of other networks publish them: files of `torch.save`, read as tensors and nothing else.

A network that such a file fits says so by `published` (see `chromagan.models.contract`); its names and shapes
are the file's own, so nothing is converted. Unpickling is PyTorch's restricted one (`weights_only=True`), which builds
tensors and plain containers; a file that asks for more is refused.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from chromagan.errors import WeightsError
from chromagan.models.contract import Published, digest
from chromagan.models.look import Look
from chromagan.models.registry import build_network, list_models, model_record
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.store import refuse_unfit

_REMEDY = "give the file that the authors publish, or a .safetensors file written by chromagan"
_STEPS = ".num_batches_tracked"
_SIZE = 256  # the working size of the authors' own programs, in pixels


def published_models(name: str | None = None) -> dict[str, Published]:
    """Networks whose authors publish a state dict, and what they publish; of all, or of the one that is named."""
    names = list_models() if name is None else [name]
    return {one: published for one in names if (published := model_record(one).network.published) is not None}


def read_published(path: str | os.PathLike[str], name: str | None = None) -> tuple[dict[str, Tensor], WeightsCard]:
    """Read a state dict that the authors of a network publish: of `name`, or of the one whose tensors' names it has.

    Returns:
        The tensors by name, and a card that says for which network and configuration they are.

    Raises:
        WeightsError: the file is damaged, holds more than tensors by name, or fits no such network.
    """
    tensors = _read_tensors(Path(path))
    # Whose they are, by outlines without memory; nothing of a tensor is touched before its shape is right.
    models, outlines = published_models(name), {}
    with torch.device("meta"):
        for model, published in models.items():
            outlines[model] = build_network(model, **published.config)
    if name is None:
        names = _without_steps(tensors)
        outlines = {one: net for one, net in outlines.items() if _without_steps(net.state_dict()) == names}
        if len(outlines) != 1:
            raise WeightsError(
                f"weights file {path} is a pickle whose tensors are those of no network with published weights "
                f"({', '.join(models)}); {_REMEDY}"
            )
    ((model, outline),) = outlines.items()
    published, counters = models[model], [key for key in outline.state_dict() if key.endswith(_STEPS)]
    # Files from before PyTorch 0.4.1 do not count the steps of batch norm; the count has no part in inference.
    tensors = {**{key: torch.zeros((), dtype=torch.long) for key in counters}, **tensors}
    refuse_unfit(outline, tensors, f"weights file {path}")
    authors, look = f"the authors of {model}, {published.url}", Look(size=_SIZE)
    card = WeightsCard(model, dict(published.config), authors, published.licence, digest(tensors), "", look)
    return tensors, card


def _read_tensors(path: Path) -> dict[str, Tensor]:
    # PyTorch's reader of its oldest format, tar files, ran code in spite of `weights_only` until 2.6 (CVE-2025-32434).
    if tarfile.is_tarfile(path):
        raise WeightsError(f"weights file {path} is a tar archive, which can run code when it is opened; {_REMEDY}")
    try:
        _refuse_bomb(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises whatever a damaged or hostile file makes it raise
        raise WeightsError(
            f"weights file {path} is a pickle, damaged or with more than tensors in it, and was not opened; {_REMEDY}"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) and _plain(one) for key, one in content.items()):
        raise WeightsError(f"weights file {path} is a pickle, but not of tensors by name; {_REMEDY}")
    return {key: value.detach() for key, value in content.items()}


def _refuse_bomb(path: Path) -> None:
    """`torch.save` compresses nothing and stores nothing twice: what it wrote is no larger than the file."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(one.compress_type for one in entries) or sum(one.file_size for one in entries) > path.stat().st_size:
        raise ValueError("it unfolds to more than it is")


def _plain(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.is_cpu and not value.is_quantized


def _without_steps(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.endswith(_STEPS)}
