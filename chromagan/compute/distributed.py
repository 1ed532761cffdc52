"""Several processes that train one network: ranks, reductions, batch statistics over all ranks.

torchrun starts the processes and tells each its rank in the environment. Gradients are averaged by hand after the
backward pass instead of by DistributedDataParallel, whose hooks do not see the second backward pass of a gradient
penalty. Everything here is the identity in a single process.
"""

from __future__ import annotations

import importlib
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from chromagan.errors import TrainingError, UsageError

T = TypeVar("T")


def rank() -> int:
    """Number of this process, 0 in a single one. Rank 0 alone writes and shows."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def local_rank() -> int:
    """Number of this process on its machine: which GPU it takes."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def process_group(device_type: str, timeout_seconds: float = 600.0) -> Iterator[None]:
    """Join the processes that torchrun has started (nccl on CUDA, gloo elsewhere), and leave them in the end.

    Args:
        device_type: "cuda" or another.
        timeout_seconds: a rank that says nothing for so long is taken for lost.

    Raises:
        TrainingError: another rank was lost. The message says so; torchrun's `--max-restarts` starts all again.
        UsageError: this PyTorch has no distributed package.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if not dist.is_available():
        raise UsageError("this PyTorch was built without torch.distributed; train in one process, without torchrun")
    # Optimisers import it; where a group stands by then, its threads outlive it and can abort the process at exit.
    importlib.import_module("torch._dynamo")
    backend, timeout = "nccl" if device_type == "cuda" else "gloo", timedelta(seconds=timeout_seconds)
    store, number, count = next(dist.rendezvous("env://", timeout=timeout))
    attempt = _agree_on_attempt(store, number, count, timeout_seconds)
    dist.init_process_group(
        backend, store=dist.PrefixStore(attempt, store), rank=number, world_size=count, timeout=timeout
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def _agree_on_attempt(store: dist.Store, number: int, count: int, timeout_seconds: float) -> str:
    """A name that this start of all ranks has for itself in the store; `TrainingError` where not all of them come.

    torchrun keeps one store over its restarts, so a rank could meet the addresses of the ranks that died (and its
    count of restarts differs between machines). Rank 0 answers whoever is there under the caller's own random name, to
    which nobody else listens, until each rank has confirmed.
    """
    mine, until = uuid.uuid4().hex, time.monotonic() + timeout_seconds
    lost = TrainingError(f"rank {number} of {count} waited {timeout_seconds:g} s for the others to start")
    if number > 0:
        store.set(f"here/{number}", mine)
        try:
            store.wait([f"attempt/{mine}"], timedelta(seconds=timeout_seconds))
        except (RuntimeError, ValueError) as error:
            raise lost from error
        attempt: str = store.get(f"attempt/{mine}").decode()
        store.set(f"confirmed/{attempt}/{number}", "")
        return attempt
    missing = set(range(1, count))
    while missing:
        for other in missing.copy():
            if store.check([f"here/{other}"]):
                store.set(f"attempt/{store.get(f'here/{other}').decode()}", mine)
            if store.check([f"confirmed/{mine}/{other}"]):
                missing.discard(other)
        if missing and time.monotonic() > until:
            raise lost
        time.sleep(0.01)
    return mine


def told_of_lost_ranks(call: Callable[[], T]) -> T:
    """Run a collective; what the backend says when a rank is gone becomes one clear `TrainingError`."""
    try:
        return call()
    except (RuntimeError, ValueError) as error:
        if world_size() == 1 or isinstance(error, torch.OutOfMemoryError):
            raise
        reason = " ".join(str(error).split())[:160]
        raise TrainingError(
            f"rank {rank()} of {world_size()} lost another process ({reason}); the last checkpoint stands: run the "
            "same command again, or give torchrun --max-restarts"
        ) from error


def gather(thing: T) -> list[T]:
    """The ranks' picklable objects, in the order of ranks, on every rank."""
    if world_size() == 1:
        return [thing]
    things: list[Any] = [None] * world_size()
    told_of_lost_ranks(lambda: dist.all_gather_object(things, thing))
    return things


def any_rank(flag: bool) -> bool:
    """Whether the flag is raised on any rank; all ranks call this at the same step."""
    if world_size() == 1:
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    number = torch.tensor([float(flag)], device=device)
    told_of_lost_ranks(lambda: dist.all_reduce(number))
    return bool(number.item())


def average(tensor: Tensor) -> Tensor:
    """Mean over the ranks, in place."""
    if world_size() > 1:
        told_of_lost_ranks(lambda: dist.all_reduce(tensor))
        tensor /= world_size()
    return tensor


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the ranks, through one buffer for each type and device.

    With losses that are means over equally many samples on every rank, this is the gradient of the whole batch.
    """
    if world_size() == 1:
        return
    groups: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            groups.setdefault((parameter.grad.dtype, parameter.grad.device), []).append(parameter.grad)
    for gradients in groups.values():
        whole = average(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, whole.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def copy_from_first_rank(module: nn.Module) -> None:
    """Give all ranks the weights and buffers of rank 0."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            told_of_lost_ranks(lambda tensor=tensor: dist.broadcast(tensor, 0))  # type: ignore[misc]


class _SumOverRanks(torch.autograd.Function):
    """Sum over the ranks. Every rank's result depends on every rank's input, so gradients are summed too."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        told_of_lost_ranks(lambda: dist.all_reduce(total))
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        told_of_lost_ranks(lambda: dist.all_reduce(total))
        return total


class SyncedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm whose statistics in training are those of all ranks' batches, on any backend.

    `torch.nn.SyncBatchNorm` refuses CPU tensors. Statistics are computed in at least float32, in two passes, and are
    differentiable across ranks. Names and shapes of weights and buffers are those of the layer that it stands for.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"batch norm expects at least 2 dimensions, got {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, ...) to the same, normalised with the statistics of all ranks in training mode."""
        if not self.training or world_size() == 1:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            x = input if input.dtype == torch.float64 else input.float()
            dims = [d for d in range(x.dim()) if d != 1]
            shape = [1, -1] + [1] * (x.dim() - 2)
            count = average(torch.tensor(float(x.numel() / x.shape[1]), device=x.device)) * world_size()
            mean = _SumOverRanks.apply(x.sum(dims)) / count
            centred = x - mean.view(shape)
            variance = _SumOverRanks.apply(centred.square().sum(dims)) / count
            if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
                share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                unbiased = variance.detach() * (count / (count - 1).clamp_min(1))
                self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), share)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)
            y = centred * torch.rsqrt(variance + self.eps).view(shape)
            if self.weight is not None:
                y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)


def synchronise_batch_norm(module: nn.Module) -> None:
    """Make every batch norm of a module one over all ranks, in place; weights, buffers and settings stay."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.__class__ = SyncedBatchNorm
