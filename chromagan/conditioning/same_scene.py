"""Whether two photos show one scene, also mirrored, and where each pixel of the one lies in the other.

Points of interest (SIFT: Lowe 2004) are matched by the ratio of best to second, a similarity is fitted to the matches
(RANSAC: Fischler and Bolles 1981), and dense flow (DIS: Kroeger et al. 2016) brings what lies at other depths or has
moved a little into place. Where the lightness then agrees, the two photos show the same thing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SIDE = 400  # of the lightness that points are sought in, the longer one at most
_POINTS = 800
_RATIO = 0.8
_LEAST_MATCHES = 25  # that one similarity explains; unrelated photos come to 13 in 40 pairs
_LEAST_SHARE = 0.25  # of the matches
_REACH = 3.0  # pixels at `_SIDE` by which a match may miss
_WINDOW = 7  # pixels at `_SIDE` over which lightness is compared
_TOLERANCE = 4.0  # Lab units


def find_same_scene(L: Tensor, other: Tensor, colours: Tensor) -> tuple[Tensor, Tensor] | None:
    """The colours of another photo of the same scene, brought to this photo's places.

    Args:
        L: (1, 1, h, w) in [0, 100].
        other: (1, 1, h', w'), the lightness of the other photo.
        colours: (1, 2, h', w'), its ab.

    Returns:
        ab (1, 2, h, w), and how far each pixel shows the same thing, (1, 1, h, w) in [0, 1]; None where the photos do
        not show one scene.
    """
    import cv2

    here, there = _plane(L), _plane(other)
    scale, far_scale = (min(1.0, _SIDE / max(plane.shape)) for plane in (here, there))
    small, far = _bytes(here, scale), _bytes(there, far_scale)
    found = _similarity(small, far)
    if found is None:
        return None
    way, mirrored = found
    # Every pixel's place in the other photo: by the similarity, then by what flow adds to it.
    x, y = np.meshgrid(np.arange(small.shape[1], dtype=np.float32), np.arange(small.shape[0], dtype=np.float32))
    places = np.stack([way[0, 0] * x + way[0, 1] * y + way[0, 2], way[1, 0] * x + way[1, 1] * y + way[1, 2]], axis=2)
    if mirrored:
        far = np.ascontiguousarray(far[:, ::-1])
    brought = _fetch(far, places)
    still = np.zeros((*small.shape, 2), np.float32)
    flow = np.asarray(cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(small, brought, still))
    moved = places + np.einsum("ij,hwj->hwi", way[:, :2], flow).astype(np.float32)
    # Of the two, what agrees better; flow wanders where there is nothing to hold on to.
    plain, flown = _agreement(small, far, places), _agreement(small, far, moved)
    better = flown > plain + 0.05
    places[better] = moved[better]
    agreed = np.where(better, flown, plain)
    # At the photo's own size.
    size = (here.shape[1], here.shape[0])
    places = cv2.resize(places, size, interpolation=cv2.INTER_LINEAR)
    agreed = cv2.resize(agreed, size, interpolation=cv2.INTER_LINEAR)
    places = (places + 0.5) / far_scale - 0.5
    if mirrored:
        places[..., 0] = there.shape[1] - 1 - places[..., 0]
    ab = _fetch(np.ascontiguousarray(colours[0].permute(1, 2, 0).cpu().numpy(), np.float32), places.astype(np.float32))
    return torch.from_numpy(ab).permute(2, 0, 1)[None].contiguous(), torch.from_numpy(agreed)[None, None]


def _similarity(here: NDArray[Any], there: NDArray[Any]) -> tuple[NDArray[np.float32], bool] | None:
    """(2, 3) from places here to places there, and whether there it is seen in a mirror."""
    import cv2

    sift = cv2.SIFT.create(nfeatures=_POINTS, contrastThreshold=0.01)
    points, told = sift.detectAndCompute(here, None)
    best, chosen = _LEAST_MATCHES - 1, None
    for mirrored in (False, True):
        others, told_there = sift.detectAndCompute(np.ascontiguousarray(there[:, ::-1]) if mirrored else there, None)
        if min(len(points), len(others)) < _LEAST_MATCHES:
            continue
        pairs = [pair for pair in cv2.BFMatcher().knnMatch(told, told_there, k=2) if len(pair) == 2]
        sure = [one for one, second in pairs if one.distance < _RATIO * second.distance]
        if len(sure) <= best:
            continue
        start = np.array([points[one.queryIdx].pt for one in sure], np.float32)
        end = np.array([others[one.trainIdx].pt for one in sure], np.float32)
        cv2.setRNGSeed(0)
        way, inside = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=_REACH)
        count = 0 if way is None else int(inside.sum())
        if count > best and count >= _LEAST_SHARE * len(sure):
            best, chosen = count, (way.astype(np.float32), mirrored)
    return chosen


def _agreement(here: NDArray[Any], there: NDArray[Any], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the lightness at places agrees with that here, in [0, 1]; tone may differ by an offset and a factor."""
    import cv2

    def mean(plane: NDArray[Any]) -> NDArray[Any]:
        return cv2.blur(plane, (_WINDOW, _WINDOW))

    a, b = here / np.float32(2.55), _fetch(there, places) / np.float32(2.55)
    inside = _inside(places, there.shape)
    if not inside.any():
        return np.zeros(here.shape, np.float32)
    # The tone as a whole: straight between the two, by the parts that both have.
    spread = float(b[inside].std())
    factor = min(2.0, float(a[inside].std()) / spread) if spread > 1e-3 else 1.0
    b = (b - b[inside].mean()) * factor + a[inside].mean()
    error, texture = mean((a - b) ** 2), np.maximum(mean(a * a) - mean(a) ** 2, 0)
    agreed = np.exp(-error / (2 * (_TOLERANCE**2 + 0.1 * texture)))
    return (agreed * inside).astype(np.float32)


def _inside(places: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[Any]:
    x, y = places[..., 0], places[..., 1]
    return (x >= -0.5) & (y >= -0.5) & (x <= shape[1] - 0.5) & (y <= shape[0] - 0.5)


def _fetch(picture: NDArray[Any], places: NDArray[np.float32]) -> NDArray[Any]:
    import cv2

    return cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _plane(L: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(L[0, 0].cpu().numpy(), np.float32)


def _bytes(plane: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    import cv2

    size = (max(1, round(plane.shape[1] * scale)), max(1, round(plane.shape[0] * scale)))
    small = plane if scale == 1 else cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small * 2.55), 0, 255).astype(np.uint8)
