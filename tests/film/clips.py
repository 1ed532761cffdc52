"""Films whose truth is known: windows that move over the photographs that scikit-image and scikit-learn ship.

`Clip` gives every frame as arrays: colours, luma with and without grain, where each pixel was one frame before, and
what has not moved at all. `make_clip` writes the same frames as a file, with a tone as sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np

WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.678, 0.0593)}
TAGS = {"bt601": 6, "bt709": 1, "bt2020": 9}  # of the matrix, as files number them
UNEVEN = (1, 1, 2, 1, 3, 1, 1, 1, 2, 4)  # ticks from frame to frame of a film of variable rate
FLASH = 1.6


@cache
def photo(name):
    """A free photograph by its name: (H, W, 3) uint8."""
    if name in ("china", "flower"):
        from sklearn.datasets import load_sample_image

        return load_sample_image(f"{name}.jpg")
    from skimage import data

    return getattr(data, name)()


@cache
def _softened(name, tenths):
    """A photograph without what a picture of it at so many tenths of a pixel a pixel could not show; float32."""
    sigma = 0.055 * max(tenths**2 - 100, 0) ** 0.5
    pixels = photo(name).astype(np.float32)
    return cv2.GaussianBlur(pixels, (0, 0), sigma) if sigma else pixels


@dataclass(frozen=True)
class Thing:
    """A disc of another photograph that moves on a straight line before the shot, one way, at an even pace."""

    photo: str
    start: tuple[float, float] = (-0.2, 0.5)  # of its centre, as shares of the frame
    stop: tuple[float, float] = (1.2, 0.5)
    radius: float = 0.22  # as a share of the frame's height


@dataclass(frozen=True)
class Shot:
    """A window over a photograph, which may move and change its width: a pan, a zoom, or a still ground."""

    photo: str
    frames: int
    start: tuple[float, float, float] = (0.5, 0.5, 0.8)  # centre x, centre y, width, as shares of the photograph
    stop: tuple[float, float, float] | None = None  # where it has moved to at the last frame; nowhere unless given
    thing: Thing | None = None
    light: tuple[float, float] = (1.0, 1.0)  # factor on the codes at the first and at the last frame: (1, 0) fades out

    def _share(self, i):
        return i / max(self.frames - 1, 1)

    def camera(self, i, size):
        """(3, 3) from pixels of the frame to pixels of the photograph."""
        (width, height), (rows, columns) = size, photo(self.photo).shape[:2]
        x, y, wide = np.array(self.start) + self._share(i) * (np.array(self.stop or self.start) - self.start)
        scale = wide * columns / width
        if scale * height > rows:
            raise ValueError(f"the window is higher than {self.photo}")
        left = np.clip(x * columns - scale * width / 2, 0, columns - scale * width)
        top = np.clip(y * rows - scale * height / 2, 0, rows - scale * height)
        return np.array([[scale, 0, left + (scale - 1) / 2], [0, scale, top + (scale - 1) / 2], [0, 0, 1]])

    def centre(self, i, size):
        """Of the thing, in pixels."""
        start, stop = np.array(self.thing.start), np.array(self.thing.stop)
        return (start + self._share(i) * (stop - start)) * size - 0.5

    def cover(self, i, size):
        """(H, W) in [0, 1]: where the thing is."""
        if self.thing is None:
            return np.zeros(size[::-1], np.float32)
        x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        centre = self.centre(i, size)
        far = np.hypot(x - centre[0], y - centre[1])
        return np.clip(self.thing.radius * size[1] + 0.5 - far, 0, 1).astype(np.float32)

    def picture(self, i, size):
        """(H, W, 3) float32 in [0, 255]."""
        camera = self.camera(i, size)
        got = _warped(_softened(self.photo, round(10 * camera[0, 0])), camera, size)
        if self.thing is not None:
            other = photo(self.thing.photo)
            scale = min(other.shape[:2]) / (2.2 * self.thing.radius * size[1])
            middle = np.array(other.shape[1::-1]) / 2 - scale * self.centre(i, size)
            disc = _warped(_softened(self.thing.photo, round(10 * scale)),
                           np.array([[scale, 0, middle[0]], [0, scale, middle[1]], [0, 0, 1]]), size)  # fmt: skip
            got = got + self.cover(i, size)[..., None] * (disc - got)
        first, last = self.light
        return got * np.float32(first + self._share(i) * (last - first))

    def before(self, i, size):
        """Where each pixel was a frame before: (H, W, 2) pixels to add, and (H, W) bool whether it was to be seen."""
        x, y = np.meshgrid(np.arange(size[0], dtype=np.float64), np.arange(size[1], dtype=np.float64))
        back = np.linalg.inv(self.camera(i - 1, size)) @ self.camera(i, size)
        flow = np.stack([back[0, 0] * x + back[0, 2] - x, back[1, 1] * y + back[1, 2] - y], -1)
        seen = np.ones(size[::-1], bool)
        if self.thing is not None:
            here, there = self.cover(i, size) > 0.5, self.cover(i - 1, size)
            hidden = cv2.remap(there, (x + flow[..., 0]).astype(np.float32), (y + flow[..., 1]).astype(np.float32), 1)
            seen = here | (hidden < 0.5)
            flow[here] = self.centre(i - 1, size) - self.centre(i, size)
        inside = (x + flow[..., 0] >= 0) & (x + flow[..., 0] <= size[0] - 1)
        inside &= (y + flow[..., 1] >= 0) & (y + flow[..., 1] <= size[1] - 1)
        return flow.astype(np.float32), seen & inside


def _warped(picture, camera, size):
    way = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    got = cv2.warpAffine(picture, camera[:2], size, flags=way, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(got, 0, 255)


@dataclass(frozen=True)
class Clip:
    """Shots one after another; a frame is worked out when it is asked for.

    Attributes:
        shots: with a cut between neighbours, or a cross-fade.
        size: width and height.
        cross: frames that neighbouring shots share in a cross-fade; 0 cuts.
        flashes: frames that are lit up.
        grain: standard deviation of the luma's noise, in codes of 8 bits.
        variable: frames last `UNEVEN` ticks instead of one.
    """

    shots: tuple[Shot, ...]
    size: tuple[int, int] = (320, 180)
    cross: int = 0
    flashes: tuple[int, ...] = ()
    grain: float = 0.0
    rate: Fraction = Fraction(24)
    variable: bool = False
    seed: int = 0

    def __len__(self):
        return sum(shot.frames for shot in self.shots) - self.cross * (len(self.shots) - 1)

    @property
    def starts(self):
        """The first frame of each shot."""
        lengths = [shot.frames - self.cross for shot in self.shots[:-1]]
        return [int(total) for total in np.cumsum([0, *lengths])]

    @property
    def cuts(self):
        """Frames that begin another shot at once."""
        return [] if self.cross else self.starts[1:]

    @property
    def pts(self):
        """Of each frame, in ticks of one over the rate."""
        return [sum(UNEVEN) * (i // 10) + sum(UNEVEN[: i % 10]) if self.variable else i for i in range(len(self))]

    def _shown(self, i):
        """The shots that a frame shows, each with its number there and its share."""
        for start, shot in zip(self.starts, self.shots, strict=True):
            there = i - start
            if 0 <= there < shot.frames:
                rising = (there + 1) / (self.cross + 1) if start else 1
                falling = (shot.frames - there) / (self.cross + 1) if shot is not self.shots[-1] else 1
                yield shot, there, min(rising, falling, 1)

    def rgb(self, i):
        """(H, W, 3) uint8: the truth, without grain."""
        summed = sum(share * shot.picture(there, self.size) for shot, there, share in self._shown(i))
        return np.rint(np.clip(summed * (FLASH if i in self.flashes else 1), 0, 255)).astype(np.uint8)

    def luma(self, i, matrix="bt709", grain=True):
        """(H, W) float32 in [0, 255], of full range: with grain, unless asked for without."""
        luma = self.rgb(i).astype(np.float32) @ np.float32(WEIGHTS[matrix])
        if grain and self.grain:
            noise = np.random.default_rng((self.seed, i)).standard_normal(luma.shape, np.float32)
            luma = luma + 2 * self.grain * cv2.GaussianBlur(noise, (3, 3), 0.6)  # which halves its deviation
        return np.clip(luma, 0, 255)

    def L(self, i, size=None, grain=True):
        """(h, w) float32 in [0, 100], of the luma as a gray; area means where `size` is smaller."""
        value = self.luma(i, grain=grain) / 255
        Y = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        L = np.where(Y > (6 / 29) ** 3, 116 * np.cbrt(Y) - 16, Y * (29 / 3) ** 3).astype(np.float32)
        return L if size in (None, self.size) else cv2.resize(L, size, interpolation=cv2.INTER_AREA)

    def ab(self, i, size=None):
        """(2, h, w) float32 in Lab units: the truth."""
        ab = cv2.cvtColor(self.rgb(i).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:]
        ab = ab if size in (None, self.size) else cv2.resize(ab, size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(ab.transpose(2, 0, 1))

    def before(self, i):
        """Where each pixel of one shot was a frame before, see `Shot.before`; None at the first frame of a shot."""
        ((shot, there, _),) = self._shown(i)
        return shot.before(there, self.size) if there else None

    def still(self, i):
        """(H, W) bool: what has not changed since the frame before, in the clip without grain."""
        return (self.rgb(i) == self.rgb(i - 1)).all(-1) if i else np.zeros(self.size[::-1], bool)

    def planes(self, i, bits=8, shift=(1, 1), full_range=False, matrix="bt709"):
        """Codes of Y with grain, U, V without: uint8, or uint16 with the low bits used."""
        red, green, blue = (self.rgb(i).astype(np.float32) / 255).transpose(2, 0, 1)
        kr, kg, kb = WEIGHTS[matrix]
        clean = kr * red + kg * green + kb * blue
        chroma = [(blue - clean) / (2 - 2 * kb), (red - clean) / (2 - 2 * kr)]
        small = self.size[0] + (1 << shift[0]) - 1 >> shift[0], self.size[1] + (1 << shift[1]) - 1 >> shift[1]
        chroma = [cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in chroma]
        unit, top = 1 << (bits - 8), (1 << bits) - 1
        spans = (top, 0, top) if full_range else (219 * unit, 16 * unit, 224 * unit)
        codes = [self.luma(i, matrix) / 255 * spans[0] + spans[1], *(plane * spans[2] + 128 * unit for plane in chroma)]
        return [np.clip(np.rint(code), 0, top).astype(np.uint8 if bits == 8 else np.uint16) for code in codes]


@dataclass(frozen=True)
class Coding:
    """How a clip's file is written."""

    codec: str = "libx264"
    pixels: str = "yuv420p"  # or yuv422p, yuv444p; 10le behind it; gray, gray10le; yuvj420p is of full range
    options: Mapping[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "crf": "18"})
    matrix: str = "bt709"
    tagged: bool = True
    sound: str | None = "aac"  # codec of the tone

    @property
    def bits(self):
        return 10 if "10" in self.pixels else 8

    @property
    def shift(self):
        return next((s for name, s in (("444", (0, 0)), ("422", (1, 0))) if name in self.pixels), (1, 1))

    @property
    def full_range(self):
        return self.pixels.startswith("yuvj")


