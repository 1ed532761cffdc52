"""What one generator step and one critic step are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.color.ab_bins import AbBins
from chromagan.color.lab import lab_to_rgb, rgb_to_lab
from chromagan.compute.distributed import average_gradients
from chromagan.conditioning.condition import NOTHING, Condition
from chromagan.losses.objective import Objective
from chromagan.losses.registry import Sight
from chromagan.losses.wasserstein import Adversarial, critic_loss, generator_loss, gradient_penalty, mixing_weights
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.teacher import Teacher
from chromagan.models.views import View
from chromagan.training.config import TrainConfig
from chromagan.training.hints import HintOptions, training_hints

Terms = dict[str, Tensor]
AS_IT_IS = View()


@dataclass
class Truth:
    """A batch as the losses see it."""

    L: Tensor  # (N, 1, H, W)
    small_L: Tensor  # at the size of the prediction, as is `small_ab`
    small_ab: Tensor
    ordinals: Tensor  # (N,) places in the stream
    condition: Condition = NOTHING  # what the network is shown, at full size
    rgb: Tensor | None = None  # (N, 3, H, W) in [0, 1], for a teacher that sees colour

    def shown_to(self, teacher: Teacher) -> Tensor:
        """The photo as a teacher wants it: L, or sRGB."""
        return self.L if teacher.sees_gray or self.rgb is None else self.rgb

    def parts(self, count: int) -> Iterator[Truth]:
        """Equal parts for gradient accumulation."""
        tensors = (self.L, self.small_L, self.small_ab, self.ordinals)
        rgb = [None] * count if self.rgb is None else self.rgb.chunk(count)
        conditions = self.condition.chunk(count)
        chunks = zip(*(tensor.chunk(count) for tensor in tensors), conditions, rgb, strict=True)
        return (Truth(*one) for one in chunks)


@dataclass
class Fakes:
    """What the generator answered to a batch: detached ab (N, 2, h, w), and the critic's mean score of it.

    The score is None before the adversary joins. Its gradient with respect to the critic's parameters comes with it:
    the generator's step needs that with respect to ab, one backward pass gives both, and the critic's step need not
    score the same colours again.
    """

    ab: Tensor
    score: Tensor | None = None
    critic_gradient: list[Tensor] | None = None


def prepare_truth(
    rgb: Tensor, ab_stride: int, ordinals: Tensor | None = None, options: HintOptions | None = None, seed: int = 0
) -> Truth:
    """Lab of a batch (N, 3, H, W) uint8, on its device; ab and L are averaged over areas to 1 / `ab_stride`.

    `ordinals` (N,) are places in the stream of photographs, 0, 1, ... unless given. Hints are drawn by them and by the
    run's seed, where the options say so.
    """
    ordinals = torch.arange(len(rgb)) if ordinals is None else ordinals
    colours = rgb.float() / 255
    lab = rgb_to_lab(colours)
    L = lab[:, :1].contiguous(memory_format=torch.channels_last)
    small = F.avg_pool2d(lab, ab_stride, ceil_mode=True) if ab_stride > 1 else lab
    condition = NOTHING if options is None else training_hints(rgb, lab[:, 1:], ordinals, options, seed)
    return Truth(L, small[:, :1], small[:, 1:], ordinals, condition, colours)


class Adversaries:
    """Generator, critic, teacher and the two updates that alternate on a batch.

    Args:
        generator: a colorization network.
        critic: scores (L, ab) patches; None trains without an adversary. Never wrapped: the penalty differentiates it
            twice.
        teacher: gives class probabilities; None trains without the class term.
        optimizers: of generator and critic.
        config: of the run: the terms and their weights, the seed of the penalty's interpolates, the parts of a step.
        autocast: of generator and teacher, None for full precision, in which critic and penalty always run.
        scaler: of the loss, for float16.
        bins: of the generator, where a term needs them.
        bin_weights: (Q,), where rare colours are weighed up.
    """

    def __init__(
        self,
        generator: ColorizationNetwork,
        critic: nn.Module | None,
        teacher: Teacher | None,
        optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer | None],
        config: TrainConfig,
        autocast: torch.dtype | None = None,
        scaler: torch.amp.GradScaler | None = None,
        bins: AbBins | None = None,
        bin_weights: Tensor | None = None,
    ) -> None:
        self.generator, self.critic, self.teacher = generator, critic, teacher
        self.optimizer, self.critic_optimizer = optimizers
        objective, self.seed = config.objective, config.seed
        self.accumulate, self.refresh_fakes = config.schedule.accumulate, config.critic.refresh_fakes
        self.ab_unit, self.bins, self.bin_weights = objective.ab_unit, bins, bin_weights
        self.game = objective.term(Adversarial)
        self.terms = [term for term in objective.active if term is not self.game]
        self.autocast, self.scaler = autocast, scaler or torch.amp.GradScaler("cpu", enabled=False)
        self._forward = torch.compile(generator) if config.compute.compile else generator

    def _arithmetic(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, dtype=self.autocast or torch.bfloat16, enabled=self.autocast is not None)

    def _predict(self, truth: Truth, view: View = AS_IT_IS) -> Prediction:
        with self._arithmetic(truth.L.device):
            return self._forward(view.of(truth.L), view.told(truth.condition))

    def teach(self, truth: Truth) -> Tensor:
        """The teacher's class probabilities (N, classes) of a batch, gray or coloured as it wants it, float32."""
        assert self.teacher is not None
        with self._arithmetic(truth.L.device):
            return self.teacher(truth.shown_to(self.teacher))

    def recognise(self, truth: Truth, ab: Tensor) -> Tensor:
        """The teacher's logits (N, classes) of a batch in other colours (N, 2, h, w), differentiable in these."""
        assert self.teacher is not None
        enlarged = F.interpolate(ab.float(), size=truth.L.shape[-2:], mode="bilinear")
        painted = lab_to_rgb(torch.cat((truth.L, enlarged), dim=1))
        with self._arithmetic(truth.L.device):
            return self.teacher.logits(painted)

    def look_again(self, truth: Truth, view: View) -> tuple[Tensor, Tensor | None]:
        """The generator's ab and bin logits of a batch that is seen another way, as it answers them."""
        again = self._predict(truth, view)
        return again.ab, again.bin_logits

    def sight(self, truth: Truth, prediction: Prediction) -> Sight:
        """What the terms of the objective may look at."""
        classify = recognise = None
        if self.teacher is not None:
            classify = cache(lambda: self.teach(truth))  # one look for all terms
            recognise = None if self.teacher.sees_gray else lambda ab: self.recognise(truth, ab)
        return Sight(
            prediction.ab, truth.small_ab, truth.small_L, prediction.bin_logits, prediction.class_logits, truth.rgb,
            self.ab_unit, self.bins, self.bin_weights, classify, recognise,
            lambda halved, mirrored: self.look_again(truth, View(halved, mirrored)), self.critic,
        )  # fmt: skip

    def generator_step(self, truth: Truth, adversarial_weight: float) -> tuple[Terms, Fakes]:
        """One update of the generator on this rank's share of a batch; returns the terms' values and its colours.

        The adversarial weight is that of now: 0 before the adversary joins.
        """
        self.optimizer.zero_grad(set_to_none=True)
        count = self.accumulate
        pieces = [self._generator_backward(part, adversarial_weight, 1 / count) for part in truth.parts(count)]
        average_gradients(self.generator.parameters())
        self.scaler.step(self.optimizer)
        self.scaler.update()
        terms = _mean_terms([terms for terms, _ in pieces])
        return terms, _joined([fakes for _, fakes in pieces])

    def _generator_backward(self, truth: Truth, adversarial_weight: float, share: float) -> tuple[Terms, Fakes]:
        # Forward, and every term that compares the answer with the truth.
        prediction = self._predict(truth)
        sight, objective = self.sight(truth, prediction), Objective()
        for term in self.terms:
            value = term(sight)
            if value is not None:
                objective.add(term.name, value, term.weight)
        # The adversary: one backward pass through the critic gives the gradient of ab, for this step, and that of the
        # critic's parameters, for the critic's own.
        ab, fakes = prediction.ab, Fakes(prediction.ab.detach())
        roots, gradients = [], []
        if adversarial_weight and self.critic is not None:
            point = fakes.ab.to(truth.small_ab.dtype).requires_grad_(True)
            score = self.critic(truth.small_L, point).mean()
            wanted = [point, *self.critic.parameters()]
            ab_gradient, *fakes.critic_gradient = torch.autograd.grad(score, wanted)
            fakes.score = score.detach()
            objective.terms[self.game.name] = generator_loss(fakes.score)
            roots.append(ab)
            # d generator_loss / d score = -1
            gradients.append(self.scaler.scale(-adversarial_weight * share * ab_gradient).to(ab.dtype))
        # Backward, from ab and from the sum of the terms at once.
        total = objective.total() if objective.weighted else None
        if total is not None:
            roots.append(self.scaler.scale(share * total))
            gradients.append(None)  # type: ignore[arg-type]
        torch.autograd.backward(roots, gradients)
        return objective.terms, fakes

    def critic_step(self, truth: Truth, fakes: Fakes, number: int = 0) -> Terms:
        """One update of the critic on the same batch, in full precision; its `number`-th there, from 0."""
        assert self.critic is not None
        assert self.critic_optimizer is not None
        # Whose colours: the generator's answer as it was, or as it is after its step.
        if self.refresh_fakes:
            with torch.no_grad():
                fakes = Fakes(self._predict(truth).ab)
        elif number:
            fakes = Fakes(fakes.ab)  # the critic has changed since it scored them
        # Real photos and penalty, and the fakes where their gradient is not known from the generator's step.
        self.critic_optimizer.zero_grad(set_to_none=True)
        count = self.accumulate
        mix = mixing_weights(truth.ordinals, self.seed, number).to(truth.L.device)
        chunks = zip(truth.parts(count), fakes.ab.chunk(count), mix.chunk(count), strict=True)
        terms = [self._critic_backward(part, ab, fakes.score, weights, 1 / count) for part, ab, weights in chunks]
        if fakes.critic_gradient is not None:
            for parameter, gradient in zip(self.critic.parameters(), fakes.critic_gradient, strict=True):
                assert parameter.grad is not None
                parameter.grad += gradient
        average_gradients(self.critic.parameters())
        self.critic_optimizer.step()
        return _mean_terms(terms)

    def _critic_backward(
        self, truth: Truth, fake_ab: Tensor, fake_score: Tensor | None, mix: Tensor, share: float
    ) -> Terms:
        assert self.critic is not None
        count, game = len(fake_ab), self.game
        fake_ab = fake_ab.to(truth.small_ab.dtype)
        if fake_score is None:
            both = self.critic(truth.small_L.repeat(2, 1, 1, 1), torch.cat((truth.small_ab, fake_ab)))
            distance = critic_loss(both[:count], both[count:])
        else:
            distance = critic_loss(self.critic(truth.small_L, truth.small_ab), fake_score)
        penalty = gradient_penalty(
            self.critic, truth.small_L, truth.small_ab, fake_ab, mix, self.ab_unit, game.penalty_on
        )
        (share * (distance + game.gradient_penalty * penalty)).backward()
        return {"wasserstein": -distance.detach(), "penalty": penalty.detach()}


def _mean_terms(parts: list[Terms]) -> Terms:
    return {name: torch.stack([terms[name] for terms in parts]).mean() for name in parts[0]}


def _joined(parts: list[Fakes]) -> Fakes:
    """The fakes of a whole batch from those of its equal parts."""
    if len(parts) == 1:
        return parts[0]
    ab = torch.cat([part.ab for part in parts])
    scores = [part.score for part in parts if part.score is not None]
    if not scores:
        return Fakes(ab)
    gradients = (part.critic_gradient or [] for part in parts)
    means = [torch.stack(same).mean(0) for same in zip(*gradients, strict=True)]
    return Fakes(ab, torch.stack(scores).mean(), means)
