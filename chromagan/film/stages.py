"""The stages of a film's windows: decode, motion, paint, encode; each on a thread of its own.

A window's colours go on from where those of the window before it in its scene stand; that state is written beside its
part, so that a run which was killed goes on to the same frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chromagan.errors import ReadError
from chromagan.files.atomic import write_atomically
from chromagan.film.folder import Parts
from chromagan.film.frames import Frame
from chromagan.film.grain import REACH, without_grain
from chromagan.film.led import led
from chromagan.film.motion import Motion, motion
from chromagan.film.order import Order
from chromagan.film.part import PartWriter
from chromagan.film.pictures import laid, upright, upright_lightness
from chromagan.film.plan import Plan, Window, looked_size, motion_size
from chromagan.film.planes import chroma, lightness
from chromagan.film.resume import load_state
from chromagan.film.steady import State, carry, choose_keys
from chromagan.images.read import Photo
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.pipeline import Item

Floats = NDArray[np.float32]
LEADING = 50.0  # what a key frame counts that a person has guided, where one that the network painted alone counts 1


@dataclass
class Work:
    """A window on its way.

    Attributes:
        frames: of the window and of what is looked at beyond it, until they are written.
        L: of each, (h, w) float32 in [0, 100], at the size of motion.
        motions: to each frame from the one before it; the first of a scene has none.
        ab: (n, 2, h, w) of the window's frames alone, once they are painted.
    """

    frames: list[Frame]
    L: list[Floats]
    motions: list[Motion]
    ab: NDArray[Any] | None = None


class FilmStages:
    """What each stage does to windows.

    Args:
        order: what is asked for.
        plan: of the film.
        parts: where finished windows go.
        colorizer: that paints.
        on_frame: called after each frame that is written.

    Attributes:
        keys: frames that the network has painted.
    """

    def __init__(
        self, order: Order, plan: Plan, parts: Parts, colorizer: Colorizer, on_frame: Callable[[], None]
    ) -> None:
        self.order, self.reel, self.plan, self.parts, self.colorizer = order, order.reel, plan, parts, colorizer
        self.keys = 0
        self._on_frame = on_frame
        self._kept: list[tuple[Frame, Floats]] = []  # decoded already, for the window before
        self._decoding: Iterator[Frame] = iter(())
        self._own: dict[int, Floats] = {}  # painted already, of frames that are still to come
        self._state: tuple[int, State | None] = (-1, None)  # after the window of that number

    def load(self) -> None:
        """What guides the film; beside the decoding of the first window."""
        found = self.order.guides(self.plan)
        self.guides = led(found, self.plan, self.reel, self.parts, self.colorizer, self.order.request)

    def decode(self, items: list[Item]) -> None:
        """Frames of windows and a little beyond; those that were decoded for the window before are not again."""
        for item in items:
            window: Window = item.job
            item.value = Work(*self._decoded(window), [])

    def follow(self, items: list[Item]) -> None:
        """Motion between neighbours; the frame before the window has served then."""
        for item in items:
            work: Work = item.value
            if self.order.steady:
                work.motions = [motion(this, following) for this, following in itertools.pairwise(work.L)]
            if not item.job.first:
                del work.frames[0], work.L[0]

    def paint(self, items: list[Item]) -> None:
        """Key frames by the network, all others by carrying their colours along."""
        for item in items:
            window, work = item.job, item.value
            inside = window.stop - window.start
            if not self.order.steady:
                painted = self._painted(window, work, range(inside))
                work.ab = np.stack([painted[number] for number in range(inside)])
                continue
            # 1. Key frames: those that show what no other does, those that a person has guided, no damaged ones.
            before = None if window.first else self._before(window)
            guided = {frame - window.start for frame in self.guides.frames if window.start <= frame < window.ahead}
            keys = self._whole(choose_keys(work.motions, before, inside, guided), work)
            own = self._painted(window, work, keys)
            # 2. From where the window before stands, if it is of the same scene.
            weights = {key: LEADING for key in guided}
            work.ab, state = carry(work.L, work.motions, own, weights, before, inside)
            self._keep(window, state)

    def encode(self, items: list[Item]) -> None:
        """Chroma planes under each frame's own Y, into a part."""
        for item in items:
            window, work = item.job, item.value
            path = self.parts.part(window.number)
            with PartWriter(path, self.reel, self.order.coding) as writer:
                for number in range(window.stop - window.start):
                    frame, ab = work.frames[number], work.ab[number].astype(np.float32)
                    work.frames[number] = None
                    if frame.damaged:  # no colours on what is not a picture
                        ab = np.zeros_like(ab)
                    writer.write(frame, *chroma(frame.luma, ab, self.reel, writer.bits))
                    self._on_frame()
            item.value = None

    def _decoded(self, window: Window) -> tuple[list[Frame], list[Floats]]:
        """Frames and their small lightness, from the frame before the window on if that is of the same scene."""
        begin, kept = window.start - (not window.first), self._kept
        if not kept or not kept[0][0].index <= begin <= kept[-1][0].index:
            kept, self._decoding = [], self.plan.decoded(self.reel, begin, len(self.plan.pts))
        kept = [one for one in kept if one[0].index >= begin]
        while len(kept) < window.ahead - begin:
            frame = next(self._decoding, None)
            if frame is None:
                raise ReadError(f"{self.reel.path}: it has fewer frames than a minute ago; is it still being written?")
            kept.append((frame, lightness(frame.luma, self.reel, motion_size(self.reel))))
        self._kept = kept[window.stop - 1 - begin :]
        return [frame for frame, _ in kept], [L for _, L in kept]

    def _keep(self, window: Window, state: State) -> None:
        write_atomically(self.parts.state(window.number), lambda file: file.write(state.save()), sync=True)
        self._state = window.number, state

    def _before(self, window: Window) -> State:
        number, state = self._state
        if number != window.number - 1 or state is None:
            state = load_state(window.number - 1, self.parts)
        return state

    @staticmethod
    def _whole(keys: list[int], work: Work) -> list[int]:
        """Key frames, or for damaged ones the next that are not; the first stays, whatever it is."""
        count = len(work.frames)
        moved = (next((one for one in range(key, count) if not work.frames[one].damaged), None) for key in keys)
        return sorted({one for one in moved if one is not None}) or keys[:1]

    def _shown(self, window: Window, work: Work, number: int) -> Photo:
        """What the network sees of a frame: its lightness without grain, which it would take for texture."""
        if not work.motions:
            return upright(work.frames[number], self.reel)
        near, size = work.frames[number : number + REACH + 1], looked_size(self.reel, self.order.request.size)
        L = [lightness(frame.luma, self.reel, size) for frame in near]
        return upright_lightness(without_grain(L, work.motions[number + (not window.first) :]), self.reel)

    def _painted(self, window: Window, work: Work, numbers: Iterable[int]) -> dict[int, Floats]:
        """The colours of frames by themselves, (2, h, w) at the size of motion; none is painted twice."""
        painted: dict[int, Floats] = {}
        for number in numbers:
            frame = window.start + number
            if frame not in self._own:
                guidance = self.guides.of(window.scene, frame, self.order.request.guidance)
                asked = replace(self.order.request, guidance=guidance)
                walk = self.colorizer.start(self._shown(window, work, number), asked)
                self.colorizer.answer([walk])
                self._own[frame] = laid(walk.abs[0][0].numpy(), work.L[0].shape, self.reel)
                self.keys += 1
            painted[number] = self._own[frame]
        self._own = {frame: ab for frame, ab in self._own.items() if frame >= window.stop}
        return painted
