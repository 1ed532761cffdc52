"""EfficientNet-Lite2 (Tan and Le 2019, in Google's Lite variant: ReLU6, no squeeze and excitation) in plain torch.

Equal to timm's `tf_efficientnet_lite2`, whose weights it takes, so that sampling needs no timm. Its batch norm always
uses the running statistics: a branch that is trained on a few thousand squares keeps those of ImageNet.
"""

from __future__ import annotations

import re

import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.contract import Trunk
from chromagan.models.conv_norm import ConvNorm, fold_frozen_norms

_STEM = 32
# Of each stage: blocks, kernel, stride, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 48), (4, 3, 2, 6, 88), (4, 5, 1, 6, 120), (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
)  # fmt: skip
# The stages that end an octave: from the stem on, what the map at 1/2, 1/4, ... is made of.
_OCTAVES = ((0,), (1,), (2,), (3, 4), (5, 6))
_EPSILON = 1e-3
HEAD = 1280
# timm's names of the layers: in blocks by expansion, and above them
_TIMM_LAYERS = {
    1: {"conv_dw": "depthwise.conv", "bn1": "depthwise.norm", "conv_pw": "project.conv", "bn2": "project.norm"},
    6: {
        "conv_pw": "expand.conv", "bn1": "expand.norm", "conv_dw": "depthwise.conv", "bn2": "depthwise.norm",
        "conv_pwl": "project.conv", "bn3": "project.norm",
    },
}  # fmt: skip
_TIMM_HEAD = {"conv_head": "head.conv", "bn2": "head.norm", "classifier": "classifier"}


def _layer(channels: int, width: int, kernel: int = 1, *, folded: bool, stride: int = 1, groups: int = 1) -> ConvNorm:
    return ConvNorm(
        channels, width, kernel, stride=stride, groups=groups, rectifier=F.relu6, folded=folded,
        frozen_statistics=True, epsilon=_EPSILON, tf_padding=True,
    )  # fmt: skip


class _Block(nn.Module):
    """An inverted residual: 1x1 out, depthwise, 1x1 back, and the input added where the shape stays."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int, folded: bool) -> None:
        super().__init__()
        inner = channels * expansion
        self.expand = _layer(channels, inner, folded=folded) if expansion > 1 else None
        self.depthwise = _layer(inner, inner, kernel, stride=stride, groups=inner, folded=folded)
        self.project = _layer(inner, width, folded=folded)
        self.project.rectifier = None
        self._adds = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else self.expand(x)
        inner = self.project(self.depthwise(inner))
        return x + inner if self._adds else inner


class EfficientNetLite2Trunk(Trunk):
    """The network below its classification head; with `folded` without batch norms, as exported files have it.

    Attributes:
        widths, strides: of the feature maps that `forward` returns, one an octave.
    """

    name = "tf_efficientnet_lite2"

    def __init__(self, folded: bool = False) -> None:
        super().__init__()
        self.stem = _layer(3, _STEM, 3, stride=2, folded=folded)
        self.blocks = nn.ModuleList()
        channels = _STEM
        for count, kernel, stride, expansion, width in _STAGES:
            blocks = []
            for number in range(count):
                blocks.append(_Block(channels, width, kernel, stride if number == 0 else 1, expansion, folded))
                channels = width
            self.blocks.append(nn.Sequential(*blocks))
        self.widths = tuple(_STAGES[octave[-1]][-1] for octave in _OCTAVES)
        self.strides = tuple(2 ** (1 + number) for number in range(len(_OCTAVES)))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Normalised RGB (N, 3, H, W) to the last feature map of each octave, finest first."""
        x, maps = self.stem(image), []
        for octave in _OCTAVES:
            for stage in octave:
                x = self.blocks[stage](x)
            maps.append(x)
        return maps

    def key_of(self, name: str) -> str | None:
        """See `Trunk`: the key here of a key in timm's state dict."""
        if name.startswith(("conv_stem.", "bn1.")):
            layer, _, leaf = name.partition(".")
            return f"stem.{'conv' if layer == 'conv_stem' else 'norm'}.{leaf}"
        found = re.fullmatch(r"blocks\.(\d)\.(\d)\.(\w+)\.(\w+)", name)
        if found is None:
            return None
        stage, block, layer, leaf = found.groups()
        return f"blocks.{stage}.{block}.{_TIMM_LAYERS[_STAGES[int(stage)][3]][layer]}.{leaf}"

    def stages(self) -> list[list[nn.Parameter]]:
        """Parameters octave by octave, finest first: what a trainer freezes or slows down."""
        groups = [[p for stage in octave for p in self.blocks[stage].parameters()] for octave in _OCTAVES]
        groups[0] = [*self.stem.parameters(), *groups[0]]
        return groups


class EfficientNetLite2(nn.Module):
    """The whole classifier, with its batch norms folded: a teacher that is only asked.

    Args:
        tensors: timm's state dict of `tf_efficientnet_lite2`; counters may be missing.

    Raises:
        KeyError: a tensor is missing.
        RuntimeError: one has another shape.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.trunk = EfficientNetLite2Trunk()
        self.head = _layer(self.trunk.widths[-1], HEAD, folded=False)
        self.classifier = nn.Linear(HEAD, len(tensors["classifier.bias"]))
        state = {key: value for key, value in self.state_dict().items() if key.endswith("num_batches_tracked")}
        for name, tensor in tensors.items():
            inside = self.trunk.key_of(name)
            layer, _, leaf = name.partition(".")
            state[f"trunk.{inside}" if inside else f"{_TIMM_HEAD[layer]}.{leaf}"] = tensor
        self.load_state_dict(state)
        fold_frozen_norms(self)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised RGB (N, 3, H, W) to logits (N, classes)."""
        return self.classifier(self.head(self.trunk(image)[-1]).mean(dim=(2, 3)))
