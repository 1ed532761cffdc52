"""What every colorization network takes and gives back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class GlobalHints:
    """What a person knows of a whole photo's colours (Zhang et al. 2017).

    Attributes:
        histogram: (N, 313) shares of the ab bins, sums to 1; the order is that of `chromagan.color.ab_bins`.
        saturation: (N, 1) mean saturation in HSV, 0 to 1.
        given: (N, 2), 1 where the histogram (first column) and the saturation (second) are given; what is not given is
            left out of account.
    """

    histogram: Tensor
    saturation: Tensor
    given: Tensor


@dataclass(frozen=True)
class Hints:
    """Colours that a person gives, for networks with `takes_hints`.

    Attributes:
        ab: (N, 2, H, W) in Lab units, 0 where nothing is given.
        mask: (N, 1, H, W), 1 where a colour is given, else 0.
        overall: of the whole photo, for networks built to take it (`siggraph17` with `global_hints=True`).
    """

    ab: Tensor
    mask: Tensor
    overall: GlobalHints | None = None


@dataclass(frozen=True)
class Prediction:
    """What a network answers.

    Attributes:
        ab: (N, 2, h, w) float32 in Lab units, at 1/`ab_stride` of the input.
        bin_logits: (N, Q, h, w) over the quantised ab gamut, where the network predicts one.
        class_logits: (N, C) over the teacher's classes, while the class head is attached.
    """

    ab: Tensor
    bin_logits: Tensor | None = None
    class_logits: Tensor | None = None


@dataclass(frozen=True)
class Published:
    """A state dict that a network's authors publish, which fits our network as it is, key by key.

    Attributes:
        config: the configuration of ours that it fits.
        url: where the authors have it.
        licence: SPDX name of the licence that they give it.
    """

    config: dict[str, Any]
    url: str
    licence: str


class ColorizationNetwork(nn.Module):
    """Base of the zoo: pads any size to `stride`, calls `predict`, crops back.

    A subclass sets `stride`, `ab_stride` and `config` and writes `predict(L, hints)` for sizes that are
    multiples of `stride`.

    Attributes:
        stride: the input's sides are padded to a multiple of it (1 for none).
        ab_stride: the predicted ab is at 1/`ab_stride` of the input.
        bin_stride: the bin logits are at 1/`bin_stride`; None: at `ab_stride`.
        takes_hints: whether `hints` are used; other networks refuse them.
        published: the authors' own weights, where they publish some that fit.
        config: plain dict of keyword arguments that rebuilds the network.
        registered_as: the name under which a function builds this class; empty where the class itself is registered.
    """

    stride: int = 1
    ab_stride: int = 1
    bin_stride: int | None = None
    takes_hints: bool = False
    published: Published | None = None
    registered_as: str = ""
    config: dict[str, Any]

    def predict(self, L: Tensor, hints: Hints | None) -> Prediction:
        """The network itself; `L` (N, 1, H, W) in [0, 100], sides multiples of `stride`."""
        raise NotImplementedError

    def forward(self, L: Tensor, hints: Hints | None = None) -> Prediction:
        """Predict ab for photographs of any size from 1 x 1.

        Args:
            L: (N, 1, H, W) float, CIE L* in [0, 100].
            hints: colours given by a person, where the network takes them.

        Returns:
            A `Prediction` whose ab has ceil(side / ab_stride) pixels a side.
        """
        height, width = L.shape[-2:]
        L = pad_to_stride(L, self.stride)
        if hints is not None:
            ab, mask = pad_to_stride(hints.ab, self.stride), pad_to_stride(hints.mask, self.stride)
            hints = replace(hints, ab=ab, mask=mask)
        prediction = self.predict(L, hints)
        rows, columns = -(-height // self.ab_stride), -(-width // self.ab_stride)
        bins = prediction.bin_logits
        if bins is not None:
            step = self.bin_stride or self.ab_stride
            bins = bins[..., : -(-height // step), : -(-width // step)]
        return Prediction(prediction.ab[..., :rows, :columns].float(), bins, prediction.class_logits)


def pad_to_stride(image: Tensor, stride: int) -> Tensor:
    """Pad right and bottom to multiples of `stride`: by reflection where the image is large enough, else its edge."""
    height, width = image.shape[-2:]
    bottom, right = -height % stride, -width % stride
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def count_parameters(module: nn.Module) -> int:
    """The number of parameters of a module, buffers left out."""
    return sum(p.numel() for p in module.parameters())


__all__ = [
    "ColorizationNetwork", "GlobalHints", "Hints", "Prediction", "Published", "count_parameters", "pad_to_stride",
]  # fmt: skip
