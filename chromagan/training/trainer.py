"""A training run of a colorization network: everything that a checkpoint holds, and one step of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from chromagan.color.ab_bins import AbBins
from chromagan.compute.device import place
from chromagan.compute.distributed import copy_from_first_rank, gather, rank, synchronise_batch_norm, world_size
from chromagan.compute.precision import has_fast_bfloat16
from chromagan.data.loader import Batch, BatchStream, StreamState, open_training_photos, unreadable_warning
from chromagan.errors import UsageError
from chromagan.losses.bins import Bins
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.critic import PatchCritic
from chromagan.training.ab_prior import bins_of, run_prior
from chromagan.training.build import ancestors_of, build_generator, build_teacher, trunk_stages
from chromagan.training.config import TrainConfig
from chromagan.training.ema import ExponentialAverage
from chromagan.training.hints import check_hints
from chromagan.training.optimizers import critic_optimizer, generator_optimizer
from chromagan.training.run import Run
from chromagan.training.run_folder import RunFolder
from chromagan.training.step import Adversaries, Terms, Truth, prepare_truth

_AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Trainer(Run):
    """Networks, optimisers, average, random states and the place in the data; they go on from the last checkpoint.

    Args:
        config: what to compute.
        out: the run folder.
        device: where.

    Attributes:
        generator: what is trained; `network` of any run.
        stream: this rank's place in the data.

    Raises:
        UsageError: a batch that cannot be divided over the ranks.
        TrainingError: the folder belongs to another run, or its state is damaged.
    """

    remedies: ClassVar = {
        "": "lower --lr",
        "penalty": "the critic has exploded: lower --critic-lr",
        "wasserstein": "the critic has exploded: lower --critic-lr",
        "adversarial": "lower --adversarial-weight or --critic-lr",
        "generator": "lower --lr or --critic-lr",
        "critic": "lower --lr or --critic-lr",
    }

    def __init__(self, config: TrainConfig, out: Path, device: torch.device) -> None:
        schedule = config.schedule
        if schedule.batch_size % (world_size() * schedule.accumulate):
            raise UsageError(
                f"--batch-size {schedule.batch_size} is not a multiple of {world_size()} processes x --accumulate "
                f"{schedule.accumulate}"
            )
        super().__init__(RunFolder(out, config, rank() == 0), device, schedule.images, schedule.batch_size)
        self.config, self.stream = config, StreamState()
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.compute.tf32
        # Every rank builds the same networks, and goes on with random numbers of its own.
        torch.manual_seed(config.seed)
        with self.folder.given_back():
            self._build()
            torch.manual_seed(config.seed + rank())
            self.resume()

    def _build(self) -> None:
        config, device, objective = self.config, self.device, self.config.objective
        # The players, and the teacher of one of them.
        self.generator: ColorizationNetwork = build_generator(config)
        self.network = self.generator
        check_hints(self.generator, config.hints, config.network.model)
        if world_size() > 1:
            synchronise_batch_norm(self.generator)
        self.ancestors = ancestors_of(config.network)
        place(self.generator, device)
        self.critic = PatchCritic().to(device) if objective.asking_for("critic") else None
        self.teacher = build_teacher(config)
        if self.teacher is not None:
            place(self.teacher, device)
        # What moves their weights, and follows them.
        self.optimizer, self.critic_optimizer = self._optimizers()
        copy_from_first_rank(self.generator)
        if self.critic is not None:
            copy_from_first_rank(self.critic)
        decay = config.optimizer.ema
        self.ema = ExponentialAverage(self.generator, decay ** (self.batch_size / 16) if decay else 0.0)
        # The arithmetic of a step.
        autocast = self._autocast()
        self.scaler = torch.amp.GradScaler(device.type, enabled=autocast == torch.float16)
        asked_by = objective.asking_for("bins")
        bins = bins_of(self.generator, asked_by, config.network.model) if asked_by else None
        self.adversaries = Adversaries(
            self.generator, self.critic, self.teacher, (self.optimizer, self.critic_optimizer), objective,
            seed=config.seed, accumulate=config.schedule.accumulate, refresh_fakes=config.critic.refresh_fakes,
            compiled=config.compute.compile, autocast=autocast, scaler=self.scaler, bins=bins,
            bin_weights=self._bin_weights(bins),
        )  # fmt: skip

    def _bin_weights(self, bins: AbBins | None) -> Tensor | None:
        """Weights of the network's ab bins by the colours of the run's photographs; None without `--rebalance`."""
        if bins is None or not self.config.objective.term(Bins).rebalance:
            return None
        return bins.rebalancing_weights(run_prior(self.config.photos, self.folder.path, bins))

    def _autocast(self) -> torch.dtype | None:
        precision = self.config.compute.precision
        if precision == "auto":
            return torch.bfloat16 if has_fast_bfloat16(self.device) else None
        return _AUTOCAST[precision]

    def _optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer | None]:
        options = self.config.optimizer
        frozen, tuned = trunk_stages(self.generator, self.config.network)
        for parameter in frozen:
            parameter.requires_grad_(False)
        apart = {id(p) for p in (*frozen, *tuned)}
        rest = [p for p in self.generator.parameters() if id(p) not in apart]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": options.lr, "share": 1.0}]
        if tuned:
            groups.append({"params": tuned, "lr": options.lr * options.trunk_lr, "share": options.trunk_lr})
        self._tuned = tuned
        generator = generator_optimizer(groups, options, self.device)
        if self.critic is None:
            return generator, None
        return generator, critic_optimizer(self.critic.parameters(), options, self.device)

    def state(self) -> dict[str, Any]:
        """Networks, optimisers, the ranks' places in the data, and what `chromagan export` has to know."""
        critic, critic_optimizer = self.critic, self.critic_optimizer
        return {
            "generator": self.generator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "critic": critic.state_dict() if critic is not None else None,
            "critic_optimizer": critic_optimizer.state_dict() if critic_optimizer is not None else None,
            "scaler": self.scaler.state_dict(),
            "streams": gather(self.stream.as_dict()),
            "network": {
                "name": self.config.network.model,
                "config": self.generator.config,
                "ancestors": self.ancestors,
            },
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, with as many ranks as then or another number of them."""
        self.generator.load_state_dict(state["generator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.critic is not None and self.critic_optimizer is not None:
            self.critic.load_state_dict(state["critic"])
            self.critic_optimizer.load_state_dict(state["critic_optimizer"])
        states = [StreamState(**one) for one in state["streams"]]
        self.stream = StreamState.of_rank(states, rank(), world_size())

    def batches(self) -> Iterator[Batch]:
        """This rank's share of the stream of photographs."""
        options, world = self.config.photos, world_size()
        photos = open_training_photos(options, self.config.seed, self.folder.path, self.device, rank())
        self._data = BatchStream(photos, self.batch_size // world, options.workers, self.stream, rank(), world)
        return iter(self._data)

    def last_words(self) -> str | None:
        """A warning where many photographs could not be read."""
        return unreadable_warning(self.stream, self._data.unreadable_names)

    def figures(self) -> dict[str, Any]:
        """Learning rate, and how many photographs were left out."""
        counts = [one.as_dict() for one in gather(self.stream)]
        sums = {name: sum(one[name] for one in counts) for name in counts[0] if name != "ordinal"}
        return {"lr": self.optimizer.param_groups[0]["lr"], **sums}

    def players(self) -> dict[str, torch.nn.Module | None]:
        """Generator and critic."""
        return {"generator": self.generator, "critic": self.critic}

    def _set_rates(self) -> None:
        options, share = self.config.optimizer, self.config.schedule.learning_rate_share(self.images)
        for group in self.optimizer.param_groups:
            group["lr"] = options.lr * group["share"] * share
        if self.critic_optimizer is not None:
            for group in self.critic_optimizer.param_groups:
                group["lr"] = options.critic_lr * share
        training_trunk = self.images >= self.config.schedule.trunk_start
        for parameter in self._tuned:
            parameter.requires_grad_(training_trunk)

    def prepare(self, batch: Batch) -> Truth:
        """A batch as the losses see it, on the run's device, with hints where the run has them."""
        rgb = batch.rgb.to(self.device, non_blocking=True)
        config = self.config
        return prepare_truth(rgb, self.generator.ab_stride, batch.ordinals, config.hints, config.seed)

    def train_batch(self, batch: Batch) -> Terms:
        """One generator step and the critic's steps on this rank's share of a batch; returns the terms."""
        options, adversaries = self.config.critic, self.adversaries
        self._set_rates()
        truth = self.prepare(batch)
        # The generator, with as much of the adversary as the schedule says.
        weight = adversaries.game.adversarial_weight * options.adversarial_share(self.images)
        terms, fakes = adversaries.generator_step(truth, weight)
        terms["chroma_ratio"] = _mean_chroma(fakes.ab) / _mean_chroma(truth.small_ab)
        # The critic, on the same batch.
        if self.critic is not None and options.trains(self.images):
            for number in range(options.critic_steps):
                terms |= adversaries.critic_step(truth, fakes, number)
        self.ema.update(self.generator)
        self.images += self.batch_size
        return terms

    def averaged_generator(self) -> ColorizationNetwork:
        """A copy of the generator with the averaged weights, in evaluation mode."""
        return self.ema.applied_to(self.generator)


def _mean_chroma(ab: Tensor) -> Tensor:
    return ab.float().square().sum(1).sqrt().mean()
