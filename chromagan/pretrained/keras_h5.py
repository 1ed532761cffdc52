"""The Keras file that the authors of ChromaGAN publish (`my_model_colorization.h5`), read into `chromagan_paper`.

The file is HDF5, as `model.save` of Keras 2 writes it: a group a layer, named by its kind and the order in which the
layers were made (`conv2d_6`, `dense_1`, `batch_normalization_1`; the VGG16 trunk is one layer that holds its own). The
numbers begin anywhere, because other networks were made in the same program before, so their order counts. Nothing in
the file is executed: its description of the network, which could hold code, is not read.

Kernels come as (rows, columns, inputs, outputs), dense ones as (inputs, outputs). Dense layers read a map flattened as
(rows, columns, channels); our network flattens in that order too (see `ChromaganPaper.predict_released`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chromagan.errors import ModelError, WeightsError
from chromagan.models.look import Look
from chromagan.models.registry import build_network
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.store import digest

MODEL = "chromagan_paper"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_REMEDY = "give the my_model_colorization.h5 that ChromaGAN's authors publish"
_SIZE = 224

Arrays = dict[str, Any]  # datasets of an open file, by name
# For each kind of our layers: names of the arrays in the file, and ours.
_ARRAYS: dict[str, dict[str, str]] = {
    "conv": {"kernel": "weight", "bias": "bias"},
    "dense": {"kernel": "weight", "bias": "bias"},
    "norm": {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"},
}
_KINDS = {"conv2d": "conv", "dense": "dense", "batch_normalization": "norm"}
# In the order in which the authors' program makes its layers; within one kind that is the order of their numbers.
_PARTS = ("global_features", "global_vector", "class_head", "mid_features", "decoder")


def read_keras(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], WeightsCard]:
    """Read the authors' file, of `model.save` or `model.save_weights`, strictly.

    Returns:
        The tensors of `chromagan_paper` by name, float32, and a card with the number of classes.

    Raises:
        WeightsError: h5py is not installed; the file is damaged; or a layer or one of its arrays is missing, is one too
            many, or has another shape. The message names it.
    """
    path = Path(path)
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(f"weights file {path} is HDF5, which needs h5py: pip install 'chromagan[keras]'") from error
    try:
        with h5py.File(path, "r") as file:
            root = _inside(file, "model_weights") if "model_weights" in list(file) else file
            tensors, classes = _read_network(root, path)
    except ModelError as error:  # classes beyond all reason
        raise _unfit(path, str(error)) from error
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:  # whatever HDF5 says of a damaged file
        raise WeightsError(f"weights file {path} is damaged or not written by Keras ({error}); {_REMEDY}") from error
    authors, licence = "the authors of ChromaGAN (Vitoria, Raad and Ballester 2020)", "as published by its authors"
    return tensors, WeightsCard(MODEL, {"classes": classes}, authors, licence, digest(tensors), "", Look(size=_SIZE))


def _unfit(path: Path, why: str) -> WeightsError:
    return WeightsError(f"weights file {path} is not ChromaGAN's: {why}; {_REMEDY}")


def _read_network(root: Any, path: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors by our names, and the number of classes. Nothing is read before all shapes are right."""
    layers = _sorted_layers(root, path)
    classes = _classes(layers, path)
    with torch.device("meta"):  # names and shapes without memory
        network = build_network(MODEL, classes=classes)
    # Their layers beside ours, kind by kind in order; each pair is checked before any is read.
    pairs: list[tuple[str, str, Arrays]] = []
    for kind in _ARRAYS:
        ours, theirs = list(_our_layers(network, kind)), layers[kind]
        if len(ours) != len(theirs):
            raise _unfit(path, f"it has {len(theirs)} layers of the kind {kind}, not {len(ours)}")
        for (name, layer), (their_name, arrays) in zip(ours, theirs, strict=True):
            _check(name, layer, kind, their_name, arrays, path)
            pairs.append((name, kind, arrays))
    return dict(one for pair in pairs for one in _converted(*pair)), classes


def _sorted_layers(root: Any, path: Path) -> dict[str, list[tuple[str, Arrays]]]:
    """The layers with weights by kind, each kind in the order of its numbers; the trunk's convolutions come first."""
    layers: dict[str, list[tuple[int, str, Arrays]]] = {kind: [] for kind in _ARRAYS}
    for name in _texts(root, "layer_names"):
        layer = _inside(root, name)
        arrays = {full: _inside(layer, full) for full in _texts(layer, "weight_names")}
        for (kind, order), shown, own in _layers_of(name, arrays, path):
            layers[kind].append((order, shown, own))
    return {kind: [(n, a) for _, n, a in sorted(one, key=lambda layer: layer[0])] for kind, one in layers.items()}


