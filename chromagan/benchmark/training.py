"""How fast training is: the whole loop against its own arithmetic, and against the loop of a textbook.

The three alternate in one process, so that other work on the machine falls on all alike. Ratios of medians count.
"""

from __future__ import annotations

import copy
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from tqdm import tqdm

from chromagan.benchmark.roofline import seconds_of, settle
from chromagan.compute.device import Module, place
from chromagan.compute.signals import StopSignals
from chromagan.data.loader import Batch
from chromagan.losses.class_distribution import ClassDistribution
from chromagan.losses.wasserstein import gradient_penalty
from chromagan.models.contract import Prediction
from chromagan.models.teacher import Teacher
from chromagan.models.trunk import import_timm
from chromagan.reports.tables import format_table
from chromagan.training.config import TrainConfig
from chromagan.training.loop import Loop
from chromagan.training.step import Truth
from chromagan.training.trainer import Trainer


@dataclass
class TrainTimings:
    """Figures of one configuration on one machine.

    Attributes:
        images_per_second: medians of `loop` (data, logging and bookkeeping included), `fixed` (the same arithmetic on
            one batch in memory) and `textbook`.
        phases: median seconds of one step's parts.
        peak_bytes: most memory of the process, or on CUDA of the device.
        teraflops: arithmetic of a step over its time; `peak_teraflops` is what a large matrix product reaches here in
            the generator's precision.
    """

    images_per_second: dict[str, float]
    phases: dict[str, float]
    peak_bytes: int
    teraflops: float
    peak_teraflops: float

    @property
    def bookkeeping(self) -> float:
        """Share of the loop's time that is not arithmetic; at most a few hundredths, and noise around 0."""
        return 1 - self.images_per_second["loop"] / self.images_per_second["fixed"]


