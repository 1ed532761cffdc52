"""Hints as a person would give them, drawn from photographs (Zhang et al., SIGGRAPH 2017, section 3).

Local hints: a photo's number of points is geometric with p = 1/8 (7 on average, often none), each is placed by a
normal law around the middle with a standard deviation of a quarter of the side, and reveals the mean colour of a square
of 1 to 9 pixels; one photo in a hundred reveals everything, so that the network learns to keep to what it is told.
Global hints: colour histogram and mean saturation, each revealed to every second photo. That is training; to measure
what hints are worth, squares of one size are drawn evenly over the photo, as many as are asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chromagan.color.ab_bins import AbBins
from chromagan.color.lab import rgb_to_lab
from chromagan.conditioning.condition import GlobalHints, LocalHints

STOP = 1 / 8
LARGEST = 9
EVERYTHING = 0.01
REVEAL = 0.5
_SPREAD = 1 / 4
_STREAM = 0x48494E54  # keeps these random numbers apart from those that other parts draw from the same seed
_WORD = (1 << 64) - 1

Generators = Sequence[np.random.Generator]


class Patch(NamedTuple):
    """A square of a photo whose mean colour is revealed, in pixels."""

    top: int
    left: int
    side: int


def photo_generators(ordinals: Tensor, seed: int) -> list[np.random.Generator]:
    """A source of randomness for each photo, decided by the seed and the photo's place in the stream alone.

    So a batch that is split over processes, or a run that goes on from a checkpoint, has the hints of the undivided
    one. `ordinals` are (N,) integers, each photo's place in the stream of training photographs; any seed fits.
    """
    return [np.random.default_rng((seed & _WORD, _STREAM, place & _WORD)) for place in ordinals.tolist()]


def name_generator(name: str, seed: int) -> np.random.Generator:
    """A source of randomness for a photo, decided by the seed, any integer, and the photo's name alone."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()  # not every file name is Unicode
    return np.random.default_rng((seed & _WORD, _STREAM, int.from_bytes(digest, "big")))


def draw_squares(height: int, width: int, side: int, count: int, rng: np.random.Generator) -> list[Patch]:
    """Squares of one size anywhere inside a photo, evenly distributed; fewer are the first of more.

    All in pixels; the side is less where the photo is smaller.
    """
    side = min(side, height, width)
    return [Patch(_place_anywhere(height, side, rng), _place_anywhere(width, side, rng), side) for _ in range(count)]


def draw_patches(height: int, width: int, rng: np.random.Generator, anywhere: bool = False) -> list[Patch]:
    """The squares that a person would colour in one photo of so many pixels, in the order of colouring.

    They lie evenly over the photo with `anywhere`, else around its middle.
    """
    place = _place_anywhere if anywhere else _place
    patches = []
    for _ in range(rng.geometric(STOP) - 1):  # NumPy counts the last draw too
        side = min(int(rng.integers(1, LARGEST + 1)), height, width)
        top, left = (place(length, side, rng) for length in (height, width))
        patches.append(Patch(top, left, side))
    return patches


def _place(length: int, side: int, rng: np.random.Generator) -> int:
    """Where a square begins along one side of the photo; it is moved inwards where it would stick out."""
    middle = rng.normal(length / 2, length * _SPREAD)
    return int(np.clip(round(middle - side / 2), 0, length - side))


def _place_anywhere(length: int, side: int, rng: np.random.Generator) -> int:
    return int(rng.integers(length - side + 1))


def simulate_hints(ab: Tensor, generators: Generators, free: float = 0.0, anywhere: bool = False) -> LocalHints:
    """Local hints for a batch of training photographs.

    Args:
        ab: (N, 2, H, W), the true colours in Lab units.
        generators: one a photo, such as `photo_generators` gives.
        free: share of the photos that get none, by chance; of the others some get none too, by the law above.
        anywhere: place them evenly over the photos, not around their middles.

    Returns:
        Hints of the batch's size and device; where squares overlap, the later one shows.
    """
    whole, squares = [], []
    for rng in generators:
        shown = not free or rng.random() >= free
        whole.append(shown and rng.random() < EVERYTHING)
        squares.append(draw_patches(ab.shape[2], ab.shape[3], rng, anywhere) if shown else [])
    drawn = reveal_squares(ab, squares)
    every = torch.tensor(whole, device=ab.device)[:, None, None, None]
    return LocalHints(torch.where(every, ab, drawn.ab).contiguous(), drawn.mask.masked_fill(every, 1))


