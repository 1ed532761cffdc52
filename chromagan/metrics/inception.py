"""Inception v3 (Szegedy et al., CVPR 2016) as a source of features for FID and KID, in plain torch layers.

Two published networks of one layout, with torchvision's names for the parts. They give different figures, so they never
go under one name:

- `inception_tf`: the network of the original FID, ported from TensorFlow (the file of pytorch-fid and torch-fidelity).
  It differs from torchvision's in its pooling: averages leave the padding out, and the last block takes the maximum.
- `inception_torchvision`: torchvision's `inception_v3`, `IMAGENET1K_V1`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.errors import WeightsError
from chromagan.metrics.network_files import take_tensors

FEATURES = 2048
SIDE = 299
_CLASSES = {"inception_tf": 1008, "inception_torchvision": 1000}


class BasicConv2d(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, pad: bool = True
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if pad else 0
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, h, w)."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


# A branch is a list of (name, outputs, kernel); kernels of a reduction's last layer have stride 2 and no padding.
_Branch = list[tuple[str, int, int | tuple[int, int]]]


class Block(nn.Module):
    """Parallel branches of convolutions and one of pooling, their answers side by side.

    A branch is a chain of layers. Its last entry may be a fork: two layers named `..a` and `..b` of the same input,
    side by side. `pool` is "mean" (padding left out), "padded_mean" (padding counted), "max", or "reduce" (max at
    stride 2); a 1 x 1 convolution to `pool_features` channels follows (0: none, in reductions).
    """

    def __init__(self, inputs: int, branches: list[_Branch], pool: str, pool_features: int = 0) -> None:
        super().__init__()
        self.pool, self.reduces = pool, pool == "reduce"
        self._chains: list[list[str]] = []
        for branch in branches:
            channels = inputs
            for place, (name, outputs, kernel) in enumerate(branch):
                last = place == len(branch) - 1
                shrink = self.reduces and last
                self.add_module(name, BasicConv2d(channels, outputs, kernel, 2 if shrink else 1, pad=not shrink))
                if not name.endswith("a"):  # both halves of a fork read what came before it
                    channels = outputs
            self._chains.append([name for name, _, _ in branch])
        if pool_features:
            self.branch_pool = BasicConv2d(inputs, pool_features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, the branches' channels together, h, w)."""
        answers: list[Tensor] = []
        for chain in self._chains:
            y, forked = x, False
            for name in chain:
                layer = self.get_submodule(name)
                if name.endswith(("a", "b")):
                    answers.append(layer(y))
                    forked = True
                else:
                    y = layer(y)
            if not forked:
                answers.append(y)
        return torch.cat((*answers, self._pooled(x)), dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.reduces:
            return F.max_pool2d(x, 3, stride=2)
        if self.pool == "max":
            pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        else:
            pooled = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=self.pool == "padded_mean")
        return self.branch_pool(pooled)


def _block_a(inputs: int, pool_features: int, pool: str) -> Block:
    double: _Branch = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)]
    return Block(
        inputs, [[("branch1x1", 64, 1)], [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)], double], pool, pool_features
    )


def _block_b(inputs: int) -> Block:
    double: _Branch = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)]
    return Block(inputs, [[("branch3x3", 384, 3)], double], "reduce")


def _block_c(width: int, pool: str) -> Block:
    single: _Branch = [("branch7x7_1", width, 1), ("branch7x7_2", width, (1, 7)), ("branch7x7_3", 192, (7, 1))]
    double: _Branch = [("branch7x7dbl_1", width, 1)]
    for place, kernel in enumerate(((7, 1), (1, 7), (7, 1), (1, 7)), 2):
        double.append((f"branch7x7dbl_{place}", 192 if place == 5 else width, kernel))
    return Block(768, [[("branch1x1", 192, 1)], single, double], pool, 192)


