"""`chromagan`: pretrained semantic branches, laterals at every scale, and a decoder that answers three questions.

After ChromaGAN (Vitoria, Raad and Ballester, WACV 2020): a generator joins a pretrained classifier's features with a
chroma decoder, and learns classes beside colours. What measurement added: one or two branches, whose maps join at every
scale; beside ab a distribution over the 313 ab bins (Zhang, Isola and Efros 2016), at a quarter of the size, from where
a learned upsampler takes over; and colours that a person gives (Zhang et al. 2017), which join at every scale too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.color.ab_bins import AbBins
from chromagan.errors import ModelError
from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.conv_norm import ConvNorm
from chromagan.models.first_chromagan import FirstChromaGAN
from chromagan.models.options import Classes, Width
from chromagan.models.registry import register_model
from chromagan.models.trunk import GrayInput, build_trunk, classifier_statistics

AB_SCALE = 110.0
WIDTHS = {4: 96, 8: 160, 16: 256, 32: 256}
_BLOCKS = {4: 2, 8: 2, 16: 1, 32: 1}
_GLOBAL = 512
_SEMANTIC = 16  # maps of this stride and above are what the ablation leaves out
_HINT_CHANNELS = 4
_SINCE_FIRST = ("bins", "hints", "folded")
RECIPE: dict[str, Any] = {
    "bin_weight": 0.02, "rebalance": True, "hints": True, "hint_free": 0.5, "hint_places": "anywhere",
}  # fmt: skip


class _Level(nn.Module):
    """One scale of the decoder: what comes from below, the branches' maps and the hints are summed, then convolved."""

    def __init__(self, below: int | None, maps: Sequence[int], width: int, blocks: int, hints: bool) -> None:
        super().__init__()
        self.below = nn.Conv2d(below, width, 1, bias=False) if below else None
        self.laterals = nn.ModuleList(ConvNorm(channels, width, 1) for channels in maps)
        self.hints = nn.Conv2d(_HINT_CHANNELS, width, 3, padding=1, bias=False) if hints else None
        if self.hints is not None:
            nn.init.zeros_(self.hints.weight)  # a network that was trained without hints goes on as it was
        self.blocks = nn.Sequential(*(ConvNorm(width, width, rectifier=F.relu) for _ in range(blocks)))

    def forward(
        self, below: Tensor | None, maps: Sequence[Tensor], whole: Tensor | None, hints: Tensor | None
    ) -> Tensor:
        parts = [lateral(one) for lateral, one in zip(self.laterals, maps, strict=True)]
        if self.below is not None and below is not None:
            coarse = self.below(below)
            size = parts[0].shape[-2:] if parts else [2 * side for side in coarse.shape[-2:]]
            parts.append(F.interpolate(coarse, size=size, mode="nearest"))
        x = sum(parts[1:], start=parts[0])
        if whole is not None:
            x = x + whole.to(x.dtype)
        if self.hints is not None and hints is not None:
            x = x + self.hints(_at_scale(hints, x.shape[-2:]).to(x.dtype))
        return self.blocks(F.relu(x))


def _at_scale(hints: Tensor, size: torch.Size) -> Tensor:
    """Hints (ab x mask, mask) at a scale: mean colour of what is given there, whether anything is, and how much.

    A plain mean would let a small hint fade with the scale; here its colour stays.
    """
    mean = F.adaptive_avg_pool2d(hints, (size[0], size[1]))
    covered = mean[:, 2:]
    return torch.cat((mean[:, :2] / covered.clamp_min(1e-6), (covered > 0).to(mean.dtype), covered), dim=1)


def _beside(branches: Sequence[dict[int, Tensor]], stride: int) -> Tensor | None:
    """The branches' maps of a stride side by side; None where none has one."""
    maps = [found[stride] for found in branches if stride in found]
    return torch.cat(maps, dim=1) if maps else None


