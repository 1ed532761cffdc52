"""The first generator named `chromagan`: files and runs of version 0.1 are built with it.

After ChromaGAN (Vitoria, Raad and Ballester, WACV 2020), with what measurement asked for: the trunk reaches one block
deeper, its finer maps join the decoder, global features are pooled (so any size works and the 124 M parameters of the
released dense layers become half a million), and chroma is predicted at 1/4, from where a learned upsampler takes over.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.conv_norm import conv_norm_relu
from chromagan.models.options import Classes, Width
from chromagan.models.trunk import GrayInput, TimmTrunk, VGG16Trunk, classifier_statistics

AB_SCALE = 110.0


def _block(channels: int, width: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(*conv_norm_relu(channels, width, kernel))


class FirstChromaGAN(ColorizationNetwork):
    """The generator of version 0.1, by its parameter names.

    Args:
        backbone: `vgg16` (13 convolutions) or any timm backbone with feature maps at 1/4, 1/8 and 1/16.
        width: channels of the fused map; the decoder narrows to half of it at a quarter size.
        classes: outputs of the class head; 0 leaves it out, as inference files do.
        semantic: False replaces the trunk's deep features (1/16 and the global ones) by zeros: the ablation that
            shows what the semantic branch brings.
    """

    registered_as = "chromagan"
    training_only_prefixes = ("class_head.",)
    ab_stride = 4

    def __init__(
        self, backbone: str = "vgg16", width: Width = 256, classes: Classes = 1000, semantic: bool = True
    ) -> None:
        super().__init__()
        self.config = {"backbone": backbone, "width": width, "classes": classes, "semantic": semantic}
        self.semantic = semantic
        self.gray = GrayInput(*classifier_statistics(backbone))
        self.trunk = VGG16Trunk() if backbone == "vgg16" else TimmTrunk(backbone)
        taps = {stride: index for index, stride in enumerate(self.trunk.strides)}
        self._taps = [taps[4], taps[8], taps[16]]
        fine, middle, deep = (self.trunk.widths[i] for i in self._taps)
        self.stride = max(self.trunk.strides)

        half = width // 2
        self.mid_level = _block(deep, width)
        self.global_features = nn.Sequential(nn.Linear(deep, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.class_head = nn.Linear(deep, classes) if classes else None
        self.fusion = _block(2 * width, width, kernel=1)
        self.lateral_8 = _block(middle, width, kernel=1)
        self.decode_8 = _block(2 * width, width)
        self.lateral_4 = _block(fine, half, kernel=1)
        self.decode_4 = nn.Sequential(_block(width + half, half), _block(half, half))
        self.to_ab = nn.Conv2d(half, 2, 3, padding=1)
        nn.init.normal_(self.to_ab.weight, std=1e-3)  # starts as nearly gray

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        maps = self.trunk(self.gray(L))
        fine, middle, deep = (maps[i] for i in self._taps)
        if not self.semantic:
            deep = torch.zeros_like(deep)
        pooled = deep.mean(dim=(2, 3))
        mid = self.mid_level(deep)
        whole = self.global_features(pooled)[:, :, None, None].expand(-1, -1, *mid.shape[-2:])
        x = self.fusion(torch.cat((mid, whole.to(mid.dtype)), dim=1))
        x = F.interpolate(x, size=middle.shape[-2:], mode="nearest")
        x = self.decode_8(torch.cat((x, self.lateral_8(middle)), dim=1))
        x = F.interpolate(x, size=fine.shape[-2:], mode="nearest")
        x = self.decode_4(torch.cat((x, self.lateral_4(fine)), dim=1))
        ab = self.to_ab(x).float() * AB_SCALE
        classes = None if self.class_head is None else self.class_head(pooled)
        return Prediction(ab, class_logits=classes, features=None if self.training else deep)