def reveal_squares(ab: Tensor, squares: Sequence[Sequence[Patch]]) -> LocalHints:
    """Local hints that show the mean colours of squares inside each photo; where squares overlap, the later one shows.

    `ab` are the true colours, (N, 2, H, W) in Lab units, and the hints are of their size, type and device.
    """
    n, _, height, width = ab.shape
    owner = np.zeros((n, height, width), np.int64)
    patches = [(photo, patch) for photo, some in enumerate(squares) for patch in some]
    for number, (photo, (top, left, side)) in enumerate(patches, 1):
        owner[photo, top : top + side, left : left + side] = number
    # Entry 0 is the colour of what is not revealed.
    colours = torch.cat((ab.new_zeros(1, 2), _mean_colours(ab, patches)))
    owners = torch.from_numpy(owner).to(ab.device)
    return LocalHints(colours[owners].permute(0, 3, 1, 2), (owners > 0)[:, None].to(ab.dtype))


def _mean_colours(ab: Tensor, patches: Sequence[tuple[int, Patch]]) -> Tensor:
    """The mean ab of each square, (P, 2): all squares at once, as windows of the largest size with a mask."""
    table = np.array([(photo, *patch) for photo, patch in patches], np.int64).reshape(-1, 4)
    largest = max(LARGEST, int(table[:, 3].max(initial=0)))  # the same for all batches of training: sums round alike
    photo, top, left, side = torch.from_numpy(table).to(ab.device).unbind(1)
    steps = torch.arange(largest, device=ab.device)
    inside = (steps < side[:, None]).to(ab.dtype)
    rows = (top[:, None] + steps).clamp_max(ab.shape[2] - 1)
    columns = (left[:, None] + steps).clamp_max(ab.shape[3] - 1)
    windows = ab.permute(0, 2, 3, 1)[photo[:, None, None], rows[:, :, None], columns[:, None, :]]
    weights = inside[:, :, None] * inside[:, None, :]
    return (windows * weights[..., None]).sum(dim=(1, 2)) / side[:, None].square()


def global_statistics(rgb: Tensor, bins: AbBins | None = None) -> GlobalHints:
    """The colour histogram and the saturation of photographs, both given.

    Args:
        rgb: (N, 3, H, W) sRGB in [0, 1].
        bins: those of the histogram; the authors' 313 unless given.

    Returns:
        The share of each bin, over ab reduced to a quarter bilinearly, every pixel in its closest bin; and the mean
        saturation in HSV.
    """
    bins = AbBins().to(rgb.device) if bins is None else bins
    ab = rgb_to_lab(rgb)[:, 1:]
    small = F.interpolate(ab, [max(1, side // 4) for side in ab.shape[2:]], mode="bilinear", align_corners=False)
    nearest = bins.nearest(small).flatten(1)
    counts = small.new_zeros(len(rgb), len(bins)).scatter_add_(1, nearest, torch.ones_like(nearest, dtype=small.dtype))
    high, low = rgb.amax(dim=1), rgb.amin(dim=1)
    saturation = ((high - low) / high.clamp_min(1e-12)).mean(dim=(1, 2))[:, None]
    return GlobalHints(counts / nearest.shape[1], saturation, torch.ones_like(saturation).expand(-1, 2))


def simulate_global_hints(rgb: Tensor, generators: Generators) -> GlobalHints:
    """Global hints for a batch of training photographs: histogram, saturation, both or neither, by chance.

    `rgb` is (N, 3, H, W) sRGB in [0, 1]; `generators` are one a photo, such as `photo_generators` gives.
    """
    known = global_statistics(rgb)
    given = torch.tensor(np.array([rng.random(2) < REVEAL for rng in generators])).to(known.given)
    return GlobalHints(known.histogram, known.saturation, given)
