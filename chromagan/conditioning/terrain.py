"""How far a wish at one place of a photo reaches: along what belongs together, and not over strong edges.

The photo is a net of nodes, each linked to its eight neighbours: firmly where lightness and features are alike, hardly
over an edge (Levin, Lischinski and Weiss, Colorization using optimization, SIGGRAPH 2004, link by lightness alone). A
wish reaches as far as heat would along the links, twice in turn: twice, because one turn falls off steeply beside its
source, which leaves a dot. Both are a sparse system whose factor is worked out once a photo, so that a further wish
costs substitutions alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU

Floats = NDArray[np.float32]

MOST_NODES = 25_000
REACH = 15.0  # nodes that a wish reaches over even ground, a photo of 25,000 nodes being about 158 on a side
_EDGE_SHARE = 0.85  # the share of a photo's links that are weaker in contrast than its typical edge
_LEAST_EDGE = 0.5  # Lab units of L: lower contrasts are noise
_WEAKEST = 1e-5
_UNLIKE = 0.25  # distance of features, as 1 - cosine, at which a link is as weak as over a typical edge
LIKE_LIGHTNESS, LIKE_FEATURES = 60.0, 2.0  # Lab units of L and 1 - cosine, at which likeness is 1 / e
_KEPT = 1_000  # influences of the last pieces, 0.1 MB each


class Terrain:
    """A photo as a net on which wishes spread.

    Args:
        L: (h, w) float32 in [0, 100].
        features: (F, h', w') of the same photo, of a semantic branch, where there are some.

    Attributes:
        shape: rows and columns of the nodes.
        node_of: (h, w) the number of the node that each pixel belongs to.
    """

    def __init__(self, L: Floats, features: Floats | None = None) -> None:
        height, width = L.shape
        scale = min(1.0, float(np.sqrt(MOST_NODES / L.size)))
        self.shape = (max(1, int(height * scale)), max(1, int(width * scale)))
        rows, columns = (np.arange(side) * nodes // side for side, nodes in zip(L.shape, self.shape, strict=True))
        self.node_of = (rows[:, None] * self.shape[1] + columns).astype(np.int32)
        self.L = np.asarray(cv2.resize(L, self.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
        self._factor = _factor(self.L.reshape(self.shape), features)
        self._up = _upward(L, self.L.reshape(self.shape))
        self._directions = None if features is None else _unit(features)
        self._known: dict[bytes, Floats] = {}

    def influence(self, nodes: NDArray[np.int32]) -> Floats:
        """How far a wish at some nodes reaches: (nodes of the net,) in [0, 1], 1 at them.

        Args:
            nodes: their numbers, in ascending order, at least one.
        """
        key = nodes.tobytes()
        if key not in self._known:
            source = np.zeros(self.L.size)
            source[nodes] = 1
            reached = self._factor.solve(self._factor.solve(source))
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            share = np.clip(reached / reached[nodes].mean(), 0, 1).astype(np.float32)
            share[nodes] = 1
            self._known[key] = share
        return self._known[key]

    def likeness(self, nodes: NDArray[np.int32]) -> Floats:
        """How like the rest of the photo is to some nodes, wherever it lies: (nodes of the net,) in [0, 1]."""
        L = self.L.ravel()
        like = np.exp(-(((L - L[nodes].mean()) / LIKE_LIGHTNESS) ** 2))
        if self._directions is None:
            return np.asarray(like, np.float32)
        grid = self._directions.shape[1:]
        place = zip(np.divmod(nodes, self.shape[1]), grid, self.shape, strict=True)
        row, column = (one * side // own for one, side, own in place)
        mean = self._directions[:, row, column].mean(1)
        cosine = np.tensordot(mean / max(float(np.linalg.norm(mean)), 1e-6), self._directions, 1)
        near = cv2.resize(np.exp((cosine - 1) / LIKE_FEATURES).astype(np.float32), self.shape[::-1])
        return np.asarray(like * near.ravel(), np.float32)

    def enlarge(self, values: Floats) -> Floats:
        """Bring (nodes, K) values up to the pixels, under L: (h, w, K)."""
        return np.asarray(self._up @ values, np.float32).reshape(*self.node_of.shape, -1)


def _factor(L: Floats, features: Floats | None) -> SuperLU:
    """The factored system: its inverse lets a source flow along the links while a little of it is lost at each node."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import splu

    number = np.arange(L.size, dtype=np.int32).reshape(L.shape)
    ahead, back = slice(1, None), slice(None, -1)
    every = slice(None)
    ways = (((every, back), (every, ahead), 1.0), ((back, every), (ahead, every), 1.0),
            ((back, back), (ahead, ahead), 0.5), ((back, ahead), (ahead, back), 0.5))  # fmt: skip
    contrasts = [np.abs(L[one] - L[other]) for one, other, _ in ways]
    straight = np.concatenate([contrasts[0].ravel(), contrasts[1].ravel(), [0.0]])
    typical = max(_LEAST_EDGE, float(np.quantile(straight, _EDGE_SHARE)))
    like = None if features is None else _directions(features, L.shape)
    starts, ends, firm = [], [], []
    for (one, other, weight), contrast in zip(ways, contrasts, strict=True):
        difference = (contrast / typical) ** 2
        if like is not None:
            difference = difference + (1 - (like[one] * like[other]).sum(-1)) / _UNLIKE
        starts.append(number[one].ravel())
        ends.append(number[other].ravel())
        firm.append((weight * np.maximum(np.exp(-difference), _WEAKEST)).ravel())
    start, end, weights = np.concatenate(starts), np.concatenate(ends), np.concatenate(firm).astype(np.float64)
    pairs = np.concatenate([start, end]), np.concatenate([end, start])
    links = coo_matrix((np.concatenate([weights, weights]), pairs), shape=(L.size, L.size)).tocsc()
    loss = 3 / REACH**2
    system = diags(np.asarray(links.sum(1)).ravel() + loss) - links
    # The system is symmetric and positive definite: no pivots, and the order for such.
    options: dict[str, Any] = {"SymmetricMode": True}
    return splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)


