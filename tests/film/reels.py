"""Films for the tests: moving pictures whose every frame differs, with a tone, in any codec and container."""

from fractions import Fraction

import av
import numpy as np
from skimage import data

SIZE = (96, 64)


def lumas(count, size=SIZE, bits=8, seed=0):
    """`count` planes (H, W): a moving crop of a photograph, with grain."""
    photo = data.camera()
    width, height = size
    random = np.random.default_rng(seed)
    for number in range(count):
        crop = photo[100 + number : 100 + number + height, 60 + 2 * number : 60 + 2 * number + width]
        noisy = crop * 0.8 + 20 + random.normal(0, 3, crop.shape)
        yield np.clip(noisy * 2 ** (bits - 8), 16, 235 * 2 ** (bits - 8)).astype(np.uint16 if bits > 8 else np.uint8)


def picture(luma, pixels="yuv420p"):
    """A frame with this Y plane and flat chroma, of a planar format."""
    height, width = luma.shape
    frame = av.VideoFrame(width, height, pixels)
    for number, plane in enumerate(frame.planes):
        kind = luma.dtype
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
        rows = rows[:, : plane.width * kind.itemsize].view(kind)
        rows[:] = luma if number == 0 else 1 << (frame.format.components[0].bits - 1)
    return frame


def make(
    path, codec="libx264", *, count=30, size=SIZE, pixels="yuv420p", bits=8, stamps=None, base=Fraction(1, 24000),
    rate=24, options=None, sound=None, tags=(), metadata=(), display=None, container=None, before=None, muxing=None,
):  # fmt: skip
    """Write a film and return its stamps in seconds.

    `stamps`: ticks of `base`, one a frame; evenly by `rate` where there are none. `sound`: codec of a tone.
    `tags`: attributes of the encoder and of frames. `before(container, stream)`: what else is to be set.
    """
    stamps = [round(number / rate / base) for number in range(count)] if stamps is None else stamps
    path = str(path)
    with av.open(path, "w", format=container, container_options=dict(muxing or {})) as film:
        stream = film.add_stream(codec, rate=rate, width=size[0], height=size[1], pix_fmt=pixels, time_base=base,
                                 options=dict(options or {}))  # fmt: skip
        stream.codec_context.time_base = base
        for name, value in dict(tags).items():
            setattr(stream.codec_context, name, value)
        if display is not None:
            stream.set_display_rotation(display)
        film.metadata.update(dict(metadata))
        tone = film.add_stream(sound, rate=48000) if sound else None
        if before is not None:
            before(film, stream)
        for luma, stamp in zip(lumas(len(stamps), size, bits), stamps, strict=True):
            frame = picture(luma, pixels) if pixels.startswith(("yuv", "gray")) else painted(luma, pixels)
            frame.pts, frame.time_base = stamp, base
            for name, value in dict(tags).items():
                setattr(frame, name, value)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        if tone is not None:
            add_tone(film, tone, float(max(stamps) * base) + 1 / rate)
    return [stamp * base for stamp in stamps]


def painted(luma, pixels):
    """The same of an RGB, packed or palette format, by FFmpeg's conversion of a gray picture."""
    return av.VideoFrame.from_ndarray(np.repeat(luma[..., None], 3, 2), format="rgb24").reformat(format=pixels)


def add_tone(film, stream, seconds):
    """A sine of 440 Hz."""
    context = stream.codec_context
    if not context.is_open:
        context.open()
    size = context.frame_size or 1024
    resampler = av.AudioResampler(format=context.format.name, layout=context.layout.name, rate=48000, frame_size=size)
    times = np.arange(int(seconds * 48000)) / 48000
    wave = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        film.mux(stream.encode(part))
    film.mux(stream.encode(None))


def packets(path, kind, number=0):
    """(seconds, bytes) of each packet of a stream."""
    with av.open(str(path)) as film:
        stream = getattr(film.streams, kind)[number]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in film.demux(stream) if packet.size]


def shown(path):
    """(seconds, Y plane) of every frame, by PyAV alone."""
    with av.open(str(path)) as film:
        stream = next(s for s in film.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        for frame in film.decode(stream):
            plane = frame.planes[0]
            kind = np.dtype("u1" if frame.format.components[0].bits <= 8 else "<u2")
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
            yield frame.pts * frame.time_base, rows[:, : plane.width * kind.itemsize].view(kind).copy()
