"""`residual_vgg19`: VGG19 read backwards, with sums in place of concatenations.

After the residual encoder of Dahl, "Automatic Colorization" (2016, http://tinyclouds.org/colorize/), in the variant of
the TensorFlow ports: VGG19 up to relu5_4 in place of VGG16's hypercolumn, and transposed convolutions whose answers are
added to pool4 and then to pool3, with no non-linearity after them.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.registry import register_model
from chromagan.models.trunk import GrayInput, VGG19Trunk

_AB_SCALE = 100.0  # the ports divide by 100 in the loss

# Those of a TensorFlow port: Adam at 1e-4, batches of 16 photographs of 128 px, 100,000 steps of squared error of
# ab / 100 with the whole of VGG trained; the rate is halved every 10,000 steps.
RECIPE: dict[str, Any] = {
    "objective": "ab_mse", "ab_unit": _AB_SCALE, "adversarial_weight": 0.0, "class_weight": 0.0, "optimizer": "adam",
    "lr": 1e-4, "beta1": 0.9, "size": 128, "batch_size": 16, "images": 1_600_000, "warmup": 0, "schedule": "steps",
    "rate_steps": [f"0.{tenth}:{0.5**tenth}" for tenth in range(1, 10)], "trunk_lr": 1.0, "trunk_frozen": 0,
}  # fmt: skip


@register_model(
    "residual_vgg19",
    title="VGG19 with sums of transposed convolutions",
    paper="after Dahl, Automatic Colorization, 2016, http://tinyclouds.org/colorize/",
    recipe=RECIPE,
    outputs="ab at 1/4",
    weights="trunk: torchvision's or timm's vgg19",
)
class ResidualVGG19(ColorizationNetwork):
    """relu5_4 at 1/16, plus pool4 at 1/16, plus pool3 at 1/8, then ab at 1/4; all steps but VGG's own are linear."""

    stride = 16
    ab_stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.gray = GrayInput()
        self.trunk = VGG19Trunk()
        *_, third, fourth, fifth = self.trunk.widths
        self.to_pool4 = nn.ConvTranspose2d(fifth, fourth, 3, padding=1)  # relu5_4 and pool4 have one size
        self.to_pool3 = nn.ConvTranspose2d(fourth, third, 3, stride=2, padding=1, output_padding=1)
        self.to_ab = nn.ConvTranspose2d(third, 2, 3, stride=2, padding=1, output_padding=1)
        nn.init.normal_(self.to_ab.weight, std=1e-3)  # starts as nearly gray

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        *_, block3, block4, relu5_4 = self.trunk(self.gray(L))
        x = self.to_pool4(relu5_4) + F.max_pool2d(block4, 2)
        x = self.to_pool3(x) + F.max_pool2d(block3, 2)
        return Prediction(self.to_ab(x).float() * _AB_SCALE)
