"""`eccv16`: colour as a class of each pixel (Zhang, Isola and Efros, "Colorful Image Colorization", ECCV 2016).

Eight blocks of convolutions without pooling end in logits over 313 bins of the ab plane at a quarter of the input's
size. The network learns them by a class-rebalanced cross-entropy (`chromagan.losses.bins`); how they become one colour
a pixel is a separate choice, `decode`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.color.ab_bins import TEMPERATURE, AbBins
from chromagan.models.contract import ColorizationNetwork, Condition, Prediction, Published
from chromagan.models.options import Within
from chromagan.models.registry import register_model

L_CENTRE, L_SCALE, AB_SCALE = 50.0, 100.0, 110.0

PAPER = "https://arxiv.org/abs/1603.08511"
# Adam with beta2 0.99 there, 0.999 here. The rate falls to 1e-5 and 3e-6 at 200,000 and 375,000 of 450,000 steps. Crops
# of 176 come from photos of 256 pixels. No trunk, teacher or adversary.
RECIPE = {
    "objective": "ab_bins", "rebalance": True, "size": 176, "smallest_crop": 176 / 256, "batch_size": 40,
    "images": 18_000_000, "optimizer": "adam", "lr": 3e-5, "beta1": 0.9, "weight_decay": 1e-3, "schedule": "steps",
    "rate_steps": ["0.4444:0.3333", "0.8333:0.1"], "warmup": 0, "ema": 0.0, "adversarial_weight": 0.0,
    "class_weight": 0.0,
}  # fmt: skip
PUBLISHED = Published(
    config={"decode": "release"},
    url="https://colorizers.s3.us-east-2.amazonaws.com/colorization_release_v2-9b330a0b.pth",
    licence="BSD-2-Clause",
)


def normalised_lightness(L: Tensor) -> Tensor:
    """L in [0, 100] as both networks of these authors see it: -0.5 to 0.5."""
    return (L - L_CENTRE) / L_SCALE


def conv_block(widths: Sequence[int], stride: int = 1, dilation: int = 1, rectify_first: bool = False) -> nn.Sequential:
    """3x3 convolutions, each with its ReLU, then one batch norm.

    Args:
        widths: channels before the first and after each convolution.
        stride: of the last convolution.
        dilation: of all convolutions.
        rectify_first: begin with a ReLU, where the block takes a sum.
    """
    layers: list[nn.Module] = [nn.ReLU(inplace=True)] if rectify_first else []
    last = len(widths) - 2
    for i, (before, after) in enumerate(pairwise(widths)):
        step = stride if i == last else 1
        layers += [nn.Conv2d(before, after, 3, step, dilation, dilation), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.BatchNorm2d(widths[-1]))


def initialise(network: nn.Module) -> None:
    """He-normal kernels and zero biases: the signal keeps its size over the rectified layers between two batch norms.

    The authors start from k-means of the data instead, or from an earlier network.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@register_model(
    "eccv16",
    title="Colour as one of 313 bins, rare colours weighed up",
    paper=PAPER,
    recipe=RECIPE,
    outputs="ab at 1/4 (full size with decode=release); 313 bins at 1/4",
    licence=f"Apache-2.0; the authors' weights: {PUBLISHED.licence}",
    weights=PUBLISHED.url,
)
class Eccv16(ColorizationNetwork):
    """The network of 2016: 32,236,011 parameters, by the names of the authors' PyTorch release.

    Args:
        decode: how the logits become ab.

            - `annealed_mean`, the paper's and the default for training: the mean of the bins under
              softmax(logits / temperature), at a quarter of the input's size. `model_out` then holds the centres of the
              bins and is not trained.
            - `release`, what weights published by the authors are loaded with: a plain softmax, `model_out` as it
              was published, and enlargement by 4, bilinearly.
        temperature: of the annealed mean; 1 is the plain mean, towards 0 it is the mode.
    """

    stride = 8
    bin_stride = 4
    published = PUBLISHED

    def __init__(
        self,
        decode: Literal["annealed_mean", "release"] = "annealed_mean",
        temperature: Annotated[float, Within(0.001, 100)] = TEMPERATURE,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"decode": decode, "temperature": temperature}
        self.decode, self.temperature = decode, temperature
        self.ab_stride = 1 if decode == "release" else 4
        self.bins = AbBins()
        self.model1 = conv_block((1, 64, 64), stride=2)
        self.model2 = conv_block((64, 128, 128), stride=2)
        self.model3 = conv_block((128, 256, 256, 256), stride=2)
        self.model4 = conv_block((256, 512, 512, 512))
        self.model5 = conv_block((512, 512, 512, 512), dilation=2)
        self.model6 = conv_block((512, 512, 512, 512), dilation=2)
        self.model7 = conv_block((512, 512, 512, 512))
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(512, 256, 4, stride=2, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(256, len(self.bins), 1),
        )  # fmt: skip
        self.model_out = nn.Conv2d(len(self.bins), 2, 1, bias=False)
        initialise(self)
        with torch.no_grad():
            self.model_out.weight.copy_(self.bins.centres.T[:, :, None, None] / AB_SCALE)
        self.model_out.requires_grad_(decode == "release")

    def _ab(self, bin_logits: Tensor) -> Tensor:
        """Logits (N, 313, h, w) to ab in Lab units, float32."""
        with torch.autocast(bin_logits.device.type, enabled=False):
            released = self.decode == "release"
            shares = torch.softmax(bin_logits.float() / (1.0 if released else self.temperature), dim=1)
            ab = F.conv2d(shares, self.model_out.weight.float())
            if released:
                ab = F.interpolate(ab, scale_factor=4, mode="bilinear", align_corners=False)
            return ab * AB_SCALE

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        x = normalised_lightness(L)
        for block in (self.model1, self.model2, self.model3, self.model4, self.model5, self.model6, self.model7):
            x = block(x)
        bin_logits = self.model8(x)
        return Prediction(self._ab(bin_logits), bin_logits=bin_logits)
