"""Steady colour: what the network painted on key frames, carried along motion to all frames of a scene.

Colours at key frames are a running mean along the paths of their pixels, which forgets what is old. A frame between two
key frames takes both of their colours, the nearer more, each as far as the way to it can be trusted. Nothing depends on
more than the frames up to the next key frame, `AHEAD` at most: a scene that is worked on in windows, with `State`
handed on and so many frames of look-ahead, gets the colours of one that is worked on at once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from chromagan.film.motion import Bytes, Floats, Motion, Shifts, warp

AHEAD = 24  # frames from one key frame to the next, at most
NOVEL = 0.05  # share of a frame that the last key frame does not explain, at which it becomes a key frame
AGE = 8.0  # key frames after which the mean has forgotten most


@dataclass(frozen=True)
class State:
    """What is known at a frame; what a window of a scene hands to the next one.

    Attributes:
        ab: (h, w, 2) float32 mean colours at the last key frame.
        weight: (h, w) float32 key frames in them, counted by their weights.
        path: (h, w, 3) float32 from this frame to the last key frame: pixels to add, and the trust in it.
        passed: frames since the last key frame.
    """

    ab: Floats
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
            return cls(file["ab"], file["weight"], file["path"], int(file["passed"]))

    def moved(self, motion: Motion) -> State:
        """At the next frame."""
        return replace(self, path=_longer(self.path, motion.back, motion.back_trust), passed=self.passed + 1)

    def met(self, own: Floats, weight: float) -> State:
        """At this frame, once the network has painted it."""
        past, trust = warp(self.ab, self.path[..., :2]), self.path[..., 2]
        left = warp(self.weight, self.path[..., :2]) * trust * np.float32(1 - 1 / AGE)
        total = left + np.float32(weight)
        ab = past + (own.transpose(1, 2, 0) - past) * (np.float32(weight) / total)[..., None]
        return State(ab, total, _no_way(*total.shape), 0)


def _no_way(rows: int, columns: int) -> Floats:
    """The path from a frame to itself."""
    path = np.zeros((rows, columns, 3), np.float32)
    path[..., 2] = 1
    return path


def _longer(path: Floats, flow: Shifts, trust: Bytes) -> Floats:
    """A path as it is one frame on."""
    longer = warp(path, flow)
    longer[..., :2] += flow
    longer[..., 2] *= trust / np.float32(255)
    return longer


def choose_keys(motions: Sequence[Motion], before: State | None = None) -> list[int]:
    """The frames that the network shall paint: the first of a scene, and whatever the last one does not explain.

    A choice depends on earlier frames alone.

    Args:
        motions: to each frame from the one before it; the first one of a scene has none and is left out, so that a
            scene's first window has one motion less than frames, and every other window as many.
        before: of the window before this one, in the same scene.

    Returns:
        Numbers of frames in this window, in their order.
    """
    keys = [] if before else [0]
    if not motions:
        return keys
    fresh = _no_way(*motions[0].back_trust.shape)
    path, passed = (before.path, before.passed) if before else (fresh, 0)
    for number, motion in enumerate(motions, start=len(keys)):
        path, passed = _longer(path, motion.back, motion.back_trust), passed + 1
        if passed >= AHEAD or 1 - path[..., 2].mean() > NOVEL:
            keys.append(number)
            path, passed = fresh, 0
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
        L: (h, w) float32 in [0, 100] of each frame, those of the look-ahead too.
        motions: as for `choose_keys`.
        own: of each key frame the (2, h, w) ab that was painted, in Lab units.
        weights: of key frames that shall count more or less than 1, such as those that a person has corrected.
        before: of the window before this one, in the same scene.
        count: frames of the window without the look-ahead; all unless given.

    Returns:
        (count, 2, h, w) float16, and what to hand to the next window.
    """
    count, weights = len(L) if count is None else count, weights or {}
    first = 0 if before else 1  # frame that the first motion leads to
    out = np.empty((count, 2, *L[0].shape), np.float16)
    state = before or _unknown(*L[0].shape)
    waiting: list[State] = []  # of frames since the last key frame
    handed = state
    for t in range(len(L)):
        if t >= first:
            state = state.moved(motions[t - first])
        waiting.append(state)
        if t in own:
            state = state.met(own[t], weights.get(t, 1.0))
            since = t - len(waiting) + 1
            for number, ab in _between(waiting, state, motions[since + 1 - first : t + 1 - first]):
                if since + number < count:
                    out[since + number] = ab.transpose(2, 0, 1)
            waiting = []
        if t == count - 1:
            handed = state
    for number, one in enumerate(waiting, start=len(L) - len(waiting)):
        if number < count:
            out[number] = warp(one.ab, one.path[..., :2]).transpose(2, 0, 1)
    return out, handed


def _unknown(rows: int, columns: int) -> State:
    return State(np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns), np.float32),
                 _no_way(rows, columns), 0)  # fmt: skip


def _between(waiting: Sequence[State], key: State, motions: Sequence[Motion]) -> list[tuple[int, Floats]]:
    """Colours of the frames up to a key frame, itself the last of them: (number, (h, w, 2)), from the last one back."""
    done, path, gap = [(len(waiting) - 1, key.ab)], key.path, max(waiting[-1].passed, 1)
    for number in range(len(waiting) - 2, -1, -1):
        motion, state = motions[number], waiting[number]
        path = _longer(path, motion.ahead, motion.ahead_trust)
        past, following = warp(state.ab, state.path[..., :2]), warp(key.ab, path[..., :2])
        nearer = np.float32(state.passed / gap)
        one, other = (1 - nearer) * (state.path[..., 2] + 1e-3), nearer * (path[..., 2] + 1e-3)
        done.append((number, past + (following - past) * (other / (one + other))[..., None]))
    return done