def _unit(features: Floats) -> Floats:
    """Features of length 1 each, (F, h, w)."""
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=0, keepdims=True), 1e-6), np.float32)


def _directions(features: Floats, shape: tuple[int, int]) -> Floats:
    """Features brought up to the nodes, each of length 1: (rows, columns, F)."""
    grid = np.stack([cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_LINEAR) for plane in features], axis=-1)
    return np.asarray(grid / np.maximum(np.linalg.norm(grid, axis=-1, keepdims=True), 1e-6), np.float32)


def _upward(L: Floats, low: Floats) -> Any:
    """(pixels, nodes) sparse weights: of the four nodes around a pixel, by their distance and likeness in L."""
    from scipy.sparse import csr_matrix

    if low.shape == L.shape:
        from scipy.sparse import identity

        return identity(L.size, np.float32, "csr")
    taps = []
    for side, nodes in zip(L.shape, low.shape, strict=True):
        centre = ((np.arange(side, dtype=np.float32) + 0.5) * (nodes / side) - 0.5).clip(0, nodes - 1)
        first = np.minimum(centre.astype(np.int32), max(nodes - 2, 0))
        share = (centre - first).astype(np.float32)
        taps.append(((first, 1 - share), (np.minimum(first + 1, nodes - 1), share)))
    index, weight = np.empty((*L.shape, 4), np.int32), np.empty((*L.shape, 4), np.float32)
    for tap, ((row, y), (column, x)) in enumerate((down, across) for down in taps[0] for across in taps[1]):
        index[..., tap] = row[:, None] * low.shape[1] + column
        alike = np.exp(-np.abs(low[row[:, None], column] - L) / 4)
        weight[..., tap] = (y[:, None] * x + 0.02) * (alike + 1e-4)
    weight /= weight.sum(-1, keepdims=True)
    starts = np.arange(0, 4 * L.size + 1, 4, dtype=np.int32)
    return csr_matrix((weight.ravel(), index.ravel(), starts), shape=(L.size, low.size))
