"""`unet`, `densenet_unet`, `mobilenet_unet`: one decoder with skips over a plain encoder or over any of timm's.

The plain network is the U-Net of Ronneberger, Fischer and Brox ("U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015), with padded convolutions, so that the answer has the photo's size, and batch norm, which
the paper predates. The pretrained encoders are those that the DeepColor comparison sets beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.conv_norm import conv_norm_relu
from chromagan.models.options import Width
from chromagan.models.registry import register_model
from chromagan.models.trunk import GrayInput, TimmTrunk, classifier_statistics

AB_SCALE = 110.0
_PAPER = "https://arxiv.org/abs/1505.04597"
_COARSEST_AB = 4  # an encoder whose finest map is coarser is decoded further, without skips
_WIDEST = 8  # times the decoder's finest width

# The U-Net paper trains segmentation with momentum 0.99 at a batch of one; no colorizing source states its values
# fully, so these are ours: squared error alone, Adam, the whole encoder trained along at a tenth of the rate.
RECIPE: dict[str, Any] = {
    "objective": "ab_mse", "adversarial_weight": 0.0, "class_weight": 0.0, "optimizer": "adam", "lr": 3e-4,
    "beta1": 0.9, "size": 224, "batch_size": 16, "trunk_lr": 0.1, "trunk_frozen": 0,
}  # fmt: skip


def double_convolution(channels: int, width: int, dilation: int = 1) -> nn.Sequential:
    """Twice a 3x3 convolution, batch norm and ReLU; (N, channels, H, W) to (N, width, H, W)."""
    first = conv_norm_relu(channels, width, dilation=dilation)
    return nn.Sequential(*first, *conv_norm_relu(width, width, dilation=dilation))


class PlainEncoder(nn.Module):
    """Double convolutions of such widths, finest first, with max pooling between them."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.strides = tuple(2**level for level in range(len(self.widths)))
        self.levels = nn.ModuleList(
            double_convolution(inputs, width) for inputs, width in zip((1, *self.widths), self.widths, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 1, H, W), sides multiples of the last stride, to the map of every level, finest first."""
        maps = [self.levels[0](image)]
        for level in list(self.levels)[1:]:
            maps.append(level(F.max_pool2d(maps[-1], 2)))
        return maps


class UpStep(nn.Module):
    """A transposed 2x2 convolution, the encoder's map beside it where there is one, and a double convolution."""

    def __init__(self, channels: int, skip: int, width: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(channels, width, 2, stride=2)
        self.mix = double_convolution(width + skip, width)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """(N, channels, h, w) to (N, width, 2h, 2w), or to the size of `skip` where an encoder rounds its sizes up."""
        x = self.enlarge(x)
        if skip is not None:
            if x.shape[-2:] != skip.shape[-2:]:
                x = F.interpolate(x, size=skip.shape[-2:], mode="nearest")
            x = torch.cat((skip, x), dim=1)
        return self.mix(x)


class UNetDecoder(nn.Module):
    """From the deepest of an encoder's maps back up, one step an octave, through its finer maps.

    Args:
        widths: channels of the encoder's maps, finest first.
        strides: of the same maps; of several at one stride the last is read.
        width: channels at the finest step; each coarser one doubles them, up to eight times as many.

    Attributes:
        stride: of the map that `forward` returns: the encoder's finest, 4 at most.
    """

    def __init__(self, widths: Sequence[int], strides: Sequence[int], width: int) -> None:
        super().__init__()
        last = {stride: index for index, stride in enumerate(strides)}
        deepest = max(last)
        self.stride = min(*last, _COARSEST_AB)
        self._deepest = last[deepest]
        self._skips: list[int | None] = []
        self.steps = nn.ModuleList()
        channels, stride = widths[self._deepest], deepest // 2
        while stride >= self.stride:
            index = last.get(stride)
            wide = width * min(stride // self.stride, _WIDEST)
            self.steps.append(UpStep(channels, 0 if index is None else widths[index], wide))
            self._skips.append(index)
            channels, stride = wide, stride // 2
        self.channels = channels

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The encoder's maps, finest first, to (N, `channels`, H / `stride`, W / `stride`)."""
        x = maps[self._deepest]
        for step, index in zip(self.steps, self._skips, strict=True):
            x = step(x, None if index is None else maps[index])
        return x


class _UNet(ColorizationNetwork):
    """What the three have in common: an encoder, the decoder, a 1x1 convolution to ab."""

    gray: nn.Module
    trunk: nn.Module

    def __init__(self, encoder: PlainEncoder | TimmTrunk, width: int) -> None:
        super().__init__()
        self.stride = max(encoder.strides)
        self.decoder = UNetDecoder(encoder.widths, encoder.strides, width)
        self.ab_stride = self.decoder.stride
        self.to_ab = nn.Conv2d(self.decoder.channels, 2, 1)
        nn.init.normal_(self.to_ab.weight, std=1e-3)  # starts as nearly gray

    def maps(self, L: Tensor) -> list[Tensor]:
        """The encoder's feature maps of (N, 1, H, W) lightness, finest first."""
        return self.trunk(self.gray(L))

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        ab = self.to_ab(self.decoder(self.maps(L))).float() * AB_SCALE
        rows, columns = L.shape[-2] // self.ab_stride, L.shape[-1] // self.ab_stride
        if ab.shape[-2:] != (rows, columns):  # encoders without padding, such as Inception's, lose pixels
            ab = F.interpolate(ab, size=(rows, columns), mode="bilinear")
        return Prediction(ab)


@register_model(
    "unet",
    title="U-Net; any timm encoder by --backbone",
    paper=_PAPER,
    recipe=RECIPE,
    outputs="ab at 1/1; with an encoder at its finest map",
)
class UNet(_UNet):
    """Four times down, four times up, with skips; 31,036,546 parameters.

    Args:
        backbone: a timm encoder in place of the plain one, with its feature maps as skips and ab at the stride of the
            finest (1/2 or 1/4 mostly).
        width: channels of the finest level; 64 unless given, 32 over an encoder.
    """

    def __init__(self, backbone: str = "", width: Width | None = None) -> None:
        width = width if width is not None else 32 if backbone else 64
        plain = None if backbone else PlainEncoder([width * 2**level for level in range(5)])
        trunk = plain or TimmTrunk(backbone)
        super().__init__(trunk, width)
        self.config = {"backbone": backbone, "width": width}
        if plain is not None:
            self.encoder = plain
        else:
            self.gray, self.trunk = GrayInput(*classifier_statistics(backbone)), trunk

    def maps(self, L: Tensor) -> list[Tensor]:
        """The maps of the plain encoder, which sees L in [-1, 1], or of timm's, which sees the gray photo."""
        return super().maps(L) if self.config["backbone"] else self.encoder(L / 50 - 1)


class _PretrainedUNet(_UNet):
    """`UNetDecoder` over one timm encoder.

    Args:
        width: channels of the decoder's finest step, at 1/2.
        tag: of the encoder's weights among timm's, where that changes the encoder; see `timm_arguments`.
    """

    def __init__(self, width: Width = 32, tag: str = "") -> None:
        name = f"{self.own_backbone}.{tag}" if tag else self.own_backbone
        trunk = TimmTrunk(name)
        super().__init__(trunk, width)
        self.config = {"width": width, "tag": tag}
        self.gray, self.trunk = GrayInput(*classifier_statistics(name)), trunk


@register_model(
    "densenet_unet",
    title="U-Net decoder over DenseNet-121",
    paper="https://arxiv.org/abs/1608.06993 as encoder of a U-Net",
    recipe=RECIPE,
    outputs="ab at 1/2",
    weights="encoder: timm's densenet121",
)
class DenseNetUNet(_PretrainedUNet):
    """`UNetDecoder` over DenseNet-121 (Huang et al. 2017)."""

    own_backbone = "densenet121"


@register_model(
    "mobilenet_unet",
    title="U-Net decoder over MobileNetV2",
    paper="https://arxiv.org/abs/1801.04381 as encoder of a U-Net",
    recipe=RECIPE,
    outputs="ab at 1/2",
    weights="encoder: timm's mobilenetv2_100",
)
class MobileNetUNet(_PretrainedUNet):
    """`UNetDecoder` over MobileNetV2 (Sandler et al. 2018)."""

    own_backbone = "mobilenetv2_100"
