"""The fusion of a vector with every pixel of a feature map, as Iizuka et al. (2016) introduced it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class VectorFusion(nn.Conv2d):
    """A 1x1 convolution of a map beside a vector that is repeated over the map, without the repetition.

    The part of the kernel that reads the vector gives the same answer at every pixel, so it runs once a photo.

    Args:
        map_channels: channels of the map; the kernel reads them first.
        vector_channels: length of the vector.
        out_channels: channels of the fused map.
    """

    def __init__(self, map_channels: int, vector_channels: int, out_channels: int) -> None:
        super().__init__(map_channels + vector_channels, out_channels, 1)
        self.map_channels = map_channels

    def forward(self, input: Tensor, vector: Tensor) -> Tensor:  # type: ignore[override]
        """Fuse (N, map_channels, H, W) with (N, vector_channels) to (N, out_channels, H, W)."""
        local, whole = self.weight[:, : self.map_channels], self.weight[:, self.map_channels :, 0, 0]
        return F.conv2d(input, local) + F.linear(vector, whole, self.bias)[:, :, None, None]
