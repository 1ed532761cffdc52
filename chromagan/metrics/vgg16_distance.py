"""A distance in the features of a VGG16 file that the user gives: not LPIPS, and never called so.

LPIPS weighs the channels of torchvision's VGG16 by what people said; these weights fit no other VGG16. Here all
channels count alike, so the figure compares colorizers with each other under one file of weights and says nothing
beside the LPIPS of a paper. Its name carries the file that was meant: Oxford's original weights.
"""

from __future__ import annotations

import os

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from chromagan.errors import WeightsError
from chromagan.models.trunk import IMAGENET_MEAN, IMAGENET_STD, VGG16Trunk, fill_trunk

NAME = "vgg16_oxford_distance"


class Vgg16Distance(nn.Module):
    """Mean over the five blocks of the squared difference of unit-length feature vectors, averaged over pixels.

    The file is safetensors with the convolutions of VGG16 under torchvision's names, for its mean and deviation.

    Raises:
        WeightsError: it is missing or another network's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.trunk = VGG16Trunk()
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path}: no readable safetensors file ({error}); give VGG16's convolutions") from error
        fill_trunk(self.trunk, tensors, str(path))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, pictures: Tensor, truth: Tensor) -> Tensor:
        """The distance of each pair, (N,) float32 in [0, 2]: 0 for identical pictures, lower is better.

        Both are (N, 3, H, W) uint8 sRGB, sides of at least 16 pixels.
        """
        with torch.autocast(pictures.device.type, enabled=False):
            pairs = zip(self._features(pictures), self._features(truth), strict=True)
            blocks = [(x - y).square().sum(dim=1).mean(dim=(1, 2)) for x, y in pairs]
            return torch.stack(blocks).mean(dim=0)

    def _features(self, pictures: Tensor) -> list[Tensor]:
        maps = self.trunk((pictures.float() / 255 - self.mean) / self.std)
        return [x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10) for x in maps]
