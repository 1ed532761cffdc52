"""What a person wishes at places, carried along edges and like features, for every network.

What is carried is the difference between wish and painting, so that what the painting knows of a thing (light and
shade, a pattern) stays. A stroke is cut into pieces, each with its own difference; where several reach, the nearer one
counts for more, so that nothing goes beyond what was wished. Inside a stroke the wish is met exactly.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.color.gamut import nearest_in_gamut
from chromagan.conditioning.condition import LocalHints
from chromagan.conditioning.terrain import Floats, Terrain

MOST_PIECES = 200
_PIECE = 16  # nodes on a side of the squares that strokes are cut by
_NEARER = 2.0  # the power by which nearer pieces count for more
LOW, HIGH = 0.2, 0.7  # influence below the one is none, above the other it is whole
LIKE = 0.8  # how much one wish counts at a place that is like its own, but that it does not reach
CAST = 22.0  # units of ab: a difference well below it may be one of the whole photo, one above is of a thing alone
TOGETHER = 3  # the power by which wishes that agree are believed: one alone is of its own thing
HEARD = 10.0  # what wishes say together at which a network that was shown them is heard by half


@dataclass(frozen=True)
class _Piece:
    """A part of a stroke of one colour and strength."""

    nodes: NDArray[np.int32]
    difference: tuple[float, float]  # that is carried, in Lab units
    gray: float  # share of the colour that is taken away
    wish: int  # pieces of one colour are one wish


def applied(wishes: LocalHints, L: Tensor) -> LocalHints:
    """Wishes as they can be met: each moved as little as possible into what sRGB shows at the photo's lightness there.

    Args:
        wishes: of one photo, at the size of `L`.
        L: (1, 1, h, w) in [0, 100].
    """
    there = wishes.mask[0, 0] > 0
    ab = wishes.ab.clone()
    ab[0, :, there] = nearest_in_gamut(L[0, 0, there], wishes.ab[0, :, there])
    return LocalHints(ab, wishes.mask)


def spread(ab: Tensor, wishes: LocalHints, L: Tensor, terrain: Terrain, shown: Tensor | None = None) -> Tensor:
    """Carry what is wished at places to what belongs to them.

    Args:
        ab: (1, 2, h, w) painted colours in Lab units.
        wishes: of this photo, at this size; a wish of no colour at all is for gray.
        L: (1, 1, h, w) in [0, 100].
        terrain: of this photo, at this size.
        shown: (1, 2, h, w) what a network that was shown the wishes paints. It recolours other things after one wish,
            and knows a photo better than `ab` by many, so it is heard by how much they say together.

    Returns:
        (1, 2, h, w); exactly the wish, as far as sRGB shows it and as firm as it is, where there is one.
    """
    if not bool((wishes.mask > 0).any()):
        return ab
    met = applied(wishes, L)
    pieces = _pieces(ab, wishes, met, terrain)
    # What reaches each node, then each pixel.
    cast, said = _cast(pieces, terrain)
    heard = said**2 / (said**2 + HEARD**2)
    carried = terrain.enlarge(np.concatenate([_blend(pieces, terrain, cast), heard[:, None]], axis=1))
    change = torch.from_numpy(carried).permute(2, 0, 1)[None]
    around = ab * (1 - change[:, 2:3]) + change[:, :2]
    if shown is not None:
        around = torch.lerp(around, spread(shown, wishes, L, terrain), change[:, 3:])
    return torch.where(wishes.mask > 0, ab + wishes.mask * (met.ab - ab), around)


def _pieces(ab: Tensor, wishes: LocalHints, met: LocalHints, terrain: Terrain) -> list[_Piece]:
    """Cut wishes by their colour and by squares, with the difference to what is painted there."""
    mask = wishes.mask[0, 0].numpy()
    y, x = np.nonzero(mask > 0)
    colour, strength = wishes.ab[0].numpy()[:, y, x], mask[y, x]
    gray = np.abs(colour).max(0) < 1e-3
    wanted = strength * (met.ab - ab)[0].numpy()[:, y, x]
    node = terrain.node_of[y, x]
    row, column = np.divmod(node, terrain.shape[1])
    # Coarser and coarser, until there are few enough: a picture may have wishes everywhere.
    for coarse in range(6):
        side = _PIECE << coarse
        parts = [np.rint(plane / (6 << coarse)) for plane in colour] + [np.rint(strength * 10 / (1 + coarse))]
        key = np.stack([gray, *parts, row // side, column // side], axis=1)
        _, label = np.unique(key, axis=0, return_inverse=True)
        if label.max() < MOST_PIECES:
            break
    order = np.argsort(label.ravel(), kind="stable")
    pieces = []
    for part in np.split(order, np.flatnonzero(np.diff(label.ravel()[order])) + 1):
        if gray[part[0]]:
            difference, less = (0.0, 0.0), float(strength[part].mean())
        else:
            difference, less = (float(wanted[0, part].mean()), float(wanted[1, part].mean())), 0.0
        pieces.append(_Piece(np.unique(node[part]), difference, less, hash(colour[:, part[0]].tobytes())))
    return pieces


def _blend(pieces: list[_Piece], terrain: Terrain, cast: Floats) -> Floats:
    """What reaches each node of all pieces: (nodes, 3) difference in a* and b*, and the share of colour taken away."""
    summed = np.zeros_like(cast)
    weights, farthest = np.zeros(terrain.L.size, np.float32), np.zeros(terrain.L.size, np.float32)
    for piece in pieces:
        share = terrain.influence(piece.nodes)
        weight = (share / (1.001 - share)) ** _NEARER
        left = np.array([*piece.difference, piece.gray], np.float32) - cast[piece.nodes].mean(0)
        summed += weight[:, None] * left
        weights += weight
        np.maximum(farthest, share, out=farthest)
    return np.asarray(cast + summed * (_firm(farthest) / np.maximum(weights, 1e-12))[:, None], np.float32)


def _cast(pieces: list[_Piece], terrain: Terrain) -> tuple[Floats, Floats]:
    """What all pieces together say of like places that none reaches, (nodes, 3), and how much of it each node hears.

    Little is believed where one wish says it, most where many do.
    """
    summed, weights = np.zeros((terrain.L.size, 3), np.float32), np.zeros(terrain.L.size, np.float32)
    pieces_of = Counter(piece.wish for piece in pieces)
    for piece in pieces:
        if piece.gray == 0:
            trust = LIKE / (1 + (np.hypot(*piece.difference) / CAST) ** 2) / pieces_of[piece.wish]
            weight = trust * terrain.likeness(piece.nodes)
            summed[:, :2] += weight[:, None] * np.array(piece.difference, np.float32)
            weights += weight
    # Their weighted mean, of which a share is believed that grows with a power of their weight.
    share = weights ** (TOGETHER - 1) / (1 + weights**TOGETHER)
    return np.asarray(summed * share[:, None], np.float32), weights


def _firm(share: Floats) -> Floats:
    """Influence with its two ends cut off: whole over what belongs together, none where it is a trace."""
    t = np.clip((share - LOW) / (HIGH - LOW), 0, 1)
    return t * t * (3 - 2 * t)
