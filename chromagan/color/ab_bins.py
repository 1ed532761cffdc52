"""The quantised ab gamut: colour as a class (Zhang, Isola and Efros, "Colorful Image Colorization", ECCV 2016).

The 313 bins are the corners of the 10 x 10 squares of the ab plane that hold a colour of sRGB (309 of them), and four
more at its rim that the authors' own sampling reached. Their order is the authors' (a, then b, both
ascending), so that networks trained on it can be read. The network of 2017 classifies over the whole square of the grid
instead, gamut or not: 23 x 23 = 529 bins (`grid_centres`), in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

GRID = 10.0
NEIGHBOURS = 5
SIGMA = 5.0
TEMPERATURE = 0.38

# For a = -90, -80, ..., 100 the first and the last b of the authors' 313 bins; every multiple of 10 between is one.
_B_RANGES = (
    (50, 90), (20, 90), (0, 90), (-20, 90), (-30, 100), (-40, 100), (-50, 100), (-50, 100), (-60, 100), (-70, 100),
    (-80, 90), (-80, 90), (-90, 90), (-100, 90), (-100, 80), (-110, 80), (-110, 80), (-110, 70), (-110, 70), (-90, 0),
)  # fmt: skip
_PIXELS_AT_ONCE = 16_384  # bounds the distance table: 20 MB


def authors_centres() -> Tensor:
    """The 313 bin centres, (313, 2) float32 in Lab units, in the authors' order."""
    pairs = [(-90 + 10 * i, b) for i, (low, high) in enumerate(_B_RANGES) for b in range(low, high + 1, 10)]
    return torch.tensor(pairs, dtype=torch.float32)


def grid_centres(limit: float = 110.0) -> Tensor:
    """All grid points from -limit to limit in a and b, (529, 2) float32 in Lab units by default; a then b ascending."""
    axis = torch.arange(-limit, limit + GRID / 2, GRID)
    return torch.cartesian_prod(axis, axis)


class AbBins(nn.Module):
    """Bins of the ab plane with what training and sampling a colour classifier need.

    Args:
        centres: (Q, 2) in Lab units; the authors' 313 unless given.
        neighbours: bins that share a colour in the soft encoding.
        sigma: width of its Gaussian, in Lab units.
    """

    centres: Tensor

    def __init__(self, centres: Tensor | None = None, neighbours: int = NEIGHBOURS, sigma: float = SIGMA) -> None:
        super().__init__()
        centres = authors_centres() if centres is None else centres.float()
        self.register_buffer("centres", centres, persistent=False)
        self.neighbours, self.sigma = min(neighbours, len(centres)), sigma

    def __len__(self) -> int:
        return len(self.centres)

    def _closest(self, ab: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Squared distances to the `count` closest bins of each pixel and their indices, (P, count) each."""
        centres = self.centres.float()  # a network in half precision has them in half precision too
        points = ab.detach().float().permute(0, 2, 3, 1).reshape(-1, 2)
        parts = []
        for chunk in points.split(_PIXELS_AT_ONCE):
            squares = (chunk[:, :1] - centres[:, 0]).square_() + (chunk[:, 1:] - centres[:, 1]).square_()
            parts.append(squares.topk(count, dim=1, largest=False))
        return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])

    def nearest(self, ab: Tensor) -> Tensor:
        """The bin closest to each pixel: (N, 2, H, W) chroma to (N, H, W) int64."""
        _, index = self._closest(ab, 1)
        return index.reshape(ab.shape[0], *ab.shape[2:])

    def soft_neighbours(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """The closest bins of each pixel with Gaussian weights of their distance: the soft encoding without its zeros.

        (N, 2, H, W) chroma in Lab units, inside the gamut or not, to weights, (N, neighbours, H, W) float32 that sum to
        1, and the bins' indices, of the same shape, the closest first.
        """
        squares, index = self._closest(ab, self.neighbours)
        # As a softmax: far outside the gamut the Gaussians themselves are all 0 in float32.
        weights = torch.softmax(squares / (-2 * self.sigma**2), dim=1)
        shape = (ab.shape[0], *ab.shape[2:], self.neighbours)
        return weights.reshape(shape).permute(0, 3, 1, 2), index.reshape(shape).permute(0, 3, 1, 2)

    def soft_encode(self, ab: Tensor) -> Tensor:
        """`soft_neighbours` with its zeros: (N, 2, H, W) chroma to (N, Q, H, W) float32, sums to 1 over the bins."""
        weights, index = self.soft_neighbours(ab)
        return weights.new_zeros(ab.shape[0], len(self), *ab.shape[2:]).scatter_(1, index, weights)

    def annealed_mean(self, logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
        """The first of `annealed_mean_and_chroma`."""
        return self.annealed_mean_and_chroma(logits, temperature)[0]

    def annealed_mean_and_chroma(self, logits: Tensor, temperature: float = TEMPERATURE) -> tuple[Tensor, Tensor]:
        """The mean of the bins under softmax(logits / temperature), and the mean chroma under the same distribution.

        The second is at least the length of the first; the two are equal where all probable bins share a hue.

        Args:
            logits: (N, Q, H, W).
            temperature: above 0; 1 gives the plain mean, towards 0 it is the mode, 0.38 in the paper.

        Returns:
            (N, 2, H, W) and (N, 1, H, W) float32 in Lab units, differentiable in the logits.
        """
        with torch.autocast(logits.device.type, enabled=False):
            shares = torch.softmax(logits.float() / temperature, dim=1)
            centres = self.centres.float()
            wanted = torch.cat((centres, centres.norm(dim=1, keepdim=True)), dim=1)
            both = torch.einsum("nqhw,qc->nchw", shares, wanted)
            return both[:, :2], both[:, 2:]

    def count_prior(self, photos: Iterable[Tensor]) -> Tensor:
        """How often each bin occurs in the chroma of photographs, (N, 2, H, W) each: (Q,) float64 on the CPU, sum 1."""
        counts = torch.zeros(len(self), dtype=torch.float64)
        for ab in photos:
            counts += torch.bincount(self.nearest(ab).flatten(), minlength=len(self)).cpu()
        if counts.sum() == 0:
            raise ValueError("a prior needs at least one pixel")
        return counts / counts.sum()

    def rebalancing_weights(self, prior: Tensor, lam: float = 0.5, sigma: float = SIGMA) -> Tensor:
        """Weights that make rare colours count in the loss: the inverse of a smoothed prior.

        The prior is smoothed over the gamut with a Gaussian (each bin spreads its own mass, so the sum stays 1), mixed
        with the uniform distribution, inverted, and scaled so that the weights' mean under the smoothed prior is 1.

        Args:
            prior: (Q,) frequencies, such as `count_prior` gives.
            lam: share of the uniform distribution, in (0, 1]; 1 weighs all colours alike.
            sigma: width of the Gaussian in Lab units; 0 for none.

        Returns:
            (Q,) float32 on the device of the bins; the weight of a pixel is that of its nearest bin.
        """
        centres = self.centres.double()
        smooth = prior.to(centres) / prior.sum()
        if sigma > 0:
            kernel = torch.exp(torch.cdist(centres, centres).square() / (-2 * sigma**2))
            smooth = (kernel / kernel.sum(dim=0)) @ smooth
        weights = 1 / ((1 - lam) * smooth + lam / len(self))
        return (weights / (smooth @ weights)).float()
