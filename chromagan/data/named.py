"""Data sets by name: `torchvision:Flowers102?root=DIR&split=train` and `hf:NAME?split=train&column=image`."""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from chromagan.data.source import Photo
from chromagan.errors import DataError

NAMED = ("torchvision:", "hf:")


@dataclass(frozen=True, slots=True)
class NamedPhoto:
    """One sample of a named data set. It carries the name, and every process opens the set once for itself."""

    place: str
    index: int

    @property
    def name(self) -> str:
        """The set and the sample's number."""
        return f"{self.place}#{self.index}"

    def read(self) -> bytes | np.ndarray:
        """The encoded file where the set gives it, else (H, W, 3) uint8 RGB."""
        return _open(self.place)[1](self.index)


def list_named(place: str) -> list[Photo]:
    """The photos of a named data set.

    Args:
        place: `torchvision:CLASS?option=value&...` with the options of that class of `torchvision.datasets`; nothing is
            downloaded unless `download=1` is among them. Or `hf:NAME?split=train&column=image&...` with those of
            `datasets.load_dataset`, which downloads what it does not have; NAME may be a folder of `save_to_disk`.

    Raises:
        DataError: the library is not installed, or the set, an option, or the photos are not there.
    """
    return [NamedPhoto(place, index) for index in range(_open(place)[0])]


@lru_cache(maxsize=32)
def _open(place: str) -> tuple[int, Callable[[int], bytes | np.ndarray]]:
    """Length of a set, and the function that reads a sample."""
    kind, _, rest = place.partition(":")
    name, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    return _open_torchvision(place, name, options) if kind == "torchvision" else _open_hf(place, name, options)


def _open_torchvision(place: str, name: str, options: dict[str, str]) -> tuple[int, Callable[[int], Any]]:
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:  # RuntimeError: compiled for another torch
        raise DataError(f'{place}: torchvision cannot be imported ({error}); pip install "chromagan[train]"') from error
    make = getattr(datasets, name, None)
    if not (inspect.isclass(make) and hasattr(make, "__getitem__")):
        raise DataError(f"{place}: torchvision.datasets has no {name}; names are written as there, e.g. Flowers102")
    parameters = inspect.signature(make).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    known = [p for p in parameters if not p.endswith("transform") and p not in ("transforms", "loader", "kwargs")]
    for option in options:
        if option not in known and not takes_any:
            raise DataError(f"{place}: {name} has no option {option}; it has {', '.join(known)}")
    typed = {option: _typed(value, parameters.get(option)) for option, value in options.items()}
    dataset: Any
    try:
        dataset = make(**typed)
    except (TypeError, RuntimeError, ValueError, OSError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{place}: {reason}; give root=DIR and the set's options, download=1 to fetch it") from error
    if hasattr(dataset, "loader"):
        dataset.loader = lambda path: Path(
            path
        ).read_bytes()  # the encoded file: our own decoder is faster and reduces large photos
    return len(dataset), lambda index: _as_photo(dataset[index])


def _typed(value: str, parameter: inspect.Parameter | None) -> Any:
    """An option as the type that the class says, by annotation or default."""
    default = parameter.default if parameter is not None else None
    annotation = str(parameter.annotation) if parameter is not None else ""
    if isinstance(default, bool) or "bool" in annotation:
        return value.lower() in ("1", "true", "yes")
    if isinstance(default, int) or ("int" in annotation and value.lstrip("-").isdigit()):
        return int(value)
    return value


def _open_hf(place: str, name: str, options: dict[str, str]) -> tuple[int, Callable[[int], Any]]:
    try:
        import datasets
    except ImportError as error:
        raise DataError(f'{place}: needs the datasets library; pip install "chromagan[huggingface]"') from error
    column, split = options.pop("column", ""), options.pop("split", "train")
    saved = Path(name) / "state.json", Path(name) / "dataset_dict.json"
    try:
        if any(file.is_file() for file in saved):
            dataset = datasets.load_from_disk(name)
            dataset = dataset[split] if saved[1].is_file() else dataset
        else:
            if "config" in options:
                options["name"] = options.pop("config")
            dataset = datasets.load_dataset(name, split=split, **options)
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError) as error:
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise DataError(f"{place}: cannot be opened ({reason}); check name, split and connection") from error
    images = [key for key, feature in dataset.features.items() if isinstance(feature, datasets.Image)]
    column = column or (images[0] if images else "")
    if column not in dataset.column_names:
        raise DataError(f"{place}: no column of images; give column=NAME, one of {', '.join(dataset.column_names)}")
    dataset = dataset.select_columns([column])
    if column in images:
        dataset = dataset.cast_column(column, datasets.Image(decode=False))
    return len(dataset), lambda index: _as_photo(dataset[index][column])


def _as_photo(image: Any) -> bytes | np.ndarray:
    """Encoded bytes as they are; a PIL image or an array as (H, W, 3) uint8; of a sample its photo."""
    if isinstance(image, tuple | list):
        image = image[0]
    elif isinstance(image, dict) and "image" in image:
        image = image["image"]
    if isinstance(image, dict):  # an undecoded image of the datasets library
        image = image["path"] if image["bytes"] is None else image["bytes"]
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    if isinstance(image, io.IOBase):
        return bytes(image.read())
    if hasattr(image, "convert"):
        return np.asarray(image.convert("RGB"))
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        raise DataError(f"a sample is {array.dtype} of shape {array.shape}, not a photo: use a set of files or images")
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    elif array.shape[2] not in (3, 4) and array.shape[0] in (1, 3):  # channels first, as tensors are
        array = np.broadcast_to(array.transpose(1, 2, 0), (*array.shape[1:], 3))
    return np.ascontiguousarray(array[..., :3])