LOSSLESS = Coding("ffv1", options={})


def make_clip(path: Path, clip: Clip, coding: Coding = Coding(), colour: bool = True) -> Path:  # noqa: B008 (frozen)
    """Write a clip as a film; what its luma is stands in `clip.planes(i, ...)`.

    Args:
        path: its ending is its container.
        clip: the frames.
        coding: codec, pixels, tags and sound.
        colour: with the true chroma; else U and V say gray.
    """
    import av

    tick = 1 / clip.rate
    with av.open(str(path), "w") as film:
        video = film.add_stream(coding.codec, rate=clip.rate, options=dict(coding.options))
        video.width, video.height = clip.size
        video.pix_fmt = coding.pixels
        video.codec_context.time_base = tick
        if coding.tagged:
            video.codec_context.colorspace = TAGS[coding.matrix]
            video.codec_context.color_range = 2 if coding.full_range else 1
        sound = film.add_stream(coding.sound, rate=48000, layout="mono") if coding.sound else None
        for i, pts in enumerate(clip.pts):
            frame = av.VideoFrame(*clip.size, coding.pixels)
            planes = clip.planes(i, coding.bits, coding.shift, coding.full_range, coding.matrix)
            for number, (plane, codes) in enumerate(zip(frame.planes, planes, strict=False)):
                _fill(plane, codes if colour or not number else np.full_like(codes, 128 << (coding.bits - 8)))
            frame.pts, frame.time_base = pts, tick
            film.mux(video.encode(frame))
        film.mux(video.encode())
        if sound is not None:
            for frame in _tone(float((clip.pts[-1] + 1) * tick)):
                film.mux(sound.encode(frame))
            film.mux(sound.encode())
    return path


