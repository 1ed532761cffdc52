"""The network of ChromaGAN (Vitoria, Raad and Ballester, WACV 2020), as the authors' Keras program defines it.

One VGG16 trunk feeds three branches: global features that end in a vector, the class head on the same features, and
mid-level features. Vector and mid-level map are fused and decoded to chrominance at half the input's size, which
nearest neighbours bring to full size. The input is fixed at 224 x 224, because dense layers read the flattened map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.keras_layers import SameConv2d, keras_batch_norm, keras_initialise
from chromagan.models.options import Classes
from chromagan.models.registry import register_model
from chromagan.models.trunk import VGG16Trunk

INPUT_SIDE = 224
_TRUNK_SIDE, _GLOBAL_SIDE = 28, 7
_TRUNK_BLOCKS = 4

PAPER = "https://arxiv.org/abs/1907.09837"
# By the names of the training configuration's fields. 6,405,835 photographs are five epochs of ImageNet; the penalty
# bounds the sum of the patch scores, the critic steps after the generator, and the teacher sees lightness as it is.
RECIPE = {
    "size": INPUT_SIDE, "smallest_crop": 1.0, "batch_size": 10, "images": 6_405_835, "warmup": 0, "decay": 0.0,
    "lr": 2e-5, "critic_lr": 2e-5, "beta1": 0.5, "critic_beta1": 0.5, "trunk_lr": 1.0, "trunk_frozen": 0,
    "chroma_weight": 1.0, "adversarial_weight": 0.1, "class_weight": 0.003, "gradient_penalty": 10.0,
    "penalty_on": "sum", "ab_unit": 255.0, "refresh_fakes": True, "teacher": "vgg16", "teacher_gray": True,
    "teacher_raw_lightness": True, "ema": 0.0, "precision": "float32",
}  # fmt: skip


def _normalised(in_channels: int, out_channels: int, stride: int = 1) -> list[nn.Module]:
    """3x3 convolution, ReLU, then batch norm: the authors normalise after the activation."""
    return [SameConv2d(in_channels, out_channels, 3, stride), nn.ReLU(inplace=True), keras_batch_norm(out_channels)]


class _FullSigmoid(nn.Sigmoid):
    """In float32 under any autocast: near 1/2, where gray lies, bfloat16 moves ab in steps of one Lab unit."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.sigmoid(input.float())


@register_model(
    "chromagan_paper",
    title="ChromaGAN as published, layer by layer",
    paper=PAPER,
    recipe=RECIPE,
    outputs="ab at full size, from 112 x 112; classes in training",
)
class ChromaganPaper(ColorizationNetwork):
    """The generator of the 2020 paper: 171,166,090 parameters, 47,523,234 without the class head; starts as Keras does.

    The trunk sees L / 100 three times, as in the release: not the mean and scale that VGG16 was trained with. Lightness
    of another size is reduced with antialiasing (or enlarged) to 224 x 224 inside, which squashes a photo that is not
    square, and ab is brought back to the input's size bilinearly, as at the authors' test time. At 224 x 224 nothing
    is resized.

    Args:
        classes: classes of the teacher; 0 leaves the class head out, for inference.
    """

    training_only_prefixes = ("class_head.",)

    def __init__(self, classes: Classes = 1000) -> None:
        super().__init__()
        self.config = {"classes": classes}
        flat = 512 * _GLOBAL_SIDE**2
        self.trunk = VGG16Trunk(_TRUNK_BLOCKS)
        self.global_features = nn.Sequential(
            *_normalised(512, 512, stride=2), *_normalised(512, 512),
            *_normalised(512, 512, stride=2), *_normalised(512, 512),
        )  # fmt: skip
        # Linear in the release: no activation between the dense layers, here and in the class head.
        self.global_vector = nn.Sequential(nn.Linear(flat, 1024), nn.Linear(1024, 512), nn.Linear(512, 256))
        self.class_head: nn.Sequential | None = None
        if classes:
            self.class_head = nn.Sequential(nn.Linear(flat, 4096), nn.Linear(4096, 4096), nn.Linear(4096, classes))
        self.mid_features = nn.Sequential(*_normalised(512, 512), *_normalised(512, 256))
        # From the fused 512 x 28 x 28 map to two channels in [0, 1] at 224 x 224.
        self.decoder = nn.Sequential(
            SameConv2d(512, 256, 1), nn.ReLU(inplace=True),
            SameConv2d(256, 128, 3), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2, mode="nearest"),
            SameConv2d(128, 64, 3), nn.ReLU(inplace=True),
            SameConv2d(64, 64, 3), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2, mode="nearest"),
            SameConv2d(64, 32, 3), nn.ReLU(inplace=True),
            SameConv2d(32, 2, 3), _FullSigmoid(), nn.Upsample(scale_factor=2, mode="nearest"),
        )  # fmt: skip
        keras_initialise(self)

    def predict_released(self, lightness: Tensor) -> tuple[Tensor, Tensor | None]:
        """The network in the units of the release.

        Args:
            lightness: (N, 1, 224, 224) in [0, 1].

        Returns:
            (N, 2, 224, 224) in [0, 1], OpenCV's 8-bit a and b over 255; and the class logits (N, classes), before the
            softmax, or None without a class head.
        """
        trunk = self.trunk(lightness.expand(-1, 3, -1, -1))[-1]
        # Rows, columns, channels: Keras' order of flattening, so that its dense kernels fit by transposition alone.
        flat = self.global_features(trunk).permute(0, 2, 3, 1).flatten(1)
        vector = self.global_vector(flat)[:, :, None, None].expand(-1, -1, _TRUNK_SIDE, _TRUNK_SIDE)
        released = self.decoder(torch.cat((self.mid_features(trunk), vector), dim=1))
        return released, None if self.class_head is None else self.class_head(flat)

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """Lightness (N, 1, H, W) in [0, 100] of any size to ab at the same size."""
        size = (L.shape[-2], L.shape[-1])
        fixed = (INPUT_SIDE, INPUT_SIDE)
        # In an exported graph the sides are symbols, not numbers; at 224 x 224 both resizings change nothing.
        resized = not all(isinstance(side, int) for side in size) or size != fixed
        if resized:
            L = F.interpolate(L, fixed, mode="bilinear", antialias=True)
        released, class_logits = self.predict_released(L / 100)
        ab = released.float() * 255 - 128
        if resized:
            ab = F.interpolate(ab, size, mode="bilinear", antialias=True)
        return Prediction(ab, class_logits=class_logits)
