"""`siggraph17`: colorization that a person can guide (Zhang et al., SIGGRAPH 2017).

After "Real-Time User-Guided Image Colorization with Learned Deep Priors". A U-Net that takes, beside the lightness,
sparse colours and a mask that says where they are (local hints), and, if it is built for that, the colour histogram and
the saturation of the whole photo (global hints). Without hints it colorizes by itself. Those of training are simulated,
see `chromagan.conditioning.simulate`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chromagan.color.ab_bins import AbBins, authors_centres, grid_centres
from chromagan.conditioning.condition import GlobalHints
from chromagan.errors import ModelError
from chromagan.models.contract import ColorizationNetwork, Condition, Prediction, Published
from chromagan.models.eccv16 import AB_SCALE, conv_block, initialise, normalised_lightness
from chromagan.models.registry import register_model

PAPER = "https://arxiv.org/abs/1705.02999"
# The authors learn classes first, at 1e-4 over 15 epochs of ImageNet, then colours with hints at 1e-5 and 1e-6 over 10
# and 5: one stage here, the rates as steps. The Huber loss turns linear at 1 Lab unit. No trunk, teacher or adversary.
RECIPE = {
    "objective": "ab_huber", "hints": True, "size": 176, "smallest_crop": 176 / 256, "batch_size": 25,
    "images": 38_435_010, "optimizer": "adam", "lr": 1e-4, "beta1": 0.9, "ab_unit": 1.0, "schedule": "steps",
    "warmup": 0, "ema": 0.0, "adversarial_weight": 0.0, "class_weight": 0.0,
}  # fmt: skip
PUBLISHED = Published(
    config={"global_hints": False},
    url="https://colorizers.s3.us-east-2.amazonaws.com/siggraph17-df00044c.pth",
    licence="BSD-2-Clause",
)

_GLOBAL_WIDTH = 512


def _rise_and_shortcut(below: int, skipped: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
    """What enlarges the map from below, and what brings the skipped one to the same width."""
    rise = nn.ConvTranspose2d(below, width, 4, stride=2, padding=1)
    return nn.Sequential(rise), nn.Sequential(nn.Conv2d(skipped, width, 3, padding=1))


class GlobalHintsBranch(nn.Module):
    """Four 1x1 convolutions over a photo's statistics, each with ReLU and batch norm; its answer joins every pixel.

    In training a batch needs two photos or more, as batch norm over single values does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bins = len(authors_centres())
        layers: list[nn.Module] = []
        width = self.bins + 3  # the histogram, the saturation, and for each whether it is given
        for _ in range(4):
            layers += [nn.Conv2d(width, _GLOBAL_WIDTH, 1), nn.ReLU(inplace=True), nn.BatchNorm2d(_GLOBAL_WIDTH)]
            width = _GLOBAL_WIDTH
        self.layers = nn.Sequential(*layers)

    def forward(self, hints: GlobalHints | None, like: Tensor) -> Tensor:
        """Statistics to features (N, 512, 1, 1), those of an unknown photo for None; `like` (N, ...) has their type."""
        statistics = like.new_zeros(like.shape[0], self.bins + 3)
        if hints is not None:
            shapes = tuple(tuple(t.shape[1:]) for t in (hints.histogram, hints.saturation, hints.given))
            if shapes != ((self.bins,), (1,), (2,)):
                raise ModelError(f"siggraph17: global hints of shapes {shapes}; give (N, {self.bins}), (N, 1), (N, 2)")
            known, given = torch.cat((hints.histogram, hints.saturation), dim=1).to(like), hints.given.to(like)
            reveal = torch.cat((given[:, :1].expand(-1, self.bins), given[:, 1:]), dim=1)
            statistics = torch.cat((known * reveal, given), dim=1)
        return self.layers(statistics[:, :, None, None])


@register_model(
    "siggraph17",
    title="U-Net guided by colours that a person gives",
    paper=PAPER,
    recipe=RECIPE,
    outputs="ab at full size; 529 bins at 1/4 in training; takes hints",
    licence=f"Apache-2.0; the authors' weights: {PUBLISHED.licence}",
    weights=PUBLISHED.url,
)
class Siggraph17(ColorizationNetwork):
    """The network of 2017: 34,187,027 parameters, by the names of the authors' PyTorch release.

    Hints enter as they are: ab / 110 and the mask. The colour under a mask of 0 should be 0, as the authors have it.

    Args:
        global_hints: add the branch for `Condition.overall`, 954,368 parameters; the release has none.

    Attributes:
        bins_in_eval: also predict the 529 bins outside training: which colours a pixel may have, at a little cost.
    """

    stride = 8
    bin_stride = 4
    accepts = frozenset({"local"})
    published = PUBLISHED

    def __init__(self, global_hints: bool = False) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"global_hints": global_hints}
        self.bins, self.bins_in_eval = AbBins(grid_centres()), False
        self.model1 = conv_block((4, 64, 64))
        self.model2 = conv_block((64, 128, 128))
        self.model3 = conv_block((128, 256, 256, 256))
        self.model4 = conv_block((256, 512, 512, 512))
        self.model5 = conv_block((512, 512, 512, 512), dilation=2)
        self.model6 = conv_block((512, 512, 512, 512), dilation=2)
        self.model7 = conv_block((512, 512, 512, 512))
        self.model8up, self.model3short8 = _rise_and_shortcut(512, 256, 256)
        self.model8 = conv_block((256, 256, 256), rectify_first=True)
        self.model9up, self.model2short9 = _rise_and_shortcut(256, 128, 128)
        self.model9 = conv_block((128, 128), rectify_first=True)
        self.model10up, self.model1short10 = _rise_and_shortcut(128, 64, 128)
        self.model10 = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(128, 128, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)
        )
        self.model_class = nn.Sequential(nn.Conv2d(256, len(self.bins), 1))
        to_ab = nn.Conv2d(128, 2, 1)
        self.model_out = nn.Sequential(to_ab, nn.Tanh())
        self.global_branch = GlobalHintsBranch() if global_hints else None
        if global_hints:
            self.accepts = frozenset({"local", "overall"})
        initialise(self)
        nn.init.normal_(to_ab.weight, std=1e-3)  # starts as nearly gray, where tanh is not saturated

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        lightness, hints = normalised_lightness(L), condition.local
        shown: tuple[Tensor, ...] = (lightness.new_zeros(L.shape[0], 3, *L.shape[2:]),)
        if hints is not None:
            shown = (hints.ab.to(lightness) / AB_SCALE, hints.mask.to(lightness))
        full = self.model1(torch.cat((lightness, *shown), dim=1))
        half = self.model2(full[:, :, ::2, ::2])
        quarter = self.model3(half[:, :, ::2, ::2])
        eighth = self.model4(quarter[:, :, ::2, ::2])
        if self.global_branch is not None:
            eighth = eighth + self.global_branch(condition.overall, eighth)
        eighth = self.model7(self.model6(self.model5(eighth)))
        quarter = self.model8(self.model8up(eighth) + self.model3short8(quarter))
        bin_logits = self.model_class(quarter) if self.training or self.bins_in_eval else None
        half = self.model9(self.model9up(quarter) + self.model2short9(half))
        full = self.model10(self.model10up(half) + self.model1short10(full))
        return Prediction(self.model_out(full).float() * AB_SCALE, bin_logits=bin_logits)
