"""What every colorization network takes and gives back, and what it declares of itself.

A network's options are the keyword arguments of its class. These names mean the same in every network that has them,
and the program sets them by name: `backbone` (one name, or a list where several fit), `classes` (outputs of the class
head, 0 for none), `semantic` (False zeroes the deep features), `bins`, `hints` and `global_hints` (whether it has the
part), `folded` (frozen batch norms are part of their convolutions), `tag` (of `own_backbone`'s weights). Options of
other names are set by `--model-option NAME=VALUE`.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from chromagan.color.ab_bins import AbBins
from chromagan.conditioning.condition import NOTHING, Condition, pad_to_stride
from chromagan.errors import ModelError
from chromagan.models.options import built

_KINDS = {"local": "colour hints", "overall": "global hints"}


@dataclass(frozen=True)
class Prediction:
    """What a network answers.

    Attributes:
        ab: (N, 2, h, w) float32 in Lab units, at 1/`ab_stride` of the input.
        bin_logits: (N, Q, h, w) over the quantised ab gamut, where the network predicts one.
        class_logits: (N, C) over the teacher's classes, while the class head is attached.
        features: (N, F, h'', w'') of the semantic branch, at 1/`feature_stride` of the input, where there is one.
        fine_features: (N, F', 2 h'', 2 w'') of that branch too, at half the stride, for whoever matches photos.
    """

    ab: Tensor
    bin_logits: Tensor | None = None
    class_logits: Tensor | None = None
    features: Tensor | None = None
    fine_features: Tensor | None = None

    def split(self) -> list[Prediction]:
        """That of each photo of a batch."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        parts = {name: tensor.split(1) for name, tensor in given.items() if tensor is not None}
        return [
            Prediction(**{name: tensors[photo] for name, tensors in parts.items()}) for photo in range(len(self.ab))
        ]


@dataclass(frozen=True)
class Published:
    """A state dict that a network's authors publish, which fits this configuration of ours, key by key.

    They have it at `url`, and give it a licence of that SPDX name.
    """

    config: dict[str, Any]
    url: str
    licence: str


class Trunk(nn.Module):
    """A semantic branch: a pretrained classifier inside a network, which a trainer fills, freezes and slows down.

    Every module of this class inside a network is one; see `chromagan.models.trunk.trunks_of`. `name` is that of the
    classifier whose published weights fit; no option of training unfreezes one that is `always_frozen`.
    """

    name: str
    always_frozen: ClassVar[bool] = False

    def key_of(self, name: str) -> str | None:
        """The key in the state dict here of a tensor of the classifier; None for what lies above the branch."""
        return name

    def stages(self) -> list[list[nn.Parameter]]:
        """Parameters stage by stage, finest first; a single stage is frozen whole or not at all."""
        return [list(self.parameters())]


class ColorizationNetwork(nn.Module):
    """Base of the zoo: refuses what it does not take, pads any size to `stride`, calls `predict`, crops back.

    A subclass sets what differs from the values below, and `config`, and writes `predict(L, condition)` for sizes that
    are multiples of `stride`. An instance may set them too, where an option decides.

    Attributes:
        stride: the input's sides are padded to a multiple of it (1 for none).
        ab_stride: the predicted ab is at 1/`ab_stride` of the input.
        bin_stride: the bin logits are at 1/`bin_stride`; None: at `ab_stride`.
        feature_stride: the features are at 1/`feature_stride`; None: it hands none over.
        accepts: the kinds of condition that it is shown, of "local" and "overall"; others are refused.
        bins: those of `bin_logits`, where it predicts some.
        training_only_prefixes: of the names of parameters that files for inference leave out.
        without_training_parts: the options with which it is built where those parameters are left out.
        grows: whether it has `take_over`.
        own_backbone: the backbone of a network that has one and no option for it.
        published: the authors' own weights, where they publish some that fit.
        config: plain dict of keyword arguments that rebuilds the network.
        registered_as: its name in the registry, which sets it.
    """

    stride: int = 1
    ab_stride: int = 1
    bin_stride: int | None = None
    feature_stride: int | None = None
    accepts: frozenset[str] = frozenset()
    bins: AbBins | None
    training_only_prefixes: tuple[str, ...] = ()
    without_training_parts: ClassVar[dict[str, Any]] = {"classes": 0}
    grows: ClassVar[bool] = False
    own_backbone: ClassVar[str] = ""
    published: ClassVar[Published | None] = None
    registered_as: str = ""
    config: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.bins = None

    @classmethod
    def build(cls, **config: Any) -> ColorizationNetwork:
        """From a configuration; where files of before need another class, that one.

        Raises:
            ModelError: no such option, or a value that is not of its type, or not in its range.
        """
        return built(cls, config, f"model {cls.registered_as or cls.__name__!r}")

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """The network itself; `L` (N, 1, H, W) in [0, 100], sides multiples of `stride`."""
        raise NotImplementedError

    def take_over(self, before: ColorizationNetwork) -> None:
        """Start from a trained network of this class with fewer parts, so that the colours stay as they are."""
        raise NotImplementedError

    def forward(self, L: Tensor, condition: Condition = NOTHING) -> Prediction:
        """Predict ab for photographs of any size from 1 x 1.

        Args:
            L: (N, 1, H, W) float, CIE L* in [0, 100].
            condition: what a person wishes, of the kinds in `accepts`.

        Returns:
            A `Prediction` whose ab has ceil(side / ab_stride) pixels a side.

        Raises:
            ModelError: a kind of condition that the network does not take, or hints of another size than L.
        """
        self._refuse(condition, L)
        height, width = L.shape[-2:]
        prediction = self.predict(pad_to_stride(L, self.stride), condition.pad(self.stride))
        rows, columns = -(-height // self.ab_stride), -(-width // self.ab_stride)
        bins = prediction.bin_logits
        if bins is not None:
            step = self.bin_stride or self.ab_stride
            bins = bins[..., : -(-height // step), : -(-width // step)]
        # A branch's maps, cropped like ab; where the stride is not known they stay as they are.
        features, fine = prediction.features, prediction.fine_features
        if self.feature_stride is not None:
            step = self.feature_stride
            features = None if features is None else features[..., : -(-height // step), : -(-width // step)]
            step //= 2
            fine = None if fine is None else fine[..., : -(-height // step), : -(-width // step)]
        ab = prediction.ab[..., :rows, :columns].float()
        return Prediction(ab, bins, prediction.class_logits, features, fine)

    def _refuse(self, condition: Condition, L: Tensor) -> None:
        name = self.registered_as or type(self).__name__
        for kind, given in (("local", condition.local), ("overall", condition.overall)):
            if given is not None and kind not in self.accepts:
                raise ModelError(f"{name} takes no {_KINDS[kind]} with these weights; use others, e.g. siggraph17")
        local, (n, _, rows, columns) = condition.local, L.shape
        if local and (local.ab.shape != (n, 2, rows, columns) or local.mask.shape != (n, 1, rows, columns)):
            raise ModelError(
                f"{name}: hints of shapes {tuple(local.ab.shape)} and {tuple(local.mask.shape)} for L "
                f"{tuple(L.shape)}; give ab (N, 2, H, W) and mask (N, 1, H, W) of the photo's size"
            )

    def training_only(self, name: str) -> bool:
        """Whether files for inference leave a parameter out."""
        return name.startswith(self.training_only_prefixes)


def count_parameters(module: nn.Module) -> int:
    """The number of parameters of a module, buffers left out."""
    return sum(p.numel() for p in module.parameters())


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the tensors in the order of their names: name, dtype, shape and bytes of each.

    It tells two files of weights apart, whatever they are called.
    """
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}\n".encode())
        if tensor.numel():
            sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def __getattr__(name: str) -> Any:
    if name not in ("GlobalHints", "Hints"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chromagan.conditioning import condition

    warnings.warn(f"{name} is now in chromagan.conditioning.condition", DeprecationWarning, stacklevel=2)
    return getattr(condition, name)