def time_training(config: TrainConfig, out: Path, device: torch.device, steps: int, runs: int) -> TrainTimings:
    """Time a configuration in an empty run folder.

    `runs` stretches of `steps` each are timed after one that is thrown away, and medians taken over them; the data
    should exceed `steps * (runs + 1)` batches.
    """
    # 1. The trainer, one batch that stays, and the textbook with copies of its networks.
    trainer = Trainer(config, out, device)
    if trainer.teacher is None and config.objective.asking_for("teacher"):
        teacher = random_teacher(config.objective.term(ClassDistribution).teacher)
        trainer.teacher = trainer.adversaries.teacher = place(teacher, device)
    loop = Loop(trainer, snapshot_every=10**12, tick=trainer.batch_size * max(1, steps // 2))
    trainer.folder.start(0)
    batches = trainer.batches()
    fixed = next(batches)
    fixed = Batch(fixed.rgb.to(device), fixed.ordinals)
    textbook = Textbook(trainer)
    # 2. The three in turns.
    rates: dict[str, list[float]] = {"loop": [], "fixed": [], "textbook": []}
    trainer.generator.train()
    with StopSignals() as signals, tqdm(disable=True) as bar:
        contestants: dict[str, Callable[[], object]] = {
            "loop": lambda: loop.advance(batches, signals, bar),
            "fixed": lambda: trainer.train_batch(fixed),
            "textbook": lambda: textbook.train_batch(fixed),
        }
        for _ in range(runs + 1):
            for name, action in contestants.items():
                rates[name].append(steps * trainer.batch_size / seconds_of(action, device, steps))
    # 3. The parts of a step, memory, arithmetic.
    medians = {name: statistics.median(found[1:]) for name, found in rates.items()}
    phases, peak_bytes = _phases(trainer, fixed, device, runs), _peak_bytes(device)
    teraflops = _arithmetic(trainer, fixed, device, len(fixed.rgb) / medians["fixed"])
    trainer.folder.close()
    return TrainTimings(medians, phases, peak_bytes, *teraflops)


def training_tables(timings: TrainTimings, title: str) -> str:
    """The figures for a terminal; `title` says of what."""
    rates, share = timings.images_per_second, timings.teraflops / timings.peak_teraflops
    rows = [(name, f"{rate:.2f}", f"{rate / rates['textbook']:.2f}") for name, rate in rates.items()]
    phases = [(name, f"{value:.4f}") for name, value in timings.phases.items()]
    return "\n".join((
        format_table((title, "images/s", "x textbook"), rows), format_table(("phase", "seconds"), phases),
        f"data, logging, bookkeeping: {100 * timings.bookkeeping:.1f} % of the loop; peak memory "
        f"{timings.peak_bytes / 1e9:.2f} GB; {timings.teraflops:.3f} of {timings.peak_teraflops:.3f} teraflops "
        f"({100 * share:.0f} %)",
    ))  # fmt: skip


class Textbook:
    """The plain loop: eager, float32, default memory format, one pass for each thing, Adam without fusing.

    It starts from copies of a trainer's networks and does the same mathematics.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.prepare, self.players = trainer.prepare, trainer.adversaries

        def plain(network: Module) -> Module:
            return place(copy.deepcopy(network), layout=torch.contiguous_format)

        self.generator = plain(trainer.generator).train()
        self.critic = None if trainer.critic is None else plain(trainer.critic)
        self.teacher = None if trainer.teacher is None else plain(trainer.teacher)
        trained = [p for p in self.generator.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, 1e-5, betas=(0.5, 0.999), foreach=False)
        if self.critic is not None:
            self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), 1e-5, betas=(0.5, 0.999), foreach=False)

    def train_batch(self, batch: Batch) -> None:
        """One generator step, then one critic step on the same batch."""
        truth, teacher = self.prepare(batch), self.teacher
        answer: Prediction = self.generator(truth.L.contiguous(), truth.condition)
        classify = None if teacher is None else lambda: teacher(truth.shown_to(teacher))
        sight = replace(self.players.sight(truth, answer), classify=classify, critic=self.critic)
        terms = [*self.players.terms, *([self.players.game] if self.critic is not None else [])]
        values = [(term.weight, term(sight)) for term in terms]
        loss = torch.stack([weight * value for weight, value in values if value is not None]).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.critic is not None:
            self._critic_step(self.critic, truth, answer.ab.detach())

    def _critic_step(self, critic: nn.Module, truth: Truth, fake_ab: Tensor) -> None:
        game = self.players.game
        real, fake = critic(truth.small_L, truth.small_ab).mean(), critic(truth.small_L, fake_ab).mean()
        mix = torch.rand(len(fake_ab), device=fake_ab.device)
        penalty = gradient_penalty(
            critic, truth.small_L, truth.small_ab, fake_ab, mix, self.players.ab_unit, game.penalty_on
        )
        self.critic_optimizer.zero_grad()
        (fake - real + game.gradient_penalty * penalty).backward()
        self.critic_optimizer.step()


def random_teacher(name: str) -> Teacher:
    """A classifier with random weights: as fast as a trained one, and good for nothing else."""
    timm = import_timm()
    if name == "vgg16":
        from torchvision.models import vgg16

        return Teacher(name, vgg16().state_dict())
    return Teacher(name, timm.create_model(name, pretrained=False).state_dict())


def _phases(trainer: Trainer, batch: Batch, device: torch.device, runs: int) -> dict[str, float]:
    """Median seconds of the parts of a step with the adversary in it."""
    steps = trainer.adversaries
    found: dict[str, list[float]] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        settle(device)
        start = time.perf_counter()
        yield
        settle(device)
        found.setdefault(name, []).append(time.perf_counter() - start)

    for _ in range(runs + 1):
        with timed("Lab"):
            truth = trainer.prepare(batch)
        if trainer.teacher is not None:
            with timed("teacher, alone"):
                steps.teach(truth)
        with timed("generator step"):
            _, fakes = steps.generator_step(truth, steps.game.adversarial_weight)
        if trainer.critic is not None:
            with timed("critic step"):
                steps.critic_step(truth, fakes)
        with timed("average of weights"):
            trainer.ema.update(trainer.generator)
    return {name: statistics.median(seconds[1:]) for name, seconds in found.items()}


def _arithmetic(trainer: Trainer, batch: Batch, device: torch.device, seconds: float) -> tuple[float, float]:
    """Teraflops of a step that takes so many seconds, and of a large matrix product in the generator's precision."""
    with _Operations() as counter:
        trainer.train_batch(batch)
    precision = trainer.adversaries.autocast or torch.float32
    side = 8192 if device.type == "cuda" else 2048
    square = torch.randn(side, side, device=device).to(precision)
    seconds_of(lambda: square @ square, device, 2)
    peak = max(2 * side**3 / seconds_of(lambda: square @ square, device) for _ in range(5))
    return counter.total / seconds / 1e12, peak / 1e12


class _Operations(TorchDispatchMode):
    """Counts arithmetic by PyTorch's own formulas; its FlopCounterMode cannot follow `autograd.grad` to a leaf."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and add its cost."""
        result = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            self.total += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=result)
        return result


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