def _fill(plane, codes):
    """Codes into a plane, whose lines may be longer than the picture."""
    row = plane.line_size // codes.dtype.itemsize
    lines = np.frombuffer(plane, codes.dtype).reshape(plane.height, row)
    lines[:, : codes.shape[1]] = codes


def _tone(seconds, pitch=440):
    """One second after another of a tone."""
    import av

    for start in range(0, round(seconds * 48000), 48000):
        time = np.arange(start, min(start + 48000, round(seconds * 48000))) / 48000
        frame = av.AudioFrame.from_ndarray(np.float32(0.3 * np.sin(2 * np.pi * pitch * time))[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield frame


# Shots that tests take; `replace` makes others of them.
PAN = Shot("astronaut", 48, (0.35, 0.4, 0.5), (0.65, 0.5, 0.5))
ZOOM = Shot("coffee", 48, (0.5, 0.5, 0.9), (0.5, 0.5, 0.6))
STILL = Shot("chelsea", 48, (0.5, 0.5, 0.9))
PASSING = Shot("china", 48, (0.5, 0.5, 0.8), thing=Thing("coffee"))
LAUNCH = Shot("rocket", 48, (0.5, 0.4, 0.6), (0.5, 0.6, 0.6))
FLOWER = Shot("flower", 48, (0.45, 0.5, 0.6), (0.55, 0.5, 0.7))


def lasting(shot: Shot, frames: int) -> Shot:
    """The same shot, longer or shorter."""
    return replace(shot, frames=frames)


def long_clip(seconds: float = 60, size: tuple[int, int] = (1280, 720), grain: float = 6.0) -> Clip:
    """Four shots with three cuts between them, 24 frames a second."""
    frames = round(seconds * 24)
    each = [frames // 4] * 3 + [frames - 3 * (frames // 4)]
    shots = (PAN, PASSING, ZOOM, FLOWER)
    return Clip(tuple(lasting(shot, count) for shot, count in zip(shots, each, strict=True)), size, grain=grain)
