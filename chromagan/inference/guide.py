"""The stage of guidance: what a person wishes of the colours that the network has painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.conditioning.borders import calm_border
from chromagan.conditioning.condition import LocalHints
from chromagan.conditioning.encode import local_wishes
from chromagan.conditioning.guidance import Guidance, Reference, Region
from chromagan.conditioning.local_saturation import saturate_locally
from chromagan.conditioning.palette import towards_palette
from chromagan.conditioning.references import Influence, Seen, Told, transfer
from chromagan.conditioning.spread import spread
from chromagan.conditioning.terrain import Terrain
from chromagan.images.resize import resize_antialiased
from chromagan.inference.hint_files import layer_pixels
from chromagan.inference.kept import kept_mask, leading, own_ab
from chromagan.inference.masks import mask_of
from chromagan.inference.request import Request

Regions = tuple[Region | None, Region | None]
_WARMEST = (4.0, 12.0)  # Lab units of a* and b* at warmth 1


class Ground:
    """What guidance meets in one photo; what is worked out on it is kept for the next wish.

    Args:
        L: (1, 1, h, w) in [0, 100] at the size of the guide; ab is brought up to that size or a smaller one.
        pixels: of the photo, see `chromagan.inference.stages.prepare`.

    Attributes:
        features: (1, F, h', w') of the semantic branch, where the network hands some over, once it has been run.
        fine_features: of it too, at half the stride.
        tell: finds out what a reference tells of this photo; set by whoever can read references.
        seen: the photo as references are matched with it, once they are.
        told: by each reference, by the digest of its content.
        influences: what each reference did when the photo was last guided.
    """

    features: Tensor | None = None
    fine_features: Tensor | None = None
    tell: Callable[[Ground, Reference], Told]
    seen: Seen | None = None
    influences: tuple[Influence, ...] = ()

    def __init__(self, L: Tensor, pixels: NDArray[Any]) -> None:
        self.L, self.pixels = L, pixels
        self.told: dict[str, Told] = {}
        self._terrain: Terrain | None = None
        self._kept: tuple[Regions, NDArray[np.uint8] | None] = ((None, None), None)
        self._leading: tuple[Any, LocalHints | None] = (None, None)

    def lightness(self, size: tuple[int, int]) -> Tensor:
        """L (1, 1, rows, columns) at the size that ab has."""
        return resize_antialiased(self.L, size)

    def terrain(self, size: tuple[int, int]) -> Terrain:
        """On which wishes spread, at the size that ab has."""
        if self._terrain is None or self._terrain.node_of.shape != size:
            features = None if self.features is None else self.features[0].float().cpu().numpy()
            self._terrain = Terrain(self.lightness(size)[0, 0].numpy(), features)
        return self._terrain

    def kept(self, guidance: Guidance) -> NDArray[np.uint8] | None:
        """Where the photo's own pixels stay, see `kept_mask`."""
        asked = (guidance.only, guidance.keep)
        if self._kept[0] != asked:
            self._kept = (asked, kept_mask(self.pixels, guidance))
        return self._kept[1]

    def leading(self, keep: Region | None, size: tuple[int, int]) -> LocalHints | None:
        """Wishes that the colours that stay are for what lies beside them, see `chromagan.inference.kept.leading`."""
        if self._leading[0] != (keep, size):
            self._leading = ((keep, size), leading(self.pixels, keep, size) if keep else None)
        return self._leading[1]

    def share(self, region: Region, size: tuple[int, int]) -> Tensor:
        """How far each pixel lies in a region, (rows, columns) in [0, 1]."""
        whole = mask_of(region, (self.pixels.shape[0], self.pixels.shape[1]))
        mask = cv2.resize(whole, size[::-1], interpolation=cv2.INTER_AREA)  # of a narrow strip ab has another shape
        return torch.from_numpy(mask.astype(np.float32) / 255)

    def keep(self, ab: Tensor, guidance: Guidance) -> Tensor:
        """Painted colours (1, 2, h, w), with the photo's own ones where they stay."""
        kept = self.kept(guidance)
        if kept is None:
            return ab
        size = (ab.shape[2], ab.shape[3])
        share = cv2.resize(kept, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        return torch.lerp(ab, own_ab(self.pixels, size), torch.from_numpy(share))


def guide(
    ab: Tensor, ground: Ground, request: Request, wishes: LocalHints | None = None, turn: Tensor | None = None
) -> Tensor:
    """What a person wishes, laid over painted colours: of the whole photo first, of places last; then comes `keep`.

    Args:
        ab: (1, 2, h, w) float32 in Lab units on the CPU, with its saturation.
        ground: of the photo.
        request: what is asked for.
        wishes: colours at places, at any size; strokes of the request take their place.
        turn: what a network that was shown the wishes would change, (1, 2, h, w), where there is one.

    Returns:
        (1, 2, h, w); `ab` itself where nothing is wished.
    """
    if request.warmth:
        ab = ab + request.warmth * ab.new_tensor(_WARMEST).view(1, 2, 1, 1)
    ab = _as_references(ab, ground, request.guidance.references)
    if request.guidance.palette is not None:
        ab = towards_palette(ab, ground.lightness((ab.shape[2], ab.shape[3])), request.guidance.palette)
    ab = calm_border(ab, ground.lightness((ab.shape[2], ab.shape[3])))
    # Saturation under strokes, then their colours.
    size, strokes = (ab.shape[2], ab.shape[3]), request.guidance.strokes
    if strokes or request.guidance.layer:
        ab = saturate_locally(ab, strokes, ground.lightness(size))
        wishes = local_wishes(request.guidance, size, layer_pixels(request.guidance))
    elif wishes is not None:
        wishes = brought(wishes, size)
    wishes = _over(wishes, ground.leading(request.guidance.keep, size))
    if wishes is not None and wishes.mask.any():
        L = ground.lightness(size)
        shown = None if turn is None else ab + calm_border(turn, L)
        ab = spread(ab, wishes, L, ground.terrain(size), shown)
    return ab


def _over(wishes: LocalHints | None, others: LocalHints | None) -> LocalHints | None:
    """Wishes of a person, and others where there are none of these."""
    if wishes is None or others is None:
        return wishes or others
    free = (wishes.mask == 0).to(others.mask.dtype)
    return LocalHints(wishes.ab + free * others.ab, wishes.mask + free * others.mask)


def _as_references(ab: Tensor, ground: Ground, references: Sequence[Reference]) -> Tensor:
    """Colours of reference photos, where they can be trusted; the ground keeps what each did."""
    ground.influences = ()
    if not references:
        return ab
    told = [ground.tell(ground, reference) for reference in references]
    ab, did = transfer(ab, ground.lightness((ab.shape[2], ab.shape[3])), told, [one.strength for one in references])
    names = [PurePath(reference.file).name for reference in references]
    ground.influences = tuple(replace(one, name=name) for one, name in zip(did, names, strict=True))
    return ab


def brought(wishes: LocalHints, size: tuple[int, int]) -> LocalHints:
    """Wishes of one photo at another size; none gets lost where that is smaller."""
    rows, columns = wishes.mask.shape[2:]
    if (rows, columns) == size:
        return wishes
    both = torch.cat([wishes.ab, wishes.mask], 1)
    down, across = ((torch.arange(new) + 0.5) * old / new for new, old in zip(size, (rows, columns), strict=True))
    made = both[:, :, down.long()][..., across.long()]
    y, x = wishes.mask[0, 0].nonzero(as_tuple=True)
    made[:, :, y * size[0] // rows, x * size[1] // columns] = both[:, :, y, x]
    return LocalHints(made[:, :2], made[:, 2:])