@register_model(
    "chromagan",
    title="Semantic branches, laterals at every scale, chroma decoder; our own",
    paper="after Vitoria, Raad and Ballester, ChromaGAN, WACV 2020",
    outputs="ab and 313 bins at 1/4; takes hints; classes in training",
    recipe=RECIPE,
)
class ChromaGAN(ColorizationNetwork):
    """The package's own generator.

    Args:
        backbone: one or two branches: `vgg16` (13 convolutions), `tf_efficientnet_lite2`, or any timm backbone.
        classes: outputs of the class head; 0 leaves it out, as inference files do.
        semantic: False replaces the branches' deep features (from 1/16, and the global ones) by zeros: the ablation
            that shows what they bring.
        bins: predict a distribution over the ab bins beside ab.
        hints: take colours that a person gives.
        folded: the Lite2 branch without its batch norms, as exported files have it.
        half_size: those of the branches that look at half the size: a quarter of their time, and they see twice as far.
        width: channels at a quarter of the size; the coarser scales are wider in proportion.

    Raises:
        ModelError: no branch or more than two, the same one twice, a timm backbone without fitting maps, or another
            name than a branch's in `half_size`.
    """

    training_only_prefixes = ("class_head.",)
    grows = True
    ab_stride = 4
    feature_stride = _SEMANTIC

    def __init__(
        self,
        backbone: str | Sequence[str] = ("vgg16",),
        classes: Classes = 1000,
        semantic: bool = True,
        bins: bool = True,
        hints: bool = True,
        folded: bool = False,
        half_size: Sequence[str] = (),
        width: Width = WIDTHS[4],
    ) -> None:
        super().__init__()
        names = [backbone] if isinstance(backbone, str) else list(backbone)
        if not 1 <= len(names) <= 2 or len(set(names)) < len(names):
            raise ModelError(f"chromagan takes one or two different backbones, not {', '.join(names) or 'none'}")
        strangers = [name for name in half_size if name not in names]
        if strangers:
            raise ModelError(f"half_size={strangers[0]}: the branches are {', '.join(names)}")
        self.config = {
            "backbone": names, "classes": classes, "semantic": semantic, "bins": bins, "hints": hints, "folded": folded,
            "width": width,
        }  # fmt: skip
        if half_size:  # left out otherwise: files from before have no such word
            self.config["half_size"] = list(half_size)
        self.semantic = semantic
        self.accepts = frozenset({"local"} if hints else ())
        self.grays = nn.ModuleList(GrayInput(*classifier_statistics(name)) for name in names)
        trunks = [build_trunk(name, folded) for name in names]
        self.trunks = nn.ModuleList(trunks)
        self._reduced = [2 if name in half_size else 1 for name in names]
        # of each branch, the last map of every stride that the decoder reads
        self._taps = [
            {s * reduced: i for i, s in enumerate(trunk.strides) if s * reduced in WIDTHS}
            for trunk, reduced in zip(trunks, self._reduced, strict=True)
        ]
        # two branches may round the size of their maps at 1/32 differently
        self.stride = 32 if sum(32 in taps for taps in self._taps) > 1 else 16
        deepest = max((s for taps in self._taps for s in taps), default=0)
        if deepest < _SEMANTIC:
            raise ModelError(f"{' and '.join(names)} have no feature map at 1/16 or 1/32; choose another backbone")
        widths = {stride: max(1, width * WIDTHS[stride] // WIDTHS[4]) for stride in WIDTHS}
        self._strides = [stride for stride in sorted(WIDTHS, reverse=True) if stride <= deepest]
        self.levels = nn.ModuleList()
        below = None
        for stride in self._strides:
            maps = [trunk.widths[t[stride]] for trunk, t in zip(trunks, self._taps, strict=True) if stride in t]
            self.levels.append(_Level(below, maps, widths[stride], _BLOCKS[stride], hints))
            below = widths[stride]
        pooled = sum(trunk.widths[t[max(t)]] for trunk, t in zip(trunks, self._taps, strict=True))
        self.global_features = nn.Sequential(nn.Linear(pooled, _GLOBAL), nn.ReLU(inplace=True))
        self.to_whole = nn.Linear(_GLOBAL, widths[deepest])
        self.class_head = nn.Linear(_GLOBAL, classes) if classes else None
        self.to_ab = nn.Conv2d(width, 2, 3, padding=1)
        nn.init.normal_(self.to_ab.weight, std=1e-3)  # starts as nearly gray
        self.bins = AbBins() if bins else None
        self.to_bins = nn.Conv2d(width, len(self.bins), 1) if self.bins is not None else None

    @classmethod
    def build(cls, **config: Any) -> ColorizationNetwork:
        """This network, or `FirstChromaGAN` from a file of version 0.1, which names one branch and no bins."""
        if isinstance(config.get("backbone"), str) and config.get("width") and config.get("bins") is None:
            return FirstChromaGAN.build(**{name: one for name, one in config.items() if name not in _SINCE_FIRST})
        return super().build(**config)

    @property
    def bin_stride(self) -> int:  # type: ignore[override]
        """Bins are answered at 1/4, like ab; in training as means over 2 x 2 of those, at a quarter of the cost."""
        return 8 if self.training else 4

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """See the contract."""
        local = condition.local
        given = None if local is None else torch.cat((local.ab / AB_SCALE * local.mask, local.mask), dim=1)
        branches = []
        for gray, trunk, taps, reduced in zip(self.grays, self.trunks, self._taps, self._reduced, strict=True):
            found = trunk(F.avg_pool2d(gray(L), reduced) if reduced > 1 else gray(L))
            branches.append({stride: self._deep_or_zero(found[index], stride) for stride, index in taps.items()})
        pooled = torch.cat([maps[max(maps)].mean(dim=(2, 3)) for maps in branches], dim=1)
        features = self.global_features(pooled)
        whole: Tensor | None = self.to_whole(features)[:, :, None, None]
        x: Tensor | None = None
        for stride, level in zip(self._strides, self.levels, strict=True):
            x = level(x, [maps[stride] for maps in branches if stride in maps], whole, given)
            whole = None
        assert x is not None
        ab = self.to_ab(x).float() * AB_SCALE
        bins = None if self.to_bins is None else self.to_bins(F.avg_pool2d(x, 2) if self.training else x)
        classes = None if self.class_head is None else self.class_head(features)
        if self.training:
            return Prediction(ab, bins, classes)
        return Prediction(ab, bins, classes, _beside(branches, _SEMANTIC), _beside(branches, _SEMANTIC // 2))

    def _deep_or_zero(self, features: Tensor, stride: int) -> Tensor:
        return features if self.semantic or stride < _SEMANTIC else torch.zeros_like(features)

    @torch.no_grad()
    def take_over(self, before: ColorizationNetwork) -> None:
        """See the contract: new branches' laterals, and the columns that read them, begin at zero.

        So do the weights of hints. The trunks of new branches are left as they are, for a trainer to fill.

        Raises:
            ModelError: a new branch has deeper maps than those before, or a layer another shape.
        """
        state, known = self.state_dict(), before.state_dict()
        if not isinstance(before, ChromaGAN) or len(self.levels) != len(before.levels):
            raise ModelError(f"the maps of {' '.join(self.config['backbone'])} do not fit the scales of these weights")
        for key, value in state.items():
            if key in known and value.shape == known[key].shape:
                value.copy_(known[key])
            elif key == "global_features.0.weight":  # reads the deepest maps of all branches side by side
                value.zero_()[:, : known[key].shape[1]] = known[key]
            elif ".laterals." in key and key.endswith("norm.weight"):
                value.zero_()
            elif key in known:
                raise ModelError(f"{key} has shape {tuple(known[key].shape)} there, {tuple(value.shape)} here")
