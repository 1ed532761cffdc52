"""Colours of reference photos, brought to a photo whose colours are painted already.

What each reference says of each place comes from `matching`, and, where it shows the very scene, from `same_scene`.
Several references share a place by the square of how far each can be trusted there. What is said is then smoothed and
carried on within things: a screened Poisson equation over a small grid, whose ties are weak over edges of L, brought up
under L by a guided filter (He, Sun and Tang, PAMI 2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from chromagan.conditioning.matching import Matched, Seen, match, resized
from chromagan.conditioning.same_scene import find_same_scene

_NODES = 4096  # of the grid that the equation is solved on, at most
_EDGE = 8.0  # Lab units of L between two nodes at which their tie is weak
_TIE = 0.5  # strength of a tie, of a firm wish of 1
_HOLD = 0.15  # how firmly a node stays as it is painted, or as matching has it, where nothing is known for sure
_SCENE_FIRST = 3.0  # by how much more the very scene counts beside other references
_SURE = 8.0  # how firmly the very scene is held to


@dataclass(frozen=True)
class Influence:
    """What one reference did to one photo.

    Attributes:
        score: 0 to 1: how far it can be trusted, mean over the photo.
        share: 0 to 1: of what all references did to the photo, its part; 0 where none did anything.
        where: (1, 1, h, w) in [0, 1]: how far each place goes by it.
        same_scene: 0 to 1: how much of the photo shows the very scene of the reference.
        name: of the reference.
    """

    score: float
    share: float
    where: Tensor
    same_scene: float = 0.0
    name: str = ""


@dataclass(frozen=True)
class Told:
    """What one reference tells of one photo; it depends on neither strength nor other references.

    Attributes:
        matched: cell by cell, by likeness.
        scene: ab (1, 2, h, w) and its agreement (1, 1, h, w), where it shows the same scene.
    """

    matched: Matched
    scene: tuple[Tensor, Tensor] | None


def tell(photo: Seen, reference: Seen) -> Told:
    """What a reference tells of a photo; worth keeping, for it is most of the work.

    Args:
        photo: that is coloured.
        reference: with its `colours`, seen by the same branch.
    """
    assert reference.colours is not None
    return Told(match(photo, reference), find_same_scene(photo.L, reference.L, reference.colours))


def transfer(ab: Tensor, L: Tensor, told: Sequence[Told], strengths: Sequence[float]) -> tuple[Tensor, list[Influence]]:
    """Bring the colours of references into painted ones.

    Args:
        ab: (1, 2, h, w) in Lab units, as painted.
        L: (1, 1, h, w) in [0, 100], of the same size.
        told: by each reference of this photo.
        strengths: of each, 0 to 1.

    Returns:
        ab (1, 2, h, w), and what each reference did.
    """
    # 1. Who is trusted how far, on one grid.
    rows, columns = _grid(L.shape[-2:])
    trust, wishes, firm = [], [], []
    for one, strength in zip(told, strengths, strict=True):
        trusted = resized(one.matched.trust, (rows, columns))
        change = trusted * (resized(one.matched.colours, (rows, columns)) - resized(ab, (rows, columns)))
        sure = torch.zeros_like(trusted)
        if one.scene is not None:
            colours, agreed = one.scene
            sure = resized(agreed, (rows, columns))
            held = resized((colours - resized(ab, agreed.shape[-2:])) * agreed, (rows, columns)) / sure.clamp_min(1e-3)
            change, trusted = change + sure * (held - change), trusted + sure * (1 - trusted)
        trust.append(strength * trusted)
        wishes.append(strength * change)
        firm.append(sure)
    # A place goes by who is trusted most there; the very scene goes before whatever is alike.
    given = (torch.cat(trust) * (1 + _SCENE_FIRST * torch.cat(firm))).square()
    shares = given / given.sum(0, keepdim=True).clamp_min(1e-9)
    wish = (shares * torch.cat(wishes)).sum(0, keepdim=True)
    hold = (shares * (_HOLD + torch.cat(trust) + _SURE * torch.cat(firm))).sum(0, keepdim=True)
    hold = hold + _HOLD * (1 - shares.sum(0, keepdim=True))
    # 2. Smooth within things, and up to the size of ab.
    change = _brought_up(_screened(wish, hold, resized(L, (rows, columns))), resized(L, (rows, columns)), L)
    # 3. The very scene, pixel by pixel.
    smooth, size = change, L.shape[-2:]
    for share, strength, one in zip(shares, strengths, told, strict=True):
        if one.scene is not None:
            colours, agreed = (resized(values, size) for values in one.scene)
            change = change + resized(share[None], size) * agreed * (strength * (colours - ab) - smooth)
    # 4. What each did.
    where = [share[None] * trusted for share, trusted in zip(shares, trust, strict=True)]
    total = max(1e-9, sum(float(one.mean()) for one in where))
    return ab + change, [
        Influence(
            score=float((one / max(strength, 1e-9)).mean()),
            share=float(place.mean()) / total if total > 1e-6 else 0.0,
            where=place,
            same_scene=float(sure.mean()),
        )
        for one, strength, place, sure in zip(trust, strengths, where, firm, strict=True)
    ]


def _grid(size: torch.Size) -> tuple[int, int]:
    shrink = max(1.0, (size[0] * size[1] / _NODES) ** 0.5)
    return max(1, int(size[0] / shrink)), max(1, int(size[1] / shrink))


def _screened(wish: Tensor, hold: Tensor, L: Tensor) -> Tensor:
    """The field that is near a wish where it is held to, and smooth elsewhere but for edges of L; all (1, C, h, w)."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import splu

    rows, columns = L.shape[-2:]
    numbers = np.arange(rows * columns).reshape(rows, columns)
    light = L[0, 0].double().numpy()
    ties: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for a, b in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        ties.append((numbers[a].ravel(), numbers[b].ravel(), _TIE / (1 + ((light[a] - light[b]) / _EDGE) ** 2).ravel()))
    start, end, strength = (np.concatenate(part) for part in zip(*ties, strict=True))
    size = (rows * columns,) * 2
    tied = coo_matrix((strength, (start, end)), size)
    tied = tied + tied.T
    held = hold[0, 0].double().numpy().ravel()
    system = diags(np.asarray(tied.sum(axis=1)).ravel() + held) - tied
    right = (held * wish[0].double().numpy().reshape(wish.shape[1], -1)).T
    found = splu(system.tocsc()).solve(np.ascontiguousarray(right))
    return torch.from_numpy(found.T.reshape(1, -1, rows, columns)).float()


def _brought_up(values: Tensor, L: Tensor, guide: Tensor) -> Tensor:
    """A small field at the size of the guide, its edges where L has some: straight in L, piece by piece."""

    def mean(field: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(field, (1, 1, 1, 1), mode="replicate"), 3, stride=1)

    level, middle = mean(L), mean(values)
    slope = (mean(L * values) - level * middle) / (mean(L * L) - level * level + 4.0)
    offset = middle - slope * level
    size = guide.shape[-2:]
    return resized(mean(slope), size) * guide + resized(mean(offset), size)


__all__ = ["Influence", "Seen", "Told", "tell", "transfer"]
