"""One photo painted many times, at its own size and for a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from numbers import Real
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chromagan.color.gamut import gamut_edges
from chromagan.conditioning.references import Influence
from chromagan.conditioning.suggest import suggest
from chromagan.errors import UsageError
from chromagan.images.join import join_chroma
from chromagan.images.keep import put_back
from chromagan.images.read import Photo
from chromagan.images.resize import reduced
from chromagan.inference.adviser import Adviser
from chromagan.inference.colored import Colored
from chromagan.inference.old_names import deprecated
from chromagan.inference.request import Request
from chromagan.inference.stages import Walk
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look

SIDE = 1200  # pixels of the long side on a screen


class Painter(Protocol):
    """What a session needs of a `Colorizer`."""

    network: ColorizationNetwork
    look: Look
    adviser: Adviser

    def start(self, photo: Photo, request: Request) -> Walk:
        """Begin a photo's way."""
        ...

    def answer(self, walks: Sequence[Walk]) -> None:
        """The network's part of it."""
        ...

    def go_on(self, walk: Walk, photo: Photo, request: Request) -> Walk:
        """The way as another request has it, from where the two part."""
        ...

    def end(self, photo: Photo, walk: Walk) -> list[Colored]:
        """The end of it."""
        ...


class Session:
    """One photo, read and prepared once and painted many times: only what a request changes is worked out anew.

    Args:
        colorizer: that paints it.
        photo: the photo.
    """

    def __init__(self, colorizer: Painter, photo: Photo) -> None:
        self.colorizer, self.photo = colorizer, photo
        self._proxies: dict[int, NDArray[np.uint8]] = {}
        self._walk: Walk | None = None
        self._advice: tuple[Tensor, Tensor] | None = None

    def paint(self, request: Request | None = None, **changes: Any) -> list[Colored]:
        """The photo as the request has it; the same as `Colorizer.colorize` gives.

        Args:
            request: as for a call.
            **changes: as for a call.
        """
        return self.colorizer.end(self.photo, self._asked(requested(request, changes)))

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
        walk, proxy = self._asked(requested(request, changes), quick), self.proxy(side)
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

    def _asked(self, asked: Request, quick: bool = False) -> Walk:
        """The photo's way as the request has it."""
        if quick and self._walk is not None and _drawn_of(asked) == _drawn_of(self._walk.request):
            return self._walk.again(asked, asked.over(self.colorizer.look)).guided()  # and forgotten
        if self._walk is None:
            self._walk = self.colorizer.start(self.photo, asked)
            self.colorizer.answer([self._walk])
        else:
            self._walk = self.colorizer.go_on(self._walk, self.photo, asked)
        return self._walk

    def _latest(self) -> Walk:
        return self._walk or self._asked(Request())

    def _distribution(self, walk: Walk) -> tuple[Tensor | None, Tensor | None]:
        bins = self.colorizer.network.bins
        if bins is not None and walk.prediction.bin_logits is not None:
            return walk.prediction.bin_logits, bins.centres
        if self._advice is None:  # once a photo, by a small network that predicts some
            self._advice = self.colorizer.adviser.distribution(walk.prepared.L)
        return self._advice


def _drawn_of(request: Request) -> Any:
    """What of a request decides which pictures there are."""
    return request.size, request.views, request.variations, request.seed, request.guidance.vary


def requested(request: Request | float | None, changes: dict[str, Any]) -> Request:
    """One request of what a call gives; a bare number is the saturation, as in version 0.1."""
    if isinstance(request, Real):
        deprecated("Colorizer(image, saturation)", "saturation=... by name")
        request = Request(saturation=float(request))
    if not isinstance(request, Request | None):
        raise UsageError(f"what is asked for is a Request, not {request!r}")
    known = [field.name for field in fields(Request)]
    strange = [name for name in changes if name not in known]
    if strange:
        raise UsageError(f"a request has no field {strange[0]!r}; it has {', '.join(known)}")
    return replace(request or Request(), **changes)
