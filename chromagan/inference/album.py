"""The reference photos of a colorizer: each is read, checked and seen once, whatever number of photos it is for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.color.lab import rgb_to_lab
from chromagan.conditioning.guidance import Reference
from chromagan.conditioning.references import Seen, Told, tell
from chromagan.errors import UsageError
from chromagan.images.read import read_photo
from chromagan.inference.guide import Ground
from chromagan.inference.masks import digest_of
from chromagan.inference.stages import Walk, device_of, predict, working_size
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look
from chromagan.pretrained.hub import load_pretrained

EYES = "chromagan@small"  # whose semantic branch sees photos and references, whichever network paints
_LOOK = Look(size=256)
_KEPT = 16  # references that are remembered, at most
_LEAST_CHROMA = 2.0  # Lab units, mean over the photo: below it there is no colour to take


class Album:
    """Reference photos, as matching sees them.

    What is known of trust was measured with one network's branch, so that one looks at every photo.

    Args:
        network: that paints.
        sha256: the digest of its weights; where it is that of `EYES`, it is not loaded again.
    """

    def __init__(self, network: ColorizationNetwork, sha256: str = "") -> None:
        self._network, self._sha256 = network, sha256
        self._eyes: ColorizationNetwork | None = None
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._lock = threading.RLock()

    def tell(self, ground: Ground, reference: Reference) -> Told:
        """What a reference tells of the photo of a ground, which keeps it.

        Raises:
            ReadError: the reference cannot be read.
            UsageError: it has no colours, or is another photo than it was.
        """
        key = reference.sha256
        if key not in ground.told:
            seen = self.seen(reference)
            if ground.seen is None:
                ground.seen = self._seen_by_painting(ground) or Seen(ground.L, *self._maps(ground.pixels)[1:])
            ground.told[key] = tell(ground.seen, seen)
        return ground.told[key]

    def seen(self, reference: Reference) -> Seen:
        """A reference as matching sees it; errors as for `tell`."""
        key = reference.sha256
        with self._lock:
            if key not in self._seen:
                self._seen[key] = self._read(reference)
                if len(self._seen) > _KEPT:
                    self._seen.popitem(last=False)
            self._seen.move_to_end(key)
            return self._seen[key]

    def _read(self, reference: Reference) -> Seen:
        if digest_of(reference.file) != reference.sha256:
            raise UsageError(f"reference {reference.file}: it is another photo than it was; name the right one")
        pixels = read_photo(reference.file).pixels
        none = f"reference {reference.file}: it has no colours to take; name a colour photo"
        if pixels.ndim == 2:
            raise UsageError(none)
        L, features, fine = self._maps(pixels)
        colours = _ab(pixels, (L.shape[-2], L.shape[-1]))
        if float(colours.square().sum(1).sqrt().mean()) < _LEAST_CHROMA:
            raise UsageError(none)
        return Seen(L, features, fine, colours)

    def _seen_by_painting(self, ground: Ground) -> Seen | None:
        """Where the network that painted is the one that looks, and saw the photo at the size for it."""
        features, fine = ground.features, ground.fine_features
        if features is None or fine is None or self._opened() is not self._network:
            return None
        height, width = ground.pixels.shape[:2]
        rows, columns = working_size(height, width, _LOOK.size, self._network.ab_stride)
        if tuple(fine.shape[-2:]) != (-(-rows // 8), -(-columns // 8)):
            return None
        return Seen(ground.L, features.float().cpu(), fine.float().cpu())

    def _maps(self, pixels: NDArray[Any]) -> tuple[Tensor, Tensor, Tensor]:
        """L at the size of the guide, and the branch's maps at two strides."""
        eyes = self._opened()
        walk = Walk(pixels, _LOOK).start(eyes)
        prediction = predict(eyes, [walk.prepared.L])[0]
        assert prediction.features is not None
        assert prediction.fine_features is not None
        return walk.prepared.guide, prediction.features.float().cpu(), prediction.fine_features.float().cpu()

    def _opened(self) -> ColorizationNetwork:
        with self._lock:
            if self._eyes is None:
                network, card = load_pretrained(EYES)
                own = card.sha256 == self._sha256
                self._eyes = self._network if own else network.eval().requires_grad_(False).to(device_of(self._network))
            return self._eyes


def _ab(pixels: NDArray[Any], size: tuple[int, int]) -> Tensor:
    """(1, 2, rows, columns) in Lab units."""
    top = np.float32(np.iinfo(pixels.dtype).max)
    small = cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.float32) / top
    return rgb_to_lab(torch.from_numpy(small).permute(2, 0, 1)[None])[:, 1:].contiguous()
