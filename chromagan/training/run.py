"""What the loop trains: networks with a place in their data, that a checkpoint holds whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from chromagan.compute.distributed import gather, rank, world_size
from chromagan.errors import TrainingError
from chromagan.files.atomic import remove_unfinished
from chromagan.training.checkpoint import load_state, mark_best, save_state, state_files
from chromagan.training.ema import ExponentialAverage
from chromagan.training.run_folder import RunFolder

Terms = dict[str, Tensor]


class Run(ABC):
    """A run in a folder; a subclass builds its networks, calls `resume`, and says what a step is.

    Args:
        folder: of the run.
        device: where it computes.
        length: photographs in all.
        batch_size: photographs a step, of all ranks together.

    Attributes:
        network: what is trained.
        ema: the average of its weights.
        images: photographs seen by all ranks together.
        best: the best evaluation so far: `images` and `value`, empty before the first.
        remedies: what helps where a term is no longer finite, by its name; "" for any other.
        unit: what one of the `images` is.
    """

    remedies: ClassVar[Mapping[str, str]] = {"": "lower --lr"}
    unit: ClassVar[str] = "photo"
    network: nn.Module
    ema: ExponentialAverage

    def __init__(self, folder: RunFolder, device: torch.device, length: int, batch_size: int) -> None:
        self.folder, self.device = folder, device
        self.length, self.batch_size = length, batch_size
        self.images = 0
        self.best: dict[str, float] = {}

    @abstractmethod
    def batches(self) -> Iterator[Any]:
        """An endless stream of batches from the run's place in its data on."""

    @abstractmethod
    def train_batch(self, batch: Any) -> Terms:
        """One step on a batch; counts its photographs, and returns the terms' values."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What a checkpoint holds besides what every run has: tensors and plain types. Called on every rank."""

    @abstractmethod
    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""

    @property
    def finished(self) -> bool:
        """Whether the run is at its end."""
        return self.images >= self.length

    def figures(self) -> dict[str, Any]:
        """What a line of the log holds besides the terms."""
        return {}

    def last_words(self) -> str | None:
        """What is said when the loop has stopped."""
        return None

    def players(self) -> dict[str, nn.Module | None]:
        """The networks that are trained, by the name that messages give them."""
        return {"network": self.network}

    def resume(self) -> None:
        """Go on from the last checkpoint, where there is one.

        Raises:
            TrainingError: it is damaged.
        """
        state = load_state(self.folder.path)
        if self.folder.writes:
            remove_unfinished(self.folder.path)
        if state is None:
            return
        self.load(state)
        self.ema.load_state_dict(state["ema"])
        self.images, self.best = state["images"], state["best"]
        if len(state["random"]) == world_size():
            _set_random_state(state["random"][rank()], self.device)
        # A kill may have come between writing this state and marking it.
        if self.folder.writes and self.best.get("images") == self.images:
            mark_best(state_files(self.folder.path)[-1])

    def save(self, best: bool = False) -> None:
        """Write a checkpoint from which the same command goes on; every rank calls this, the first one writes."""
        own, random = self.state(), gather(_random_state(self.device))
        if self.folder.writes:
            common = {"ema": self.ema.state_dict(), "random": random, "images": self.images, "best": self.best}
            save_state(self.folder.path, own | common, best)

    def check_weights(self) -> None:
        """Refuse weights that are not finite, on every rank alike.

        Raises:
            TrainingError: with the name of the network; the checkpoint before stands.
        """
        for name, network in self.players().items():
            if network is not None and not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
                raise TrainingError(
                    f"a weight of the {name} is not finite after {self.images:,} {self.unit}s; "
                    f"{self.last_checkpoint()}; {self.remedies.get(name, self.remedies[''])}"
                )

    def last_checkpoint(self) -> str:
        """Where the last checkpoint is, for messages."""
        files = state_files(self.folder.path)
        return f"the checkpoint {files[-1]} stands" if files else "there is no checkpoint yet"


def _random_state(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _set_random_state(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
