"""The roofline: what a device reaches at best in arithmetic and in moving memory, measured, and what a network needs.

The two meet in the shortest time in which the device could run the network (Williams, Waterman and Patterson,
"Roofline: an insightful visual performance model for multicore architectures", CACM 2009).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

_CHANNELS = 256


@dataclass(frozen=True)
class Work:
    """What one forward pass cannot avoid.

    Attributes:
        flops: arithmetic of convolutions and matrix products, a multiply-add counted as 2.
        bytes: parameters, buffers, input and answer, each moved once. What an ideal program would keep on the chip
            (every map between two layers) is not in it.
    """

    flops: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Arithmetic a byte moved."""
        return self.flops / self.bytes


@dataclass(frozen=True)
class Roof:
    """Best measured rates of a device in one precision.

    Attributes:
        matmul, convolution: flops a second of a large matrix product and of a 3x3 convolution, 256 channels to 256.
        bandwidth: bytes a second of a large copy, reading and writing both counted.
    """

    matmul: float
    convolution: float
    bandwidth: float

    @property
    def flops(self) -> float:
        """The better of the two, so that no network is measured against a product that suits the device badly."""
        return max(self.matmul, self.convolution)

    def seconds(self, work: Work) -> float:
        """The shortest time for some work: its arithmetic or its memory traffic, whichever takes longer."""
        return max(work.flops / self.flops, work.bytes / self.bandwidth)

    def bound(self, work: Work) -> str:
        """Which of the two it is: "arithmetic" or "memory"."""
        return "arithmetic" if work.flops / self.flops >= work.bytes / self.bandwidth else "memory"


class RoofMeter:
    """A device's roof in several precisions, measured in bursts with other things timed between; the best counts."""

    def __init__(self, device: torch.device, precisions: Sequence[torch.dtype]) -> None:
        self.device = device
        large = device.type != "cpu"
        side, self._batch, map_side, megabytes = (8192, 32, 64, 512) if large else (1024, 1, 64, 96)
        self._squares = {p: torch.randn(side, side, device=device).to(p) for p in precisions}
        kernel = torch.randn(_CHANNELS, _CHANNELS, 3, 3, device=device)
        self._kernels = {p: _channels_last(kernel, p) for p in precisions}
        maps = torch.randn(self._batch, _CHANNELS, map_side, map_side, device=device)
        self._maps = {p: _channels_last(maps, p) for p in precisions}
        self._source = torch.ones(megabytes << 18, device=device)
        self._target = torch.empty_like(self._source)
        self._best: dict[tuple[str, torch.dtype | None], float] = {}

    @torch.inference_mode()
    def burst(self) -> None:
        """One untimed and two timed runs of each product and of the copy: tenths of a second."""
        for precision, square in self._squares.items():
            kernel, maps = self._kernels[precision], self._maps[precision]
            self._keep(("matmul", precision), 2 * square.shape[0] ** 3, lambda s=square: s @ s)  # type: ignore[misc]
            flops = 2 * 9 * _CHANNELS * maps.numel()
            self._keep(("convolution", precision), flops, lambda m=maps, k=kernel: F.conv2d(m, k, padding=1))  # type: ignore[misc]
        moved = 2 * self._source.numel() * self._source.element_size()
        self._keep(("copy", None), moved, lambda: self._target.copy_(self._source))

    def roof(self, precision: torch.dtype) -> Roof:
        """The best rates of all bursts so far; there must have been one."""
        matmul, convolution = (self._best[name, precision] for name in ("matmul", "convolution"))
        return Roof(matmul, convolution, self._best["copy", None])

    def _keep(self, name: tuple[str, torch.dtype | None], amount: int, action: Callable[[], object]) -> None:
        action()
        rate = amount / min(seconds_of(action, self.device) for _ in range(2))
        self._best[name] = max(rate, self._best.get(name, 0.0))


def _channels_last(tensor: Tensor, precision: torch.dtype) -> Tensor:
    return tensor.to(precision).contiguous(memory_format=torch.channels_last)


def work_of(network: nn.Module, L: Tensor) -> Work:
    """What one forward pass of a network in evaluation mode needs on L (N, 1, H, W) in [0, 100].

    Arithmetic is counted by PyTorch's own formulas for convolutions and matrix products.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        ab = network(L).ab
    tensors = [L, ab, *network.parameters(), *network.buffers()]
    return Work(int(counter.get_total_flops()), sum(tensor.numel() * tensor.element_size() for tensor in tensors))


def settle(device: torch.device) -> None:
    """Wait until a device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def seconds_of(action: Callable[[], object], device: torch.device, times: int = 1) -> float:
    """Seconds that an action takes on a device, so many times in a row, from an idle device to an idle device."""
    settle(device)
    start = time.perf_counter()
    for _ in range(times):
        action()
    settle(device)
    return time.perf_counter() - start
