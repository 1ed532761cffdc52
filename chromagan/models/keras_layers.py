"""Layers as TensorFlow and Keras define them, for networks that were published in that framework.

Three things differ from PyTorch and each makes another network when it is missed: "same" padding puts the odd pixel
at the bottom and the right, batch norm has eps 1e-3 and keeps 0.99 of its running statistics, and kernels start from
Glorot's uniform law with zero bias.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same" padding of one side, in pixels before and after: the output has ceil(side / stride) pixels.

    The odd one is after: side 28, kernel 3, stride 2 give (0, 1).
    """
    # Without negative numbers: sides are symbols of an ONNX graph at times, which divides those the other way.
    total = max(((side + stride - 1) // stride - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding; square kernel and stride, zeros outside.

    The padding depends on the input's size, so it is computed at every call. Input (N, C, H, W), output
    (N, C', ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride)

    def forward(self, input: Tensor) -> Tensor:
        """Pad as TensorFlow does, then convolve."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = same_padding(input.shape[-2], kernel, stride)
        left, right = same_padding(input.shape[-1], kernel, stride)
        if top == bottom and left == right:
            # Symmetric: the convolution pads by itself, without a copy.
            return F.conv2d(input, self.weight, self.bias, self.stride, (top, left))
        return F.conv2d(F.pad(input, (left, right, top, bottom)), self.weight, self.bias, self.stride)


def keras_batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm over (N, C, H, W) with Keras' constants; its momentum 0.99 is the share of the old statistics."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def keras_initialise(module: nn.Module) -> None:
    """Give every convolution and dense layer inside a Glorot-uniform kernel (Glorot and Bengio 2010) and zero bias."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
