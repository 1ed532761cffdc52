"""`cunet`: a U-Net that stops pooling at 1/8 and looks further with dilated convolutions.

After the CU-Net of Wang, Chen and Tian: three poolings only, so that the lowest levels keep the detail of 1/8 and any
side that is a multiple of 8 fits. Of the dilated levels only their kind is known to us; their number (two), rates (2
and 4) and widths are ours, chosen so that the deepest pixel sees about what a fifth level of a U-Net sees.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.options import Width
from chromagan.models.registry import register_model
from chromagan.models.unet import AB_SCALE, PlainEncoder, UpStep, double_convolution

# Values of the source are not known to us: squared error alone, Adam.
RECIPE: dict[str, Any] = {
    "objective": "ab_mse", "adversarial_weight": 0.0, "class_weight": 0.0, "optimizer": "adam", "lr": 3e-4,
    "beta1": 0.9, "size": 224, "batch_size": 16,
}  # fmt: skip


@register_model(
    "cunet",
    title="U-Net with dilated lowest levels",
    paper="after Wang, Chen and Tian, CU-Net; widths and rates of the dilated levels are ours",
    recipe=RECIPE,
    outputs="ab at 1/1",
)
class CUNet(ColorizationNetwork):
    """Levels at 1, 1/2, 1/4 and 1/8, two dilated ones below at 1/8, and the way back with skips.

    Args:
        width: channels of the finest level; 8 times as many from 1/8 on.
    """

    stride = 8

    def __init__(self, width: Width = 64) -> None:
        super().__init__()
        self.config = {"width": width}
        deep = 8 * width
        self.encoder = PlainEncoder([width, 2 * width, 4 * width, deep])
        self.dilated_2 = double_convolution(deep, deep, dilation=2)
        self.dilated_4 = double_convolution(deep, deep, dilation=4)
        # On the way back the dilated levels need no enlargement, only their neighbour's map beside them.
        self.back_2 = double_convolution(2 * deep, deep, dilation=2)
        self.back_1 = double_convolution(2 * deep, deep)
        self.steps = nn.ModuleList(UpStep(2 * wide, wide, wide) for wide in (4 * width, 2 * width, width))
        self.to_ab = nn.Conv2d(width, 2, 1)
        nn.init.normal_(self.to_ab.weight, std=1e-3)  # starts as nearly gray

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        *skips, eighth = self.encoder(L / 50 - 1)
        level_2 = self.dilated_2(eighth)
        x = self.back_2(torch.cat((level_2, self.dilated_4(level_2)), dim=1))
        x = self.back_1(torch.cat((eighth, x), dim=1))
        for step, skip in zip(self.steps, reversed(skips), strict=True):
            x = step(x, skip)
        return Prediction(self.to_ab(x).float() * AB_SCALE)
