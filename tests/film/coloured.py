"""The way of a film without its colours: read, encode in parts with flat chroma, join."""

from pathlib import Path

import numpy as np

from chromagan.film.frames import frames
from chromagan.film.join import check_output, join
from chromagan.film.part import Coding, PartWriter, fitted
from chromagan.film.reel import open_reel
from chromagan.images.metadata import ProvenanceMark

MARK = ProvenanceMark("chromagan", "ab" * 32, "chromagan 0.2.0", 3, "ff00")
LOSSLESS = {"h264": Coding("h264", crf=0), "ffv1": Coding("ffv1")}


def chroma(reel, bits):
    """Flat planes of Cb and Cr that are not gray, in codes of so many bits."""
    across, down = reel.shift
    size = -(-reel.height // (1 << down)), -(-reel.width // (1 << across))
    kind = np.uint8 if bits <= 8 else np.uint16
    return np.full(size, 110 << (bits - 8), kind), np.full(size, 150 << (bits - 8), kind)


def write_parts(folder, reel, coding, pictures, cuts=()):
    """Parts of the frames, cut before these numbers; their paths."""
    edges = [0, *cuts, len(pictures)]
    paths = []
    for start, stop in zip(edges, edges[1:], strict=False):
        paths.append(Path(folder) / f"{start:06}.mkv")
        with PartWriter(paths[-1], reel, coding) as part:
            for frame in pictures[start:stop]:
                part.write(frame, *chroma(reel, part.bits))
    return paths


def colour(source, output, coding=None, cuts=(), seconds=(None, None)):
    """A film of flat colours from a source; (lines, reel, parts)."""
    coding = coding or Coding("ffv1")
    check_output(output, coding.codec)
    reel = fitted(open_reel(source), coding)
    pictures = list(frames(reel))
    start, stop = seconds
    if start is not None or stop is not None:
        times = [float(frame.pts * reel.time_base) for frame in pictures]
        pictures = [frame for frame, time in zip(pictures, times, strict=True)
                    if time >= (start or 0) and (stop is None or time < stop)]  # fmt: skip
    folder = Path(output).parent / f"{Path(output).name}.parts"
    folder.mkdir(exist_ok=True)
    parts = write_parts(folder, reel, coding, pictures, cuts)
    lines = join(parts, reel, [frame.pts for frame in pictures], output, MARK, start=start, stop=stop)
    return lines, reel, parts
