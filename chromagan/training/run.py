"""What the loop trains: networks with a place in their data, that a checkpoint holds whole."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from chromagan.compute.distributed import gather, rank, world_size
from chromagan.errors import TrainingError
from chromagan.files.atomic import remove_unfinished
from chromagan.training.checkpoint import load_state, mark_best, save_state, state_files, state_name
from chromagan.training.run_folder import RunFolder

Terms = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


class ExponentialAverage:
    """Keeps `average = decay * average + (1 - decay) * weights`, buffers included; a young run has a lower decay.

    Args:
        network: whose weights are averaged.
        decay: in [0, 1); 0 follows the weights themselves.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.tensors = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the network's weights in; integer buffers are copied."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.decay else 0.0
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                self.tensors[key].lerp_(value, 1 - decay)
            else:
                self.tensors[key].copy_(value)

    def applied_to(self, network: Network) -> Network:
        """A copy of the network with the averaged weights, in evaluation mode."""
        copied = copy.deepcopy(network)
        copied.load_state_dict(self.tensors)
        return copied.eval()


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
        self.best: dict[str, Any] = {}

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
        """Go on from the last checkpoint that is whole, where there is any.

        Raises:
            TrainingError: all are damaged, or ranks read different ones.
        """
        path = self.folder.path
        state = load_state(path, accept=self._take)
        if len(set(gather(self.images))) > 1:
            raise TrainingError(f"{path}: the processes read different states there; give all of them the same storage")
        if not self.folder.writes:
            return
        remove_unfinished(path)
        # What is damaged is not met again. A kill may have come between writing this state and marking it.
        for newer in state_files(path):
            if state is not None and newer.name > state_name(self.images):
                newer.replace(newer.with_suffix(".damaged"))
        if self.images and self.best.get("images") == self.images:
            mark_best(path / state_name(self.images))

    def _take(self, state: dict[str, Any]) -> None:
        """Go on from a state; what an error leaves half-done, the next state that is tried does anew."""
        self.load(state)
        average = state["ema"]["tensors"]
        if {k: v.shape for k, v in average.items()} != {k: v.shape for k, v in self.ema.tensors.items()}:
            raise ValueError("the average is of another network")
        for key, value in average.items():
            self.ema.tensors[key].copy_(value)
        self.ema.steps, self.images, self.best = int(state["ema"]["steps"]), int(state["images"]), dict(state["best"])
        if len(state["random"]) == world_size():
            own = state["random"][rank()]
            torch.set_rng_state(own["cpu"])
            if self.device.type == "cuda" and "cuda" in own:
                torch.cuda.set_rng_state(own["cuda"], self.device)

    def save(self, best: bool = False) -> None:
        """Write a checkpoint from which the same command goes on; every rank calls this, the first one writes."""
        random = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        own, randoms = self.state(), gather(random)
        if self.folder.writes:
            average = {"steps": self.ema.steps, "tensors": self.ema.tensors}
            common = {"ema": average, "random": randoms, "images": self.images, "best": self.best}
            save_state(self.folder.path, own | common, best)

    def check_weights(self) -> None:
        """Refuse weights that are not finite, on every rank alike: `TrainingError`; the checkpoint before stands."""
        for name, network in self.players().items():
            if network is not None and not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
                raise TrainingError(
                    f"a weight of the {name} is not finite after {self.images:,} {self.unit}s; "
                    f"{self.last_checkpoint()}; {self.remedy(name)}"
                )

    def remedy(self, name: str) -> str:
        """What helps where a term or a network of this name has broken, for messages."""
        return self.remedies.get(name, self.remedies[""])

    def last_checkpoint(self) -> str:
        """Where the last checkpoint is, for messages."""
        files = state_files(self.folder.path)
        return f"the checkpoint {files[-1]} stands" if files else "there is no checkpoint yet"
