"""A session on a screen: pictures of its size, colours to choose from."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.color.gamut import gamut_edges
from chromagan.conditioning.references import Influence
from chromagan.conditioning.suggest import suggest
from chromagan.images.join import join_chroma
from chromagan.images.keep import put_back
from chromagan.images.read import Photo
from chromagan.images.resize import reduced
from chromagan.inference.request import Request
from chromagan.inference.stages import Walk

SIDE = 1200  # pixels


class Screen:
    """What a `Session` shows of its photo while a person works on it."""

    photo: Photo

    def __init__(self) -> None:
        self._proxies: dict[int, NDArray[np.uint8]] = {}

    def _asked(self, request: Request | float | None, changes: dict[str, Any], quick: bool = False) -> Walk:
        """The photo's way as the request has it."""
        raise NotImplementedError

    def _latest(self) -> Walk:
        """The photo's way as it was asked for last."""
        raise NotImplementedError

    def _distribution(self, walk: Walk) -> tuple[Tensor | None, Tensor | None]:
        """What is predicted of the colours of places: logits (1, Q, h, w), and the bins' centres (Q, 2)."""
        raise NotImplementedError

    def preview(
        self, request: Request | None = None, side: int = SIDE, quick: bool = False, **changes: Any
    ) -> list[NDArray[np.uint8]]:
        """The pictures of `paint` for the screen: the same colours, joined with the photo at a smaller size.

        Args:
            request: as for a call.
            side: the long side in pixels; no more than the photo's own.
            quick: do not ask a network again that is shown strokes; what it said before will do for now.
            **changes: as for a call.

        Returns:
            For each picture (h, w, 3) uint8 RGB.
        """
        walk, proxy = self._asked(request, changes, quick), self.proxy(side)
        kept = walk.ground.kept(walk.request.guidance)
        if kept is None:
            return [np.ascontiguousarray(join_chroma(proxy, ab)) for ab in walk.abs]
        mask = np.asarray(cv2.resize(kept, proxy.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
        pictures: list[NDArray[np.uint8]] = [np.ascontiguousarray(join_chroma(proxy, ab)) for ab in walk.free]
        for picture in pictures:
            put_back(picture, proxy, mask)
        return pictures

    @property
    def influences(self) -> tuple[Influence, ...]:
        """What each reference did to the picture that was asked for last."""
        return self._latest().ground.influences

    def proxy(self, side: int = SIDE) -> NDArray[np.uint8]:
        """The photo as it came, at the size of a preview: (h, w) gray or (h, w, 3) RGB, uint8."""
        if side not in self._proxies:
            self._proxies[side] = reduced(self.photo.pixels, side)
        return self._proxies[side]

    def ready(self) -> None:
        """Work out ahead what a first stroke would wait for, while a person is still looking."""
        walk = self._latest()
        rows, columns = walk.painted[0].shape[2:]
        walk.ground.terrain((rows, columns))
        gamut_edges(torch.arange(401) / 4)

    def suggest(self, x: float, y: float, count: int = 6) -> list[tuple[int, int, int]]:
        """Colours that one place could have, the likeliest first, as `chromagan.conditioning.suggest` finds them.

        Args:
            x: share of the photo's width, from the left.
            y: share of its height, from the top.
            count: of colours, at most.

        Returns:
            sRGB of 8 bits each, at the lightness of that place.
        """
        walk = self._latest()
        logits, centres = self._distribution(walk)
        return suggest((x, y), walk.prepared.guide, walk.painted[0], logits, centres, count)
