"""Steady colour: what the network painted on key frames, carried along motion to all frames of a scene.

Colours at key frames are a running mean along the paths of their pixels, which forgets what is old. A frame between two
key frames takes both of their colours, the nearer more, each as far as the way to it can be trusted. Nothing depends on
more than the frames up to the next key frame and what `without_grain` needs of it, `AHEAD` at most: a scene that is
worked on in windows, with `State` handed on and so many frames of look-ahead, gets the colours of one worked on whole.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.film.camera import Floats, warp
from chromagan.film.filling import filled
from chromagan.film.grain import REACH
from chromagan.film.motion import Motion, half
from chromagan.film.paths import longer, no_way

AHEAD = 24  # frames of look-ahead that a window needs
APART = AHEAD - REACH  # frames from one key frame to the next, at most
NOVEL = 0.12  # share of a frame that the last key frame does not explain, at which it becomes a key frame
AGE = 8.0  # key frames after which the mean has forgotten most
_DOUBT = np.float32(1e-3)  # of paths: where neither can be trusted, the nearer key frame decides
DARK, _CALM = 10.0, 4.0  # L below which it forgets more slowly, up to so many times


@dataclass(frozen=True)
class State:
    """What is known at a frame; what a window of a scene hands to the next one. All of it has the size of `Motion`.

    Attributes:
        ab: (h, w, 2) float32 mean colours at the last key frame.
        L: (h, w) float32 of the last key frame.
        weight: (h, w) float32 key frames in them, counted by their weights.
        path: (h, w, 3) float32 from this frame to the last key frame: pixels to add, and the trust in it.
        passed: frames since the last key frame.
    """

    ab: Floats
    L: Floats
    weight: Floats
    path: Floats
    passed: int

    def save(self) -> bytes:
        """As the bytes of an .npz file."""
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **{one.name: np.asarray(getattr(self, one.name)) for one in fields(self)})
        return file.getvalue()

    @classmethod
    def load(cls, saved: bytes) -> State:
        """Read `save` back, bit for bit."""
        with np.load(io.BytesIO(saved), allow_pickle=False) as file:
            return cls(file["ab"], file["L"], file["weight"], file["path"], int(file["passed"]))

    def moved(self, motion: Motion) -> State:
        """At the next frame."""
        return replace(self, path=longer(self.path, motion.back, motion.back_trust), passed=self.passed + 1)

    def met(self, own: Floats, weight: float, L: Floats) -> State:
        """At this frame, once the network has painted it.

        Args:
            own: (h, w, 2) what it has painted.
            weight: how much that counts.
            L: (h, w) of this frame.
        """
        # In the dark, where networks guess, colour follows more slowly.
        age = np.float32(AGE) * (1 + (_CALM - 1) * np.clip(1 - L / np.float32(DARK), 0, 1))
        left = warp(self.weight, self.path[..., :2]) * self.path[..., 2] * (1 - 1 / age)
        total = left + np.float32(weight)
        past = warp(self.ab, self.path[..., :2])
        return State(past + (own - past) * (weight / total)[..., None], L, total, no_way(*total.shape), 0)


def choose_keys(
    motions: Sequence[Motion], before: State | None = None, count: int | None = None, given: Collection[int] = ()
) -> list[int]:
    """The frames that the network shall paint: the first of a scene, and whatever the last one does not explain.

    A choice depends on earlier frames alone.

    Args:
        motions: to each frame from the one before it; the first one of a scene has none and is left out, so that a
            scene's first window has one motion less than frames, and every other window as many.
        before: of the window before this one, in the same scene.
        count: frames of the window without the look-ahead; all unless given.
        given: frames that are key frames anyway, such as those that a person has corrected.

    Returns:
        Numbers of frames, in their order: all key frames of the window, and the first one behind it.
    """
    keys = [] if before else [0]
    if not motions or count == len(keys) == 1:
        return keys
    fresh = no_way(*motions[0].back_trust.shape)
    path, passed = (before.path, before.passed) if before else (fresh, 0)
    for number, motion in enumerate(motions, start=len(keys)):
        path, passed = longer(path, motion.back, motion.back_trust), passed + 1
        if passed >= APART or 1 - path[..., 2].mean() > NOVEL or number in given:
            keys.append(number)
            path, passed = fresh, 0
            if count is not None and number >= count - 1:
                break
    return keys


def carry(
    L: Sequence[Floats],
    motions: Sequence[Motion],
    own: Mapping[int, Floats],
    weights: Mapping[int, float] | None = None,
    before: State | None = None,
    count: int | None = None,
) -> tuple[NDArray[np.float16], State]:
    """The colours of all frames of a window.

    Args:
        L: (H, W) float32 in [0, 100] of each frame, those of the look-ahead too.
        motions: as for `choose_keys`.
        own: of each key frame the ab that was painted, in Lab units; of any size.
        weights: of key frames that shall count more or less than 1, such as those that a person has corrected.
        before: of the window before this one, in the same scene.
        count: frames of the window without the look-ahead; all unless given.

    Returns:
        (count, 2, h, w) float16 at the size of `Motion`, half that of L; and what to hand to the next window.
    """
    count, weights = len(L) if count is None else count, weights or {}
    first = 0 if before else 1  # frame that the first motion leads to
    rows, columns = half(L[0].shape)
    out = np.empty((count, 2, rows, columns), np.float16)
    none = np.zeros((rows, columns), np.float32)
    state = before or State(np.zeros((rows, columns, 2), np.float32), none, none, no_way(rows, columns), 0)
    small = [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA) for plane in L]
    waiting: list[State] = []  # of frames since the last key frame
    handed = state
    for t in range(len(L)):
        if t >= first:
            state = state.moved(motions[t - first])
        waiting.append(state)
        if t in own:
            painted = [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA) for plane in own[t]]
            state = state.met(np.dstack(painted), weights.get(t, 1.0), small[t])
            since = t - len(waiting) + 1
            _between(waiting, state, motions[since + 1 - first : t + 1 - first], small[since : t + 1], out[since:])
            waiting = []
        if t == count - 1:
            handed = state
    _after(waiting, small[len(L) - len(waiting) :], out[len(L) - len(waiting) :])
    return out, handed


def _between(
    waiting: Sequence[State], key: State, motions: Sequence[Motion], L: Sequence[Floats], out: NDArray[np.float16]
) -> None:
    """Colours of the frames up to a key frame, itself the last of them."""
    path, last = key.path, len(waiting) - 1
    if last < len(out):
        out[last] = key.ab.transpose(2, 0, 1)
    for number in range(last - 1, -1, -1):
        path = longer(path, motions[number].ahead, motions[number].ahead_trust)
        if number < len(out):
            state, nearer = waiting[number], np.float32(waiting[number].passed / waiting[last].passed)
            one, other = (1 - nearer) * state.path[..., 2], nearer * path[..., 2]
            share = (other + nearer * _DOUBT) / (one + other + _DOUBT)
            past, following = warp(state.ab, state.path[..., :2]), warp(key.ab, path[..., :2])
            ab = past + (following - past) * share[..., None]
            known = np.maximum(state.path[..., 2], path[..., 2])
            keys = [(key.L, key.ab), (state.L, state.ab)]
            out[number] = filled(ab, known, L[number], keys).transpose(2, 0, 1)


def _after(waiting: Sequence[State], L: Sequence[Floats], out: NDArray[np.float16]) -> None:
    """Colours of the frames after a scene's last key frame."""
    for state, lightness, frame in zip(waiting, L, out, strict=False):
        ab = filled(warp(state.ab, state.path[..., :2]), state.path[..., 2], lightness, [(state.L, state.ab)])
        frame[:] = ab.transpose(2, 0, 1)
