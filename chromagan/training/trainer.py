"""A run: everything that a checkpoint holds, and one step of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chromagan.compute.device import place
from chromagan.compute.distributed import copy_from_first_rank, gather, rank, synchronise_batch_norm, world_size
from chromagan.compute.precision import has_fast_bfloat16
from chromagan.data.loader import Batch, StreamState
from chromagan.errors import TrainingError, UsageError
from chromagan.files.atomic import remove_unfinished
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.critic import PatchCritic
from chromagan.training.ab_prior import run_prior
from chromagan.training.build import ancestors_of, build_generator, build_teacher, trunk_stages
from chromagan.training.checkpoint import load_state, mark_best, save_state, state_files
from chromagan.training.chroma_term import bins_of
from chromagan.training.config import TrainConfig
from chromagan.training.ema import ExponentialAverage
from chromagan.training.hints import check_hints
from chromagan.training.optimizers import critic_optimizer, generator_optimizer
from chromagan.training.run_folder import RunFolder
from chromagan.training.schedule import adversarial_weight, critic_trains, learning_rate_share
from chromagan.training.step import Adversaries, Terms, Truth, prepare_truth

_AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Trainer:
    """Networks, optimisers, average, random states and the place in the data; they go on from the last checkpoint.

    Args:
        config: what to compute.
        out: the run folder.
        device: where.

    Attributes:
        images: photographs seen by all ranks together.
        stream: this rank's place in the data.
        best: the best evaluation so far: `images` and `value`, empty before the first.

    Raises:
        UsageError: a batch that cannot be divided over the ranks.
        TrainingError: the folder belongs to another run, or its state is damaged.
    """

    def __init__(self, config: TrainConfig, out: Path, device: torch.device) -> None:
        if config.batch_size % (world_size() * config.accumulate):
            raise UsageError(
                f"--batch-size {config.batch_size} is not a multiple of {world_size()} processes x --accumulate "
                f"{config.accumulate}"
            )
        self.config, self.device = config, device
        self.folder = RunFolder(out, config, writes=rank() == 0)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.tf32
        torch.manual_seed(config.seed)
        self._build()
        torch.manual_seed(config.seed + rank())
        self.images, self.stream = 0, StreamState()
        self.best: dict[str, float] = {}
        self._resume()

    def _build(self) -> None:
        config, device = self.config, self.device
        self.generator: ColorizationNetwork = build_generator(config)
        check_hints(self.generator, config)
        if world_size() > 1:
            synchronise_batch_norm(self.generator)
        self.ancestors = ancestors_of(config)
        place(self.generator, device)
        self.critic = PatchCritic().to(device) if config.adversarial_weight > 0 else None
        self.teacher = build_teacher(config)
        if self.teacher is not None:
            place(self.teacher, device)
        self.optimizer, self.critic_optimizer = self._optimizers()
        copy_from_first_rank(self.generator)
        if self.critic is not None:
            copy_from_first_rank(self.critic)
        self.ema = ExponentialAverage(self.generator, config.ema ** (config.batch_size / 16) if config.ema else 0.0)
        autocast = self._autocast()
        self.scaler = torch.amp.GradScaler(device.type, enabled=autocast == torch.float16)
        optimizers = (self.optimizer, self.critic_optimizer)
        self.adversaries = Adversaries(
            self.generator, self.critic, self.teacher, optimizers, config, autocast, self.scaler, self._bin_weights()
        )

    def _bin_weights(self) -> Tensor | None:
        """Weights of the network's ab bins by the colours of the run's photographs; None without `--rebalance`."""
        if not self.config.rebalance:
            return None
        bins = bins_of(self.generator, self.config)
        return bins.rebalancing_weights(run_prior(self.config, self.folder.path, bins))

    def _autocast(self) -> torch.dtype | None:
        if self.config.precision == "auto":
            return torch.bfloat16 if has_fast_bfloat16(self.device) else None
        return _AUTOCAST[self.config.precision]

    def _optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer | None]:
        config = self.config
        frozen, tuned = trunk_stages(self.generator, config)
        for parameter in frozen:
            parameter.requires_grad_(False)
        apart = {id(p) for p in (*frozen, *tuned)}
        rest = [p for p in self.generator.parameters() if id(p) not in apart]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": config.lr, "share": 1.0}]
        if tuned:
            groups.append({"params": tuned, "lr": config.lr * config.trunk_lr, "share": config.trunk_lr})
        self._tuned = tuned
        generator = generator_optimizer(groups, config, self.device)
        if self.critic is None:
            return generator, None
        return generator, critic_optimizer(self.critic.parameters(), config, self.device)

    def _resume(self) -> None:
        state = load_state(self.folder.path)
        if self.folder.writes:
            remove_unfinished(self.folder.path)
        if state is None:
            return
        self.generator.load_state_dict(state["generator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.critic is not None and self.critic_optimizer is not None:
            self.critic.load_state_dict(state["critic"])
            self.critic_optimizer.load_state_dict(state["critic_optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.images, self.best = state["images"], state["best"]
        states = [StreamState(**one) for one in state["streams"]]
        self.stream = StreamState.of_rank(states, rank(), world_size())
        if len(state["random"]) == world_size():
            _set_random_state(state["random"][rank()], self.device)
        # A kill may have come between writing this state and marking it.
        if self.folder.writes and self.best.get("images") == self.images:
            mark_best(state_files(self.folder.path)[-1])

    def save(self, best: bool = False) -> None:
        """Write a checkpoint from which the same command goes on; every rank calls this, the first one writes.

        Raises:
            TrainingError: a weight is not finite; the checkpoint before stands.
        """
        random, streams = gather(_random_state(self.device)), gather(self.stream.as_dict())
        if not self.folder.writes:
            return
        critic, critic_optimizer = self.critic, self.critic_optimizer
        state = {
            "generator": self.generator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "critic": critic.state_dict() if critic is not None else None,
            "critic_optimizer": critic_optimizer.state_dict() if critic_optimizer is not None else None,
            "scaler": self.scaler.state_dict(),
            "ema": self.ema.state_dict(),
            "random": random,
            "streams": streams,
            "images": self.images,
            "best": self.best,
            "network": {
                "name": self.config.model,
                "config": self.generator.config,
                "ancestors": self.ancestors,
            },
        }
        save_state(self.folder.path, state, best)

    def check_weights(self) -> None:
        """Refuse weights that are not finite, on every rank alike.

        Raises:
            TrainingError: with the name of the network.
        """
        for name, network in (("generator", self.generator), ("critic", self.critic)):
            if network is not None and not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
                raise TrainingError(
                    f"a weight of the {name} is not finite after {self.images:,} photographs; "
                    f"{self.last_checkpoint()}; lower --lr or --critic-lr"
                )

    def last_checkpoint(self) -> str:
        """Where the last checkpoint is, for messages."""
        files = state_files(self.folder.path)
        return f"the checkpoint {files[-1]} stands" if files else "there is no checkpoint yet"

    def _set_rates(self) -> None:
        share = learning_rate_share(self.config, self.images)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * group["share"] * share
        if self.critic_optimizer is not None:
            for group in self.critic_optimizer.param_groups:
                group["lr"] = self.config.critic_lr * share
        training_trunk = self.images >= self.config.trunk_start
        for parameter in self._tuned:
            parameter.requires_grad_(training_trunk)

    def prepare(self, batch: Batch) -> Truth:
        """A batch as the losses see it, on the run's device, with hints where the run has them."""
        rgb = batch.rgb.to(self.device, non_blocking=True)
        return prepare_truth(rgb, self.generator.ab_stride, batch.ordinals, self.config)

    def train_batch(self, batch: Batch) -> Terms:
        """One generator step and the critic's steps on this rank's share of a batch; returns the terms."""
        config = self.config
        self._set_rates()
        truth = self.prepare(batch)
        terms, fakes = self.adversaries.generator_step(truth, adversarial_weight(config, self.images))
        terms["chroma_ratio"] = _mean_chroma(fakes.ab) / _mean_chroma(truth.small_ab)
        if critic_trains(config, self.images):
            for number in range(config.critic_steps):
                terms |= self.adversaries.critic_step(truth, fakes, number)
        self.ema.update(self.generator)
        self.images += config.batch_size
        return terms

    def averaged_generator(self) -> ColorizationNetwork:
        """A copy of the generator with the averaged weights, in evaluation mode."""
        network = copy.deepcopy(self.generator)
        network.load_state_dict(self.ema.tensors)
        return network.eval()


def _mean_chroma(ab: Tensor) -> Tensor:
    return ab.float().square().sum(1).sqrt().mean()


def _random_state(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _set_random_state(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


