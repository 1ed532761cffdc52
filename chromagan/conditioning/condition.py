"""What a network sees of a person's guidance: tensors at the size of L."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

HintsType = TypeVar("HintsType", "LocalHints", "GlobalHints")


@dataclass(frozen=True, eq=False)
class LocalHints:
    """Colours at places (Zhang et al. 2017).

    Attributes:
        ab: (N, 2, H, W) in Lab units, 0 where nothing is given.
        mask: (N, 1, H, W), 1 where a colour is given, less for a weaker wish, else 0.
    """

    ab: Tensor
    mask: Tensor


@dataclass(frozen=True, eq=False)
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
class Condition:
    """All that a network is shown beside L: colours at places, at L's size, and of the whole photo; see `accepts`."""

    local: LocalHints | None = None
    overall: GlobalHints | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """Names of what is there, of "local" and "overall"."""
        return frozenset(field.name for field in fields(self) if getattr(self, field.name) is not None)

    def to(self, *args: Any, **options: Any) -> Condition:
        """On another device or of another type; arguments as for `Tensor.to`."""
        return self._each(lambda tensor: tensor.to(*args, **options))

    def chunk(self, count: int) -> list[Condition]:
        """Equal parts of a batch, for gradient accumulation; of nothing as many times nothing."""
        return [self._each(lambda tensor: tensor.chunk(count)[part]) for part in range(count)]  # noqa: B023

    def pad(self, stride: int) -> Condition:
        """With what belongs to places padded as `pad_to_stride` pads L."""
        padded = _map(self.local, lambda image: pad_to_stride(image, stride))
        return self if padded is None else replace(self, local=padded)

    @staticmethod
    def batch(conditions: Sequence[Condition]) -> Condition:
        """Those of several photos, all of the same kinds, as that of one batch."""
        return Condition(
            _joined([one.local for one in conditions if one.local is not None]),
            _joined([one.overall for one in conditions if one.overall is not None]),
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> Condition:
        return Condition(_map(self.local, change), _map(self.overall, change))


NOTHING = Condition()


def _map(hints: HintsType | None, change: Callable[[Tensor], Tensor]) -> HintsType | None:
    return None if hints is None else type(hints)(*(change(getattr(hints, field.name)) for field in fields(hints)))


def _joined(hints: Sequence[HintsType]) -> HintsType | None:
    if not hints:
        return None
    parts = ([getattr(one, field.name) for one in hints] for field in fields(hints[0]))
    return type(hints[0])(*(torch.cat(tensors) for tensors in parts))


def pad_to_stride(image: Tensor, stride: int) -> Tensor:
    """Pad right and bottom to multiples of `stride`: by reflection where the image is large enough, else its edge."""
    height, width = image.shape[-2:]
    bottom, right = -height % stride, -width % stride
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


class Hints:
    """The condition's name and form of version 0.1: `Hints(ab, mask, overall)` is a `Condition`."""

    def __new__(cls, ab: Tensor, mask: Tensor, overall: GlobalHints | None = None) -> Condition:  # type: ignore[misc]
        """See `LocalHints`."""
        warnings.warn("Hints is now Condition(LocalHints(ab, mask), overall)", DeprecationWarning, stacklevel=2)
        return Condition(LocalHints(ab, mask), overall)