def _inside(group: Any, name: str) -> Any:
    """What the file itself holds by a name: a link to another one may lead to a pipe, which never ends."""
    from h5py import h5l

    for part in name.split("/"):
        if group.id.links.get_info(part.encode()).type != h5l.TYPE_HARD:
            raise KeyError(f"{name} lies in another file")
        group = group[part]
    if getattr(group, "external", None) or getattr(group, "is_virtual", False):
        raise KeyError(f"{name} lies in another file")
    return group


def _texts(group: Any, attribute: str) -> list[str]:
    """A list of names; Keras cuts one that is too long for HDF5 into `attribute0`, `attribute1`, ..."""
    pieces = [attribute] if attribute in group.attrs else [f"{attribute}0"]
    while (following := f"{attribute}{len(pieces)}") in group.attrs:
        pieces.append(following)
    values = [value for piece in pieces for value in group.attrs[piece]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _layers_of(name: str, arrays: Arrays, path: Path) -> Iterator[tuple[tuple[str, int], str, Arrays]]:
    """The layers with weights in one of the file's groups: one, or for the trunk several."""
    inside: dict[str, Arrays] = {}
    for full, array in arrays.items():
        layer, _, leaf = full.rpartition("/")
        inside.setdefault(layer.rpartition("/")[2], {})[re.sub(r"(_\d+)?(:\d+)?$", "", leaf)] = array
    for layer, own in inside.items():
        trunk = re.fullmatch(r"block(\d)_conv(\d)(_\d+)*", layer)
        plain = re.fullmatch(r"(\D\w*?)(?:_(\d+))?", name)
        if trunk:
            order = -100 + 10 * int(trunk[1]) + int(trunk[2])  # before every numbered layer
            yield ("conv", order), layer, own
        elif plain and plain[1] in _KINDS and len(inside) == 1:
            yield (_KINDS[plain[1]], int(plain[2] or 0)), name, own
        else:
            raise _unfit(path, f"layer {layer or name} has no place in it")


def _classes(layers: dict[str, list[tuple[str, Arrays]]], path: Path) -> int:
    """Outputs of the last dense layer: the classes of the teacher."""
    kernels = [arrays.get("kernel") for _, arrays in layers["dense"]]
    if not kernels or kernels[-1] is None or kernels[-1].ndim != 2:
        raise _unfit(path, "it has no dense layer for the classes")
    return int(kernels[-1].shape[1])


def _our_layers(network: nn.Module, kind: str) -> Iterator[tuple[str, nn.Module]]:
    types: dict[str, type[nn.Module]] = {"conv": nn.Conv2d, "dense": nn.Linear, "norm": nn.BatchNorm2d}
    for part in ("trunk", *_PARTS):
        for name, layer in getattr(network, part).named_modules():
            if isinstance(layer, types[kind]):
                yield f"{part}.{name}", layer


def _check(name: str, layer: nn.Module, kind: str, theirs: str, arrays: Arrays, path: Path) -> None:
    """Refuse a layer of the file that is not the one of ours that stands at its place."""
    wanted = _ARRAYS[kind]
    if set(arrays) != set(wanted):
        raise _unfit(path, f"layer {theirs} has {', '.join(sorted(arrays))} instead of {', '.join(wanted)}")
    for leaf, ours in wanted.items():
        shape, expected = arrays[leaf].shape, tuple(getattr(layer, ours).shape)
        order = _order(leaf, len(shape))
        if len(order) != len(shape) or tuple(shape[i] for i in order) != expected:
            raise _unfit(path, f"{leaf} of layer {theirs} has the shape {shape}, which does not fit {name} {expected}")


def _converted(name: str, kind: str, arrays: Arrays) -> Iterator[tuple[str, Tensor]]:
    for leaf, ours in _ARRAYS[kind].items():
        array = np.asarray(arrays[leaf], np.float32)
        yield f"{name}.{ours}", torch.from_numpy(np.ascontiguousarray(array.transpose(_order(leaf, array.ndim))))
    if kind == "norm":
        yield f"{name}.num_batches_tracked", torch.zeros((), dtype=torch.long)


def _order(leaf: str, dimensions: int) -> tuple[int, ...]:
    """Their dimensions in our order: a kernel's outputs come first with us."""
    if leaf != "kernel":
        return tuple(range(dimensions))
    return {4: (3, 2, 0, 1), 2: (1, 0)}.get(dimensions, ())
