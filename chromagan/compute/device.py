"""Choosing the device, and telling that its memory ran out."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from chromagan.errors import NoDeviceError, words_of

DEVICES = ("auto", "cpu", "cuda", "mps")
Module = TypeVar("Module", bound=nn.Module)


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name; "auto" takes CUDA, then Apple's MPS, then the CPU. `NoDeviceError` where there is none."""
    kind = name.split(":")[0]
    unknown = NoDeviceError(f"there is no device {name!r}; choose one of {', '.join(DEVICES)}")
    if kind not in DEVICES:
        raise unknown
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if kind == "auto":
        return torch.device(next(kind for kind, there in found.items() if there))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise unknown from error
    if not found[kind] or (kind == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise NoDeviceError(f"this machine, or its PyTorch, has no {name} device; use --device cpu or auto")
    return device


def place(
    module: Module, device: torch.device | None = None, layout: torch.memory_format = torch.channels_last
) -> Module:
    """Move a network itself to a device, by default where it is, and to a layout; convolutions like channels last."""
    return module.to(device, memory_format=layout)  # type: ignore[call-overload]  # unknown to PyTorch's annotations


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, PyTorch or OpenCV means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = words_of(error).lower()
    phrases = ("can't allocate memory", "not enough memory", "out of memory", "insufficient memory")
    return any(phrase in text for phrase in phrases)
