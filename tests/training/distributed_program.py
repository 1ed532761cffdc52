"""Run by torchrun in the tests: gradients of a batch that several processes share, in double precision."""

import sys

import torch
from torch import nn

from chromagan.compute.distributed import average_gradients, process_group, rank, synchronise_batch_norm, world_size
from chromagan.losses.chroma import ab_mse
from chromagan.losses.class_distribution import class_divergence
from chromagan.losses.wasserstein import critic_loss, generator_loss, gradient_penalty, mixing_weights
from chromagan.models.critic import PatchCritic

BATCH = 8


def gradients():
    """Gradients of generator (its batch statistics over all ranks) and critic (with penalty) for this rank's share."""
    torch.manual_seed(0)
    generator = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6, momentum=0.01), nn.Tanh(), nn.Conv2d(6, 12, 3),
    ).double()  # fmt: skip
    critic = PatchCritic((4, 8)).double()
    L, ab = torch.rand(BATCH, 1, 20, 20).double() * 100, torch.randn(BATCH, 2, 16, 16).double() * 20
    teacher, ordinals = torch.rand(BATCH, 10).double().softmax(1), torch.arange(100, 100 + BATCH)
    if world_size() > 1:
        synchronise_batch_norm(generator)
    mine = slice(rank(), None, world_size())
    L, ab, teacher, ordinals = L[mine], ab[mine], teacher[mine], ordinals[mine]
    answer = generator(L / 50 - 1)
    small_L = L[..., 2:-2, 2:-2]
    fake_ab = answer[:, :2] * 50
    loss = ab_mse(fake_ab, ab, 50.0) + 0.1 * class_divergence(answer[:, 2:].mean((2, 3)), teacher)
    critic.requires_grad_(False)
    (loss + 0.1 * generator_loss(critic(small_L, fake_ab))).backward()
    critic.requires_grad_(True)
    mix = mixing_weights(ordinals, 7)
    penalty = gradient_penalty(critic, small_L, ab, fake_ab.detach(), mix, 50.0, "mean")
    (critic_loss(critic(small_L, ab), critic(small_L, fake_ab.detach())) + 10 * penalty).backward()
    for network in (generator, critic):
        average_gradients(network.parameters())
    found = {f"generator.{n}": p.grad for n, p in generator.named_parameters()}
    found |= {f"critic.{n}": p.grad for n, p in critic.named_parameters()}
    return found | {f"buffer.{n}": b.double() for n, b in generator.named_buffers()}


if __name__ == "__main__":
    with process_group("cpu", 60):
        result = gradients()
        if rank() == 0:
            torch.save(result, sys.argv[1])
