"""The network's stage: photos of one shape together, in the precision that suits the device."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from chromagan.compute.precision import has_fast_bfloat16
from chromagan.conditioning.condition import NOTHING, Condition
from chromagan.errors import ModelError
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.views import merged, views_of


@torch.no_grad()
def predict(
    network: ColorizationNetwork,
    lightness: Sequence[Tensor],
    conditions: Sequence[Condition] | None = None,
    batch_size: int = 4,
    views: Sequence[int] | None = None,
) -> list[Prediction]:
    """Run the network.

    Args:
        network: in evaluation mode.
        lightness: (1, 1, h, w) float32 in [0, 100] each; those of one shape share a batch.
        conditions: for each, what a person wishes, at the size of `lightness`. Photos with conditions of other kinds
            share no batch.
        batch_size: photos that share a batch, at most.
        views: of each, whose answers are averaged, see `chromagan.models.look.Look`; one unless given.

    Returns:
        For each its own prediction, on the network's device; ab is (1, 2, h / ab_stride, w / ab_stride) float32.

    Raises:
        ModelError: the network's answer is not finite or not ab, or it does not take a condition.
    """
    given = [NOTHING] * len(lightness) if conditions is None else conditions
    if views is not None and max(views, default=1) > 1:
        seen = [views_of(count) for count in views]
        ways = [(view.of(L), view.told(one)) for L, one, some in zip(lightness, given, seen, strict=True)
                 for view in some]  # fmt: skip
        found = iter(predict(network, [L for L, _ in ways], [one for _, one in ways], batch_size))
        return [merged([next(found) for _ in some], some) for some in seen]
    device = device_of(network)
    answers: dict[int, Prediction] = {}
    # Who can share a batch.
    alike: dict[Hashable, list[int]] = {}
    for index, (L, condition) in enumerate(zip(lightness, given, strict=True)):
        alike.setdefault((L.shape, condition.kinds), []).append(index)
    # Batch by batch through the network; every photo gets its own answer back.
    for indices in alike.values():
        for start in range(0, len(indices), batch_size):
            chosen = indices[start : start + batch_size]
            batch = torch.cat([lightness[i] for i in chosen]).to(device)
            shown = Condition.batch([given[i] for i in chosen]).to(device)
            with precision_for(device):
                prediction = network(batch.contiguous(memory_format=torch.channels_last), shown)
            _check(prediction.ab, len(chosen))
            answers.update(zip(chosen, prediction.split(), strict=True))
    return [answers[index] for index in range(len(lightness))]


def device_of(network: ColorizationNetwork) -> torch.device:
    """Where a network's tensors are; one without any runs on the CPU."""
    tensors = (*network.parameters(), *network.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


def precision_for(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which a network runs on a device: bfloat16 where that is fast."""
    return torch.autocast(device.type, torch.bfloat16) if has_fast_bfloat16(device) else nullcontext()


def _check(ab: Tensor, photos: int) -> None:
    if ab.ndim != 4 or ab.shape[:2] != (photos, 2):
        raise ModelError(f"the network answers colours of the shape {tuple(ab.shape)}, not ({photos}, 2, h, w)")
    if not torch.isfinite(ab).all():
        raise ModelError(
            "the network's colours are not finite: its weights do not suit it, or training has diverged (use an "
            "earlier checkpoint)"
        )
