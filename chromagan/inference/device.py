"""Choosing the device and the arithmetic that it is fast in."""

from __future__ import annotations

import platform
from typing import TypeVar

import torch
from torch import nn

from chromagan.errors import DeviceError

DEVICES = ("auto", "cpu", "cuda", "mps")
Module = TypeVar("Module", bound=nn.Module)


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        DeviceError: the name is unknown, or the device is not there.
    """
    kind = name.split(":")[0]
    if kind not in DEVICES:
        raise DeviceError(f"there is no device {name!r}; choose one of {', '.join(DEVICES)}")
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if kind == "auto":
        return torch.device(next(kind for kind, there in found.items() if there))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"there is no device {name!r}; choose one of {', '.join(DEVICES)}") from error
    if not found[kind] or (kind == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise DeviceError(f"this machine, or its PyTorch, has no {name} device; use --device cpu or auto")
    return device


def place(
    module: Module, device: torch.device | None = None, layout: torch.memory_format = torch.channels_last
) -> Module:
    """Move a network itself to a device, by default where it is, and to a layout; convolutions like channels last."""
    return module.to(device, memory_format=layout)  # type: ignore[call-overload]  # unknown to PyTorch's annotations


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; emulated bfloat16 is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    # These two queries are private and younger than the oldest PyTorch that is supported; without them: float32.
    queries = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return torch.backends.mkldnn.is_available() and any(query() for query in queries if query is not None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, PyTorch or OpenCV means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    phrases = ("can't allocate memory", "not enough memory", "out of memory", "insufficient memory")
    return any(phrase in text for phrase in phrases)