def _block_d() -> Block:
    long: _Branch = [("branch7x7x3_1", 192, 1), ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1))]
    long.append(("branch7x7x3_4", 192, 3))
    return Block(768, [[("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)], long], "reduce")


def _block_e(inputs: int, pool: str) -> Block:
    single: _Branch = [("branch3x3_1", 384, 1), ("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))]
    double: _Branch = [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3),
                       ("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))]  # fmt: skip
    return Block(inputs, [[("branch1x1", 320, 1)], single, double], pool, 192)


class InceptionFeatures(nn.Module):
    """Pictures to the 2048 averaged features before the classifier; frozen.

    How pictures are brought to 299 x 299 belongs to the figure. `inception_tf` resizes as the original FID's TensorFlow
    graph did (bilinear, no antialiasing, pixel corners aligned), as torch-fidelity and torchmetrics do; pytorch-fid
    aligns pixel centres and gets slightly other figures. `inception_torchvision` resizes bilinearly with pixel centres
    aligned and no antialiasing. Both map [0, 255] to about [-1, 1]: (x - 128) / 128 and x / 127.5 - 1.

    Args:
        network: "inception_tf" or "inception_torchvision".
        tensors: the published state dict (see `chromagan.metrics.network_files`).

    Raises:
        WeightsError: the tensors are not that network's.
    """

    def __init__(self, network: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        tf = network == "inception_tf"
        head = tensors.get("fc.weight")
        if head is None or tuple(head.shape) != (_CLASSES[network], FEATURES):
            raise WeightsError(
                f"{network}: another network's weights (fc.weight is not {_CLASSES[network]} x {FEATURES}); "
                "give the published file"
            )
        self.tf = tf
        self.net = _layers("mean" if tf else "padded_mean", "max" if tf else "padded_mean")
        take_tensors(self.net, tensors, ("fc.", "AuxLogits."), network)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 sRGB to (N, 2048) float32."""
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures are (N, 3, H, W) uint8, not {tuple(pictures.shape)} {pictures.dtype}")
        with torch.autocast(pictures.device.type, enabled=False):
            x = pictures.float()
            if self.tf:
                x = (resize_as_tensorflow(x, SIDE) - 128) / 128
            else:
                x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False) / 127.5 - 1
            return self.net(x).mean(dim=(2, 3))


def _layers(pool: str, last_pool: str) -> nn.Sequential:
    net = nn.Sequential()
    parts: dict[str, nn.Module] = {
        "Conv2d_1a_3x3": BasicConv2d(3, 32, 3, stride=2, pad=False),
        "Conv2d_2a_3x3": BasicConv2d(32, 32, 3, pad=False),
        "Conv2d_2b_3x3": BasicConv2d(32, 64, 3),
        "maxpool1": nn.MaxPool2d(3, stride=2),
        "Conv2d_3b_1x1": BasicConv2d(64, 80, 1),
        "Conv2d_4a_3x3": BasicConv2d(80, 192, 3, pad=False),
        "maxpool2": nn.MaxPool2d(3, stride=2),
        "Mixed_5b": _block_a(192, 32, pool),
        "Mixed_5c": _block_a(256, 64, pool),
        "Mixed_5d": _block_a(288, 64, pool),
        "Mixed_6a": _block_b(288),
        "Mixed_6b": _block_c(128, pool),
        "Mixed_6c": _block_c(160, pool),
        "Mixed_6d": _block_c(160, pool),
        "Mixed_6e": _block_c(192, pool),
        "Mixed_7a": _block_d(),
        "Mixed_7b": _block_e(1280, pool),
        "Mixed_7c": _block_e(2048, last_pool),
    }
    for name, part in parts.items():
        net.add_module(name, part)
    return net


def resize_as_tensorflow(image: Tensor, side: int) -> Tensor:
    """TensorFlow 1's bilinear resize of (N, C, H, W) to a square: output pixel i reads position i x (length / side)."""
    for dim in (-1, -2):
        length = image.shape[dim]
        # float32, as in TensorFlow's kernel
        place = np.arange(side, dtype=np.float32) * np.float32(length / side)
        low = np.minimum(np.floor(place).astype(np.int64), length - 1)
        high = np.minimum(low + 1, length - 1)
        share = torch.from_numpy((place - low).astype(np.float32)).to(image)
        share = share if dim == -1 else share[:, None]
        below = image.index_select(dim, torch.from_numpy(low).to(image.device))
        above = image.index_select(dim, torch.from_numpy(high).to(image.device))
        image = below + (above - below) * share
    return image
