"""What PyTorch keeps for each thread: its share of the processors, and the CUDA device."""

from __future__ import annotations

import os
import sys


class TorchThreads:
    """Gives threads that work side by side equal shares of PyTorch's own threads, on the device their caller chose.

    Made by the caller; PyTorch is imported later, by one of the threads.
    """

    def __init__(self) -> None:
        self._all = self._share = 0
        torch = sys.modules.get("torch")
        used = torch is not None and torch.cuda.is_initialized()
        self._cuda: int | None = torch.cuda.current_device() if torch is not None and used else None

    def divide(self, count: int) -> None:
        """From now on, `enter` gives each thread its share of so many; 1 leaves all as it is."""
        import torch

        self._all = torch.get_num_threads()
        self._share = max(1, self._all // count) if count > 1 else 0

    def enter(self) -> None:
        """Set the calling thread up."""
        import torch

        if self._share:
            torch.set_num_threads(self._share)
        if self._cuda is not None:
            torch.cuda.set_device(self._cuda)

    def give_back(self) -> None:
        """Let the calling thread, and those that it starts, have all of the processors again."""
        if self._share:
            import torch

            torch.set_num_threads(self._all)


def count_processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
