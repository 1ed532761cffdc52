"""What a film is made of, found in one pass: its frames' stamps, its scenes, and the windows that are worked on."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chromagan.errors import ReadError, UsageError
from chromagan.files.atomic import write_json
from chromagan.film.frames import Frame, frames
from chromagan.film.planes import lightness
from chromagan.film.reel import Reel
from chromagan.film.scenes import CutFinder

MOST_FRAMES = 240  # of a window
MOST_BYTES = 96 << 20  # of its luma
AHEAD = 24  # frames of the scene beyond a window that are looked at
_MOTION_AREA = 320 * 180  # pixels at which motion is followed


@dataclass(frozen=True)
class Window:
    """A stretch of one scene that is worked on, and written, at once.

    Attributes:
        number: of the window in the film.
        scene: of the scene in the film.
        start: its first frame.
        stop: one beyond its last.
        ahead: one beyond the last frame that is looked at.
        first: whether it is the first of its scene.
    """

    number: int
    scene: int
    start: int
    stop: int
    ahead: int
    first: bool


@dataclass(frozen=True)
class Plan:
    """What is known of the frames that are coloured.

    Attributes:
        pts: of each frame, in ticks of the reel's time base.
        checks: of each frame, see `Frame.check`.
        damaged: numbers of frames that were decoded with errors.
        scenes: the first frame of each scene.
    """

    pts: tuple[int, ...]
    checks: tuple[int, ...]
    damaged: frozenset[int]
    scenes: tuple[int, ...]

    def windows(self, frame_bytes: int) -> list[Window]:
        """The windows, each inside one scene, of much the same length in it.

        Args:
            frame_bytes: of one frame's luma.
        """
        most, found = min(MOST_FRAMES, max(AHEAD, MOST_BYTES // frame_bytes)), list[Window]()
        for scene, (begin, end) in enumerate(zip(self.scenes, [*self.scenes[1:], len(self.pts)], strict=True)):
            count = -(-(end - begin) // most)
            borders = [begin + (end - begin) * one // count for one in range(count + 1)]
            for start, stop in zip(borders, borders[1:], strict=False):
                window = Window(len(found), scene, start, stop, min(stop + AHEAD, end), start == begin)
                found.append(window)
        return found

    def scene_of(self, frame: int) -> int:
        """The scene that a frame lies in."""
        return bisect_right(self.scenes, frame) - 1

    def frame_at(self, ticks: float) -> int | None:
        """The frame that is shown at a stamp; None outside of what is coloured."""
        last = self.pts[-1] + (self.pts[-1] - self.pts[0]) / max(1, len(self.pts) - 1)
        return bisect_right(self.pts, ticks) - 1 if self.pts[0] <= ticks <= last + 1 else None

    def decoded(self, reel: Reel, start: int, stop: int) -> Iterator[Frame]:
        """The frames from one to another, the same as in the first pass."""
        return frames(reel, start, stop, self.pts, self.checks)

    def save(self, file: Path, of: dict[str, Any]) -> None:
        """Write it down, with what it is of."""
        write_json(file, {"of": of, **asdict(self), "damaged": sorted(self.damaged)}, sync=True)

    @classmethod
    def load(cls, file: Path, of: dict[str, Any]) -> Plan | None:
        """Read what `save` wrote; None where there is none, or of something else."""
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            if values.pop("of") != json.loads(json.dumps(of)):
                return None
            tuples = {name: tuple(values[name]) for name in ("pts", "checks", "scenes")}
            return cls(**tuples, damaged=frozenset(values["damaged"]))
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return None


def make_plan(reel: Reel, on_frame: Callable[[], None] = lambda: None) -> Plan:
    """Decode the whole of what is coloured once.

    Args:
        reel: the film, or the stretch of it.
        on_frame: called after each frame.

    Raises:
        ReadError: no frame of it can be decoded.
        UsageError: the stretch has no frame.
    """
    pts, checks, damaged, scenes = list[int](), list[int](), list[int](), list[int]()
    size, cuts = motion_size(reel), CutFinder()
    for frame in frames(reel):
        scenes += cuts.feed(lightness(frame.luma, reel, size))
        pts.append(frame.pts)
        checks.append(frame.check)
        if frame.damaged:
            damaged.append(frame.index)
        on_frame()
    if not pts and reel.span != (None, None):
        begin, end = (None if tick is None else f"{reel.seconds_at(tick):g} s" for tick in reel.span)
        raise UsageError(f"{reel.path}: there is no frame from {begin or 'its beginning'} to {end or 'its end'}")
    if not pts:
        raise ReadError(f"{reel.path}: no frame of it can be decoded; it is empty or damaged")
    return Plan(tuple(pts), tuple(checks), frozenset(damaged), tuple(sorted({0, *scenes, *cuts.finish()})))


def motion_size(reel: Reel) -> tuple[int, int]:
    """Rows and columns at which cuts and motion are looked for: about `_MOTION_AREA` pixels, no more than there are."""
    scale = min(1.0, math.sqrt(_MOTION_AREA / (reel.width * reel.height)))
    return max(1, round(reel.height * scale)), max(1, round(reel.width * scale))


def looked_size(reel: Reel, size: int | None) -> tuple[int, int]:
    """Rows and columns of what the network is shown of a frame: those of motion, which make it calmer, or of `size`.

    Args:
        reel: the film.
        size: the short side that a request asks for, if it does.
    """
    small, whole = motion_size(reel), (reel.height, reel.width)
    scale = min(max((size or 0) / min(small), 1.0), min(whole) / min(small))
    return (round(small[0] * scale), round(small[1] * scale)) if scale > 1 else small
