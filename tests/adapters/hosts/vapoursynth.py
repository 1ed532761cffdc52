"""As much of VapourSynth as the function needs: clips of arrays, whose frames are asked for one by one."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np

RGB, YUV, GRAY, INTEGER, FLOAT = 2, 3, 1, 0, 1
YUV420P8, YUV420P16 = 100, 101


def query_video_format(color_family, sample_type, bits_per_sample, subsampling_w=0, subsampling_h=0):
    given = (color_family, sample_type, bits_per_sample, subsampling_w, subsampling_h)
    names = ("color_family", "sample_type", "bits_per_sample", "subsampling_w", "subsampling_h")
    return SimpleNamespace(id=given, **dict(zip(names, given, strict=True)))


class Frame:
    """Its planes are read-only unless it is a copy."""

    def __init__(self, planes, props, writable=False):
        self._planes, self.props = [plane.copy() for plane in planes], dict(props)
        for plane in self._planes:
            plane.setflags(write=writable)

    def __getitem__(self, plane):
        return self._planes[plane]

    def copy(self):
        return Frame(self._planes, self.props, writable=True)


class Clip:
    """A clip whose frames a function makes."""

    def __init__(self, format, size, count, make):
        self.format, (self.height, self.width), self.num_frames, self._make = format, size, count, make
        self.asked = []
        self.std = SimpleNamespace(BlankClip=self._blank, SetFrameProps=self._with_props)

    def get_frame(self, n):
        self.asked.append(n)
        return self._make(n)

    def _blank(self, format, keep):
        kind = query_video_format(*format)
        chroma = (self.height >> kind.subsampling_h, self.width >> kind.subsampling_w)
        planes = [np.zeros(size, depth(kind)) for size in ((self.height, self.width), chroma, chroma)]
        return Clip(kind, (self.height, self.width), self.num_frames, lambda n: Frame(planes, {}))

    def _with_props(self, **props):
        def told(n):
            frame = self.get_frame(n)
            return Frame(frame._planes, frame.props | props)

        return Clip(self.format, (self.height, self.width), self.num_frames, told)


def depth(format):
    return np.uint8 if format.bits_per_sample == 8 else np.uint16


def modify_frame(clip, clips, selector):
    def made(n):
        frame = selector(n=n, f=[one.get_frame(n) for one in clips])
        like = clip.get_frame(n)
        assert [plane.shape for plane in frame._planes] == [plane.shape for plane in like._planes]
        return frame

    return Clip(clip.format, (clip.height, clip.width), clip.num_frames, made)


def shuffle_planes(clips, planes, colorfamily):
    def made(n):
        frames = {clip: clip.get_frame(n) for clip in dict.fromkeys(clips)}
        taken = [frames[clip][plane] for clip, plane in zip(clips, planes, strict=True)]
        return Frame(taken, frames[clips[0]].props)

    return Clip(clips[-1].format, (clips[0].height, clips[0].width), clips[0].num_frames, made)


def installed(monkeypatch):
    """Put it where `import vapoursynth` looks."""
    module = ModuleType("vapoursynth")
    for name in ("RGB", "YUV", "GRAY", "INTEGER", "FLOAT", "YUV420P8", "YUV420P16"):
        setattr(module, name, globals()[name])
    module.VideoNode, module.VideoFrame = Clip, Frame
    std = SimpleNamespace(ModifyFrame=modify_frame, ShufflePlanes=shuffle_planes)
    module.core = SimpleNamespace(std=std, query_video_format=query_video_format)
    monkeypatch.setitem(sys.modules, "vapoursynth", module)
    return module
