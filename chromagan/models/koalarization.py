"""`koalarization`: a small encoder and decoder with the answer of a frozen classifier fused in between.

Baldassarre, Gonzalez Morin and Rodes-Guirao, "Deep Koalarization: Image Colorization using CNNs and
Inception-ResNet-v2" (2017). The classifier's 1000-vector, taken before its softmax, is repeated over the encoder's map
at 1/8.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork, Condition, Prediction, Trunk
from chromagan.models.iizuka import VectorFusion
from chromagan.models.registry import register_model
from chromagan.models.trunk import GrayInput, classifier_statistics, import_timm

_CLASSIFIER = "inception_resnet_v2"
_CLASSIFIER_SIDE = 299
_CLASSES, _EMBEDDING = 1000, 1536
_AB_SCALE = 128.0  # "scaled to [-1, 1]" is all that the paper says; ab of sRGB lie within -108 and 99
_ENCODER = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1))  # width, stride

# Adam at 0.001, batches of 100, squared error, 224 px squares of 60,000 photographs of ImageNet; the number of epochs
# is not stated: ours is 20.
RECIPE: dict[str, Any] = {
    "objective": "ab_mse", "ab_unit": _AB_SCALE, "adversarial_weight": 0.0, "class_weight": 0.0, "optimizer": "adam",
    "lr": 1e-3, "beta1": 0.9, "size": 224, "batch_size": 100, "images": 1_200_000, "warmup": 0, "decay": 0.0,
}  # fmt: skip


class FrozenClassifier(Trunk):
    """timm's Inception-ResNet-v2, never trained and always in evaluation mode.

    It answers with `channels` numbers: 1000 class scores, or with `embedding` the 1536 features below the last layer.
    """

    always_frozen = True
    name = _CLASSIFIER

    def __init__(self, embedding: bool = False) -> None:
        super().__init__()
        self.net = import_timm().create_model(_CLASSIFIER, pretrained=False, num_classes=0 if embedding else _CLASSES)
        self.gray = GrayInput(*classifier_statistics(_CLASSIFIER))
        self.channels = _EMBEDDING if embedding else _CLASSES
        self.eval().requires_grad_(False)

    def key_of(self, name: str) -> str:
        """See `Trunk`."""
        return f"net.{name}"

    @torch.no_grad()
    def forward(self, L: Tensor) -> Tensor:
        """(N, 1, H, W) in [0, 100], squeezed to 299 x 299 as in the paper, to (N, `channels`)."""
        small = F.interpolate(L, (_CLASSIFIER_SIDE, _CLASSIFIER_SIDE), mode="bilinear", antialias=True)
        return self.net(self.gray(small))

    def train(self, mode: bool = True) -> FrozenClassifier:
        """Stays in evaluation mode."""
        return super().train(False)


def _convolution(channels: int, width: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, stride, padding=1), nn.ReLU(inplace=True)]


@register_model(
    "koalarization",
    title="Encoder and decoder with a frozen Inception-ResNet-v2 fused in",
    paper="https://arxiv.org/abs/1712.03400",
    recipe=RECIPE,
    outputs="ab at 1/2",
    weights="classifier: timm's inception_resnet_v2",
)
class Koalarization(ColorizationNetwork):
    """Table 1 of the paper, up to its last layer: enlarging by nearest neighbours to full size is the caller's.

    Of 62.4 M parameters 55.8 M are the classifier's. It is part of the weights file (125 MB in half precision),
    because the network answers nothing sensible with another one: a file that needs a download beside it would not
    be whole.

    Args:
        embedding: fuse the classifier's 1536 features instead of its 1000 class scores.
    """

    stride = 8
    ab_stride = 2

    def __init__(self, embedding: bool = False) -> None:
        super().__init__()
        self.config = {"embedding": embedding}
        self.trunk = FrozenClassifier(embedding)
        layers: list[nn.Module] = []
        channels = 1
        for width, stride in _ENCODER:
            layers += _convolution(channels, width, stride)
            channels = width
        self.encoder = nn.Sequential(*layers)
        self.fusion = VectorFusion(channels, self.trunk.channels, 256)
        self.decoder = nn.Sequential(
            *_convolution(256, 128),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolution(128, 64),
            *_convolution(64, 64),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolution(64, 32),
            nn.Conv2d(32, 2, 3, padding=1),
        )

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        x = F.relu(self.fusion(self.encoder(L / 50 - 1), self.trunk(L)))
        return Prediction(torch.tanh(self.decoder(x).float()) * _AB_SCALE)
