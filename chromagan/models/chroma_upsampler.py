"""The learned x2 step that enlarges ab under the guidance of the photograph's own L.

A joint upsampler in the manner of Li et al., "Deep Joint Image Filtering" (ECCV 2016), cut down to a few thousand
weights: L is folded 2 x 2 into channels (Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016), so that every convolution runs at the low resolution. The
same weights serve every octave.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.compute.precision import has_fast_bfloat16
from chromagan.models.options import Width, Within, built

_LAB_SCALE = 10.0  # Lab units: local differences of so many are 1 inside the network
_WINDOW = 5


class ChromaUpsampler(nn.Module):
    """One x2 step of ab, guided by L at the doubled size.

    What holds for any weights, by design:

    - The mean of every 2 x 2 block of the answer is the ab that it came from: the step moves colour within a block and
      invents none (both the interpolation and the learned residual have mean zero over the block's four pixels).
    - Where ab is locally constant the answer is that constant: the residual is gated by the local spread of ab. A gray
      photo stays gray.
    - Before training the residual is zero: bilinear interpolation with each block's mean restored.

    The network sees ab and L less their means over 5 x 5 low-resolution pixels, and that mean of L, since the range of
    chroma depends on it. The hidden convolutions run in bfloat16 on a CPU that multiplies it in hardware, in float32
    elsewhere, or everywhere if `precise` is set.

    Args:
        width: channels of the hidden 3 x 3 convolutions; multiples of 16 are fastest.
        depth: number of hidden convolutions after the first.
    """

    base: Tensor
    precise = False

    def __init__(self, width: Width = 32, depth: Annotated[int, Within(0, 64)] = 3) -> None:
        super().__init__()
        self.config = {"width": width, "depth": depth}
        self.head = nn.Conv2d(7, width, 3)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3) for _ in range(depth))
        self.tail = nn.Conv2d(width, 8, 3)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]
        self.register_buffer("base", _bilinear_with_block_means(), persistent=False)

    def forward(self, ab: Tensor, L: Tensor) -> Tensor:
        """Enlarge ab (N, 2, h, w) in Lab units, of any size from 1 x 1, to that of L (N, 1, 2h, 2w) in [0, 100].

        Returns:
            (N, 2, 2h, 2w) float32 in Lab units.
        """
        with torch.autocast(ab.device.type, enabled=False):  # ab itself must not be rounded to half precision
            return self._enlarge(ab.float(), L.float())

    def _enlarge(self, ab: Tensor, L: Tensor) -> Tensor:
        reach = len(self.body) + 2  # low-resolution pixels that the convolutions eat at each border
        border = reach + _WINDOW // 2
        both = F.pad(torch.cat((ab, F.pixel_unshuffle(L, 2)), 1), (border,) * 4, mode="replicate")
        mean = _window_mean(both, _WINDOW)
        both = _crop(both, _WINDOW // 2)
        L_mean = mean[:, 2:].mean(1, keepdim=True)
        ab_local, L_local = both[:, :2] - mean[:, :2], both[:, 2:] - L_mean
        seen = torch.cat((ab_local / _LAB_SCALE, L_local / _LAB_SCALE, L_mean / 50 - 1), 1)

        spread = _window_mean(_crop(ab_local, reach - 1).abs().sum(1, keepdim=True), 3)
        gate = _LAB_SCALE * spread / (spread + 2)
        interpolated = F.conv2d(_crop(both[:, :2], reach - 1), self.base)
        return F.pixel_shuffle(interpolated + self._residual(seen) * gate, 2)

    def _residual(self, seen: Tensor) -> Tensor:
        """(N, 7, h + 2 reach, w + 2 reach) to (N, 8, h, w) float32: four pixels for a, then four for b, of mean 0."""
        weight, bias = _less_block_mean(self.tail.weight), _less_block_mean(self.tail.bias)  # type: ignore[arg-type]
        half = not self.precise and seen.device.type == "cpu" and has_fast_bfloat16(seen.device)
        with torch.autocast(seen.device.type, torch.bfloat16, enabled=half):
            # In place: half of the time would go into fresh memory otherwise.
            hidden = F.relu_(self.head(seen.contiguous(memory_format=torch.channels_last)))
            for layer in self.body:
                hidden = F.relu_(layer(hidden))
            return F.conv2d(hidden, weight, bias).float()


def build_upsampler(config: dict[str, Any]) -> ChromaUpsampler:
    """Build the step from `ChromaUpsampler.config`; `ModelError` for a configuration that it does not take."""
    return built(ChromaUpsampler, config, "the chroma upsampler")


def _bilinear_with_block_means() -> Tensor:
    """(8, 2, 3, 3) kernel: x2 bilinear enlargement, each 2 x 2 block shifted to the mean that it came from."""
    # On the CPU, an outline's too: the first arithmetic on the meta device costs seconds.
    taps = torch.tensor(((0.25, 0.75, 0.0), (0.0, 0.75, 0.25)), device="cpu")  # left and right pixel of a doubled one
    phases = torch.einsum("iy,jx->ijyx", taps, taps).flatten(0, 1)
    phases = phases - phases.mean(0)
    phases[:, 1, 1] += 1
    kernel = torch.zeros(2, 4, 2, 3, 3, device="cpu")
    kernel[0, :, 0] = kernel[1, :, 1] = phases
    return kernel.flatten(0, 1)


def _less_block_mean(parameter: Tensor) -> Tensor:
    """Take the mean over the four pixels of a block from a parameter whose first dimension is (a, b) x 4 pixels."""
    blocks = parameter.unflatten(0, (2, 4))
    return (blocks - blocks.mean(1, keepdim=True)).flatten(0, 1)


def _window_mean(image: Tensor, window: int) -> Tensor:
    """Mean over window x window pixels, without borders: a sum of shifted images, faster than PyTorch's pooling."""
    height, width = (side - window + 1 for side in image.shape[-2:])
    rows = sum((image[..., i : i + height, :] for i in range(1, window)), start=image[..., :height, :])
    columns = sum((rows[..., i : i + width] for i in range(1, window)), start=rows[..., :width])
    return columns / window**2


def _crop(image: Tensor, border: int) -> Tensor:
    """Take `border` pixels, at least one, off at every side."""
    return image[..., border:-border, border:-border]
