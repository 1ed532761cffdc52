"""The PatchGAN critic of ChromaGAN (Vitoria, Raad and Ballester, WACV 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.keras_layers import SameConv2d, keras_initialise


class PatchCritic(nn.Module):
    """Scores patches of a colorization; no normalisation, since the gradient penalty is taken sample by sample.

    Convolutions 4 x 4 with `widths` channels, stride 2 but for the last of them, and one more to a single channel;
    TensorFlow's "same" padding (1 and 1 at stride 2, 1 and 2 at stride 1), LeakyReLU of slope 0.3, Glorot-uniform
    kernels, zero bias. With the default widths 2.76 M parameters; 224 x 224 gives a map of 28 x 28 scores.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__()
        channels = (3, *widths, 1)
        self.convolutions = nn.ModuleList(
            SameConv2d(channels[i], channels[i + 1], 4, stride=2 if i < len(widths) - 1 else 1)
            for i in range(len(channels) - 1)
        )
        keras_initialise(self)

    def forward(self, L: Tensor, ab: Tensor) -> Tensor:
        """Score the patches of L (N, 1, H, W) in [0, 100] and ab (N, 2, H, W) in Lab units.

        ab is scaled inside to OpenCV's 8-bit values over 255, as the paper's critic sees them.

        Returns:
            (N, 1, h, w) scores, h = ceil(H / 8) with the default widths; high for what looks real.
        """
        x = torch.cat((L / 100, (ab + 128) / 255), dim=1)
        for convolution in self.convolutions[:-1]:
            x = F.leaky_relu(convolution(x), 0.3)
        return self.convolutions[-1](x)
