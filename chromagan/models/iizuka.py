"""`iizuka`: local and global features of one photo, fused, with a classifier trained beside the colours.

Iizuka, Simo-Serra and Ishikawa, "Let there be Color!: Joint End-to-end Learning of Global and Local Image Priors for
Automatic Image Colorization with Simultaneous Classification" (SIGGRAPH 2016).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.conv_norm import conv_norm_relu
from chromagan.models.options import Classes
from chromagan.models.registry import register_model

GLOBAL_SIDE = 224
_AB_RANGE = 220.0  # the paper scales ab to [0, 1] and does not say from what: from [-110, 110]
_LOW_LEVEL = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1))  # width, stride
_GLOBAL = ((512, 2), (512, 1), (512, 2), (512, 1))
_MID_LEVEL = ((512, 1), (256, 1))

# Batches of 128 squares of 224 px, 200,000 steps, squared error of ab in [0, 1] and 1/300 of the cross-entropy of
# classes. The paper's labels are those of Places and its optimiser is ADADELTA; ours are a teacher's probabilities and
# Adam, at a rate that is ours.
RECIPE: dict[str, Any] = {
    "objective": "ab_mse", "ab_unit": _AB_RANGE, "adversarial_weight": 0.0, "class_weight": 1 / 300,
    "optimizer": "adam", "lr": 1e-3, "beta1": 0.9, "size": GLOBAL_SIDE, "batch_size": 128, "images": 25_600_000,
    "warmup": 0, "decay": 0.0,
}  # fmt: skip


class VectorFusion(nn.Conv2d):
    """A 1x1 convolution of a map beside a vector that is repeated over the map, without the repetition.

    The kernel reads the map first. What it makes of the vector is the same at every pixel, so it runs once a photo.
    """

    def __init__(self, map_channels: int, vector_channels: int, out_channels: int) -> None:
        super().__init__(map_channels + vector_channels, out_channels, 1)
        self.map_channels = map_channels

    def forward(self, input: Tensor, vector: Tensor) -> Tensor:  # type: ignore[override]
        """Fuse (N, map_channels, H, W) with (N, vector_channels) to (N, out_channels, H, W)."""
        local, whole = self.weight[:, : self.map_channels], self.weight[:, self.map_channels :, 0, 0]
        return F.conv2d(input, local) + F.linear(vector, whole, self.bias)[:, :, None, None]


def _convolutions(channels: int, layers: tuple[tuple[int, int], ...]) -> nn.Sequential:
    """3x3 convolutions, each with batch norm ("throughout") and ReLU; `layers` of (width, stride)."""
    modules: list[nn.Module] = []
    for width, stride in layers:
        modules += conv_norm_relu(channels, width, stride=stride)
        channels = width
    return nn.Sequential(*modules)


@register_model(
    "iizuka",
    title="Low, mid and global features, fused, with classification",
    paper="https://doi.org/10.1145/2897824.2925974",
    recipe=RECIPE,
    outputs="ab at 1/2; classes in training",
)
class Iizuka(ColorizationNetwork):
    """Low-level features feed a mid-level and a global network; both are fused at 1/8 and decoded to ab at 1/2.

    The global network has dense layers, so it sees the photo resized to 224 x 224, through the same low-level layers,
    whatever the photo's size; a photo of that size passes them once, as in the paper's training.

    Args:
        classes: outputs of the class head; 0 leaves it out, as inference files do.
    """

    training_only_prefixes = ("class_head.",)
    stride = 8
    ab_stride = 2

    def __init__(self, classes: Classes = 1000) -> None:
        super().__init__()
        self.config = {"classes": classes}
        self.low_level = _convolutions(1, _LOW_LEVEL)
        self.mid_level = _convolutions(512, _MID_LEVEL)
        self.global_features = _convolutions(512, _GLOBAL)
        side = GLOBAL_SIDE // 32
        self.global_512 = nn.Sequential(
            nn.Linear(512 * side**2, 1024), nn.ReLU(inplace=True), nn.Linear(1024, 512), nn.ReLU(inplace=True)
        )
        self.global_256 = nn.Sequential(nn.Linear(512, 256), nn.ReLU(inplace=True))
        self.class_head: nn.Sequential | None = None
        if classes:
            self.class_head = nn.Sequential(nn.Linear(512, 256), nn.ReLU(inplace=True), nn.Linear(256, classes))
        self.fusion = VectorFusion(256, 256, 256)
        self.colorization = nn.Sequential(
            *_convolutions(256, ((128, 1),)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolutions(128, ((64, 1), (64, 1))),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolutions(64, ((32, 1),)),
            nn.Conv2d(32, 2, 3, padding=1),
        )

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        low = self.low_level(L / 100)
        vector = self.global_512(self.global_features(self._low_level_224(L, low)).flatten(1))
        x = F.relu(self.fusion(self.mid_level(low), self.global_256(vector)))
        # The sigmoid in float32: near 0.5 one step of bfloat16 would be 0.9 Lab units.
        ab = (torch.sigmoid(self.colorization(x).float()) - 0.5) * _AB_RANGE
        return Prediction(ab, class_logits=None if self.class_head is None else self.class_head(vector))

    def _low_level_224(self, L: Tensor, low: Tensor) -> Tensor:
        """Low-level features (N, 512, 28, 28) of the photo at 224 x 224; `low` itself where it has that size."""
        size = (L.shape[-2], L.shape[-1])
        # In an exported graph the sides are symbols, not numbers.
        if all(isinstance(side, int) for side in size) and size == (GLOBAL_SIDE, GLOBAL_SIDE):
            return low
        small = F.interpolate(L, (GLOBAL_SIDE, GLOBAL_SIDE), mode="bilinear", antialias=True)
        return self.low_level(small / 100)
