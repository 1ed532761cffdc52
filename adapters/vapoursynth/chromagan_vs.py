"""A VapourSynth function: colours for YUV and gray clips, whose Y plane stays bit for bit.

    import vapoursynth as vs
    from chromagan_vs import colorize

    clip = vs.core.bs.VideoSource("reel.mkv")
    colorize(clip).set_output()

Scene by scene, as `chromagan film` does: key frames are painted, their colours carried along the motion. For that the
clip is read once from end to end when its first frame is asked for. Frames come out the same in any order.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import vapoursynth as vs

from chromagan import Colorizer, Request
from chromagan.errors import UsageError
from chromagan.film.grain import REACH, without_grain
from chromagan.film.motion import Motion, motion
from chromagan.film.pictures import laid, upright_lightness
from chromagan.film.plan import Plan, Window, looked_size, motion_size
from chromagan.film.planes import chroma, lightness
from chromagan.film.reel import CODES, MATRICES
from chromagan.film.scenes import CutFinder
from chromagan.film.steady import State, carry, choose_keys

KEPT_WINDOWS = 3  # of at most 240 frames, whose small colours stay in memory: up to 55 MB each


def colorize(
    clip: vs.VideoNode, model: str = "chromagan", device: str = "auto", *, steady: bool = True, **asked: Any
) -> vs.VideoNode:
    """Colour a clip.

    Args:
        clip: YUV or gray, 8 to 16 bits of integers, of constant format; gray becomes 4:2:0. Its first frame says matrix
            and range; where it does not, the height decides (BT.709 from 720 rows), and the range is limited.
        model: as for `Colorizer.from_pretrained`.
        device: "auto", "cpu", "cuda" or "mps".
        steady: False paints each frame by itself, and reads none ahead.
        **asked: fields of `chromagan.Request`, such as `saturation=0.8`.

    Raises:
        UsageError: a clip of another kind.
    """
    format = clip.format
    constant = format is not None and clip.width
    if not constant or format.color_family not in (vs.YUV, vs.GRAY) or format.sample_type != vs.INTEGER:
        raise UsageError("colorize takes YUV or gray clips of whole numbers and constant format; "
                         'clip.resize.Bicubic(format=vs.YUV420P16, matrix_s="709") makes one')  # fmt: skip
    if not 8 <= format.bits_per_sample <= 16:
        raise UsageError(f"colorize takes 8 to 16 bits, not {format.bits_per_sample}; use clip.resize.Point first")
    shift = (format.subsampling_w, format.subsampling_h)
    if format.color_family == vs.GRAY:
        shift = (1 - clip.width % 2, 1 - clip.height % 2)
    props = clip.get_frame(0).props
    matrix = MATRICES.get(props.get("_Matrix", 2), "bt601" if clip.height < 720 else "bt709")
    full_range = props.get("_Range", 1 - props.get("_ColorRange", 1)) == 1
    picture = SimpleNamespace(width=clip.width, height=clip.height, bits=format.bits_per_sample, shift=shift,
                              full_range=full_range, matrix=matrix, rotation=0)  # fmt: skip
    colours = _Colours(clip, picture, Colorizer.from_pretrained(model, device), Request(**asked), steady)

    made = vs.core.query_video_format(vs.YUV, vs.INTEGER, picture.bits, *shift)
    blank = clip.std.BlankClip(format=made.id, keep=True)

    def painted(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        out = f[1].copy()
        for plane, codes in zip((1, 2), chroma(_luma(f[0]), colours.of(n), picture), strict=True):
            np.copyto(np.asarray(out[plane]), codes)
        return out

    uv = vs.core.std.ModifyFrame(blank, [clip, blank], painted)
    return vs.core.std.ShufflePlanes([clip, uv, uv], [0, 1, 2], vs.YUV).std.SetFrameProps(_Matrix=CODES[matrix])


def _luma(frame: vs.VideoFrame) -> Any:
    return np.asarray(frame[0])


class _Colours:
    """The small colours of a clip's frames, a window of a scene at a time."""

    def __init__(self, clip: Any, picture: Any, colorizer: Colorizer, request: Request, steady: bool) -> None:
        self.clip, self.picture, self.colorizer, self.request, self.steady = clip, picture, colorizer, request, steady
        self._lock = threading.Lock()
        self._own: dict[int, Any] = {}  # painted key frames of windows to come
        self._windows: list[Window] = []
        self._done: dict[int, tuple[Any, State]] = {}  # by window, the oldest first

    def of(self, n: int) -> Any:
        """(2, h, w) float32 a* and b* of a frame."""
        if not self.steady:
            return self._painted(n)
        with self._lock:
            self._windows = self._windows or self._planned()
            number = next(one.number for one in self._windows if n < one.stop)
            # What a window starts from is handed on from the first one of its scene.
            begin = number
            while begin not in self._done and not self._windows[begin].first:
                begin -= 1
            for one in range(begin, number + 1):
                if one not in self._done:
                    self._done[one] = self._coloured(self._windows[one])
                if len(self._done) > KEPT_WINDOWS:
                    del self._done[next(iter(self._done))]
            return self._done[number][0][n - self._windows[number].start].astype(np.float32)

    def _planned(self) -> list[Window]:
        cuts, starts, count = CutFinder(), {0}, self.clip.num_frames
        for n in range(count):
            starts.update(cuts.feed(self._small(n)))
        starts.update(cuts.finish())
        plan = Plan(tuple(range(count)), (), frozenset(), tuple(sorted(starts)))
        return plan.windows(self.picture.width * self.picture.height * (1 + (self.picture.bits > 8)))

    def _coloured(self, window: Window) -> tuple[Any, State]:
        L = [self._small(n) for n in range(window.start - (not window.first), window.ahead)]
        motions = [motion(this, following) for this, following in itertools.pairwise(L)]
        before, inside = None if window.first else self._done[window.number - 1][1], window.stop - window.start
        keys = choose_keys(motions, before, inside)
        own = {key: self._painted(window.start + key, motions[key + (not window.first) :]) for key in keys}
        self._own = {n: ab for n, ab in self._own.items() if n >= window.stop}  # the next window begins with it
        return carry(L[not window.first :], motions, own, None, before, inside)

    def _small(self, n: int, size: tuple[int, int] | None = None) -> Any:
        return lightness(_luma(self.clip.get_frame(n)), self.picture, size or motion_size(self.picture))

    def _painted(self, n: int, motions: Sequence[Motion] = ()) -> Any:
        if n in self._own:
            return self._own[n]
        size = (
            looked_size(self.picture, self.request.size) if self.steady else (self.picture.height, self.picture.width)
        )
        L = [self._small(one, size) for one in range(n, n + min(REACH, len(motions)) + 1)]
        walk = self.colorizer.start(upright_lightness(without_grain(L, motions), self.picture), self.request)
        self.colorizer.answer([walk])
        ab = laid(walk.abs[0][0].numpy(), motion_size(self.picture), self.picture)
        return self._own.setdefault(n, ab) if self.steady else ab
