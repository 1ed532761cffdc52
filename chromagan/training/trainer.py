"""A training run of a colorization network: everything that a checkpoint holds, and one step of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.optim import SGD, Adam, AdamW

from chromagan.compute.device import place
from chromagan.compute.distributed import copy_from_first_rank, gather, rank, synchronise_batch_norm, world_size
from chromagan.compute.precision import has_fast_bfloat16
from chromagan.data.loader import Batch, BatchStream, StreamState, unreadable_warning
from chromagan.data.photos import survey
from chromagan.data.training_photos import open_training_photos
from chromagan.errors import UsageError
from chromagan.losses.bins import Bins
from chromagan.losses.class_distribution import ClassDistribution
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.critic import PatchCritic
from chromagan.training.ab_prior import run_prior
from chromagan.training.build import ancestors_of, build_generator, build_teacher, trunk_stages
from chromagan.training.config import TrainConfig
from chromagan.training.hints import check_hints
from chromagan.training.run import ExponentialAverage, Run
from chromagan.training.run_folder import RunFolder
from chromagan.training.step import Adversaries, Terms, Truth, prepare_truth

log = logging.getLogger(__name__)

# What decides the learning rate over the run, and nothing else.
_OF_THE_RATE = {"images", "warmup", "decay", "schedule", "rate_steps"}
_AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Trainer(Run):
    """Networks, optimisers, average, random states and the place in the data; they go on from the last checkpoint.

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

    def __init__(
        self, config: TrainConfig, out: Path, device: torch.device, allow_changes: Collection[str] = ()
    ) -> None:
        schedule = config.schedule
        if schedule.batch_size % (world_size() * schedule.accumulate):
            raise UsageError(
                f"--batch-size {schedule.batch_size} is not a multiple of {world_size()} processes x --accumulate "
                f"{schedule.accumulate}"
            )
        found = survey(config.photos.data, config.photos.shard_cache)
        if rank() == 0:
            log.info("%s", found.text())
        inputs = {"data": found.digest, **digests_of(config)}
        folder = RunFolder(out, config, rank() == 0, inputs=inputs, allowed=allow_changes)
        super().__init__(folder, device, schedule.images, schedule.batch_size)
        self.photos = found.photos
        self.config, self.stream = config, StreamState()
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.compute.tf32
        # Every rank builds the same networks, and goes on with random numbers of its own.
        torch.manual_seed(config.seed)
        self._build()
        torch.manual_seed(config.seed + rank())
        self.resume()
        if folder.changed and folder.writes:
            log.warning("%s", self._what_changes())

    def _build(self) -> None:
        config, device, objective = self.config, self.device, self.config.objective
        # The players, and the teacher of one of them.
        self.generator: ColorizationNetwork = build_generator(config)
        self.network = self.generator
        check_hints(self.generator, config.hints, config.network.model)
        if world_size() > 1:
            synchronise_batch_norm(self.generator)
        self.lineage = {"ancestors": ancestors_of(config.network)}
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
        precision = config.compute.precision
        if precision == "auto":
            precision = "bfloat16" if has_fast_bfloat16(device) else "float32"
        autocast = _AUTOCAST[precision]
        self.scaler = torch.amp.GradScaler(device.type, enabled=autocast == torch.float16)
        # The ab bins, and how rare the colours of the run's photographs are.
        asked_by, bins, bin_weights = objective.asking_for("bins"), self.generator.bins, None
        if asked_by and bins is None:
            model = config.network.model
            raise UsageError(f"{asked_by}: {model} predicts no ab bins; train chromagan or eccv16, or leave it out")
        bins = bins if asked_by else None
        if bins is not None and objective.term(Bins).rebalance:
            bin_weights = bins.rebalancing_weights(run_prior(config.photos, self.photos, self.folder, bins))
        self.adversaries = Adversaries(
            self.generator, self.critic, self.teacher, (self.optimizer, self.critic_optimizer), config,
            autocast, self.scaler, bins, bin_weights,
        )  # fmt: skip

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
        lr, decay = options.lr, options.weight_decay
        fused = self.device.type in ("cuda", "cpu")  # where PyTorch has Adam in one kernel
        generator: torch.optim.Optimizer
        if options.optimizer == "sgd":
            generator = SGD(groups, lr, options.momentum, weight_decay=decay)
        else:
            kind = AdamW if options.optimizer == "adamw" else Adam
            generator = kind(groups, lr, (options.beta1, 0.999), weight_decay=decay, fused=fused)
        if self.critic is None:
            return generator, None
        betas = (options.critic_beta1, 0.999)
        return generator, Adam(self.critic.parameters(), options.critic_lr, betas, fused=fused)

    def _what_changes(self) -> str:
        """What was changed on purpose, and whether the run still equals one that had it so from its start."""
        changed, now = self.folder.changed, self.config.schedule
        words = ", ".join(f"{name} {then!r} -> {value!r}" for name, (then, value) in changed.items())
        before = replace(now, **{name: then for name, (then, _) in changed.items() if hasattr(now, name)})
        steps = range(0, self.images, self.batch_size)
        rates = all(before.learning_rate_share(images) == now.learning_rate_share(images) for images in steps)
        if set(changed) <= {"init", "backbone_weights", "no_pretrained"}:
            end = "the states hold the weights, nothing else changes"
        elif set(changed) <= _OF_THE_RATE and rates:
            end = "so far nothing depended on it: the run equals one that began so"
        else:
            end = "from here on it equals no run that began with these options"
        return f"{self.folder.path} goes on at {self.images:,} photographs with {words}: {end}"

    def state(self) -> dict[str, Any]:
        """Networks, optimisers, the ranks' places in the data, and what `chromagan export` has to know."""
        critic, critic_optimizer = self.critic, self.critic_optimizer
        return {
            "generator": self.generator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "critic": critic.state_dict() if critic is not None else None,
            "critic_optimizer": critic_optimizer.state_dict() if critic_optimizer is not None else None,
            "scaler": self.scaler.state_dict(),
            "streams": gather(asdict(self.stream)),
            "network": {"name": self.config.network.model, "config": self.generator.config} | self.lineage,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, with as many ranks as then or another number of them."""
        self.generator.load_state_dict(state["generator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.critic is not None and self.critic_optimizer is not None:
            self.critic.load_state_dict(state["critic"])
            self.critic_optimizer.load_state_dict(state["critic_optimizer"])
        for optimizer in filter(None, (self.optimizer, self.critic_optimizer)):
            for parameter, moments in optimizer.state.items():
                if any(m.shape not in ((), parameter.shape) for m in moments.values() if isinstance(m, torch.Tensor)):
                    raise ValueError("an optimiser's state is of another network")
        states = [StreamState(**one) for one in state["streams"]]
        self.stream = StreamState.of_rank(states, rank(), world_size())

    def batches(self) -> Iterator[Batch]:
        """This rank's share of the stream of photographs."""
        options, world = self.config.photos, world_size()
        photos = open_training_photos(options, self.config.seed, self.folder.path, self.device, rank(), self.photos)
        self._data = BatchStream(photos, self.batch_size // world, options.workers, self.stream, rank(), world)
        return iter(self._data)

    def last_words(self) -> str | None:
        """A warning where many photographs could not be read."""
        return unreadable_warning(self.stream, self._data.unreadable_names)

    def figures(self) -> dict[str, Any]:
        """Learning rate, and how many photographs were left out."""
        streams = gather(self.stream)
        sums = {name: sum(getattr(one, name) for one in streams) for name in ("near_gray", "unreadable", "seen")}
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
        answered, true = (ab.float().square().sum(1).sqrt().mean() for ab in (fakes.ab, truth.small_ab))
        terms["chroma_ratio"] = answered / true
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


def digests_of(config: TrainConfig) -> dict[str, str]:
    """The sha256 of each local file of weights that a run reads, by the option that names it."""
    term, network = config.objective.term(ClassDistribution), config.network
    named = {"init": [network.init], "teacher_weights": [term.teacher_weights]}
    found = {}
    for option, words in (named | {"backbone_weights": network.backbone_weights}).items():
        files = [Path(word) if Path(word).is_file() else Path(word.partition("=")[2] or word) for word in words if word]
        if files and all(file.is_file() for file in files):
            sums = []
            for file in files:
                with open(file, "rb") as content:
                    sums.append(hashlib.file_digest(content, "sha256").hexdigest()[:32])
            found[option] = " ".join(sums)
    return found
