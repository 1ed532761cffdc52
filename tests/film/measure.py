"""How steady films are on made clips whose truth is known, beside the same films painted frame by frame.

    python tests/film/measure.py --model chromagan@small

The figures of docs/guide/film.md: of the colours that the film is given, and of what its file then shows. Nothing is
lossy on the way: FFV1 in, FFV1 out.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
import torch
from clips import FLOWER, LOSSLESS, PAN, PASSING, STILL, ZOOM, Clip, lasting, make_clip
from numpy.typing import NDArray
from test_planes import Picture as Format
from test_planes import decode

from chromagan.color.lab import rgb_to_lab
from chromagan.film import colorize, planes
from chromagan.film.planes import Codes, Floats, PictureFormat
from chromagan.film.reel import open_reel
from chromagan.film.shown import shown_frames
from chromagan.metrics.cdc import Consistency, ab_histograms, rgb_histograms
from chromagan.metrics.metric import Picture, Shown
from chromagan.reports.tables import format_table

SIZE = (640, 360)
CLIPS = {
    "still ground, a thing passes": (lasting(PASSING, 72),),
    "still": (lasting(STILL, 48),),
    "pan": (lasting(PAN, 72),),
    "zoom": (lasting(ZOOM, 72),),
    "three cuts": tuple(lasting(shot, 30) for shot in (PAN, PASSING, ZOOM, FLOWER)),
}


def main() -> None:
    """Make the clips, paint them both ways, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="chromagan")
    parser.add_argument("--grain", type=float, default=6.0, help="standard deviation of the luma's grain, 8-bit codes")
    parser.add_argument("--bits", type=int, help="of the films that are made (default: 8, as their source)")
    parser.add_argument("--clips", nargs="+", default=list(CLIPS), choices=list(CLIPS), help="which of them")
    asked = parser.parse_args()
    rows = []
    for name in asked.clips:
        clip = Clip(CLIPS[name], SIZE, grain=asked.grain)
        with tempfile.TemporaryDirectory() as folder:
            gray, true = (
                make_clip(Path(folder) / f"{kind}.mkv", clip, replace(LOSSLESS, sound=None), colour=kind == "true")
                for kind in ("gray", "true")
            )
            for how, steady in (("steady", True), ("frame by frame", False)):
                made = Path(folder) / f"{steady}.mkv"
                given = coloured(gray, made, asked.model, steady, asked.bits)
                decibels, *excess = figures(made, true)
                written = [flicker(clip, in_file(colours)) for colours in (given, held(clip, given))]
                changes = [changed(clip, given), *written, flicker(clip, on_screen(made))]
                told = (f"{decibels:.2f}", *(f"{one:.3f}" for one in changes), *(f"{one:+.6f}" for one in excess))
                rows.append([name, how, *told])
            rows.append([name, "the truth", "", "", "", "", f"{flicker(clip, on_screen(true)):.3f}", "", ""])
    flickers = ["flicker given", "in the file", "held", "on a screen"]
    names = ["clip", "painted", "PSNR, dB", *flickers, "cdc - truth's", "cdc_ab - truth's"]
    print(format_table(names, rows))


class Given(NamedTuple):
    """A frame, and (2, h, w) the colours that it is given before they become codes under its luma."""

    luma: Codes
    ab: Floats
    picture: PictureFormat
    bits: int


def coloured(gray: Path, made: Path, model: str, steady: bool, bits: int | None) -> list[Given]:
    """Make the film; its frames and their colours."""
    given: list[Given] = []

    def chroma(luma: Codes, ab: Floats, picture: PictureFormat, bits: int) -> tuple[Codes, Codes]:
        given.append(Given(luma.copy(), ab.copy(), picture, bits))
        return planes.chroma(luma, ab, picture, bits)

    with patch("chromagan.film.stages.chroma", chroma):
        colorize(gray, made, model=model, codec="ffv1", steady=steady, bits=bits)
    return given


def held(clip: Clip, given: list[Given]) -> list[Given]:
    """The same with the mean colours of its scene on every frame: what changes then is grain and rounding alone."""
    cuts = [number for number in range(len(given)) if clip.before(number) is None]
    still = []
    for start, stop in zip(cuts, [*cuts[1:], len(given)], strict=True):
        mean = np.mean([one.ab for one in given[start:stop]], axis=0)
        still += [one._replace(ab=mean) for one in given[start:stop]]
    return still


def changed(clip: Clip, given: list[Given]) -> float:
    """The mean change of ab from frame to frame over what has not moved in the clip without grain."""
    wide = [np.dstack([cv2.resize(plane, clip.size) for plane in one.ab]) for one in given]
    stills = [unmoved(clip, number) for number in range(1, len(wide))]
    pairs = zip(wide, wide[1:], stills, strict=False)
    changes = [np.linalg.norm((b - a)[still], axis=-1).mean() for a, b, still in pairs if still.any()]
    return float(np.mean(changes)) if changes else float("nan")


def unmoved(clip: Clip, number: int) -> NDArray[np.bool_]:
    """(H, W) what stands where it stood a frame before; nothing at a cut, and nothing where the camera moves."""
    before = clip.before(number)
    if before is None:
        return np.zeros(clip.size[::-1], bool)
    flow, seen = before
    return seen & (np.abs(flow) < 1e-3).all(-1) & clip.still(number)


def flicker(clip: Clip, pictures: Iterator[Floats]) -> float:
    """The same change of (H, W, 3) R'G'B' in [0, 1]."""
    changes, before = [], None
    for number, picture in enumerate(pictures):
        ab = rgb_to_lab(torch.from_numpy(picture).permute(2, 0, 1)[None])[0, 1:].permute(1, 2, 0).numpy()
        still = unmoved(clip, number)
        if still.any():
            changes.append(np.linalg.norm((ab - before)[still], axis=-1).mean())
        before = ab
    return float(np.mean(changes)) if changes else float("nan")


def on_screen(film: Path) -> Iterator[Floats]:
    """Frames as a screen of 8 bits shows them."""
    return (one.pixels.astype(np.float32) / 255 for one in shown(film))


def in_file(given: list[Given]) -> Iterator[Floats]:
    """Frames of 4:2:0 as they stand in the file: nothing is rounded on the way out of it."""
    for luma, ab, picture, bits in given:
        deep = Format(picture.matrix, bits, picture.full_range)
        uv = (
            cv2.resize(plane.astype(np.float32), luma.shape[::-1]) for plane in planes.chroma(luma, ab, picture, bits)
        )
        rgb = decode(planes.deepened(luma, picture, bits), *uv, deep)
        yield rgb.clip(0, 1).transpose(1, 2, 0).astype(np.float32)


def figures(made: Path, true: Path) -> tuple[float, float, float]:
    """Mean PSNR; `cdc` and `cdc_ab` less the truth's."""
    decibels = []
    own, own_ab, truth, truth_ab = (Consistency(one) for one in (rgb_histograms, ab_histograms) * 2)
    for picture, right in zip(shown(made), shown(true), strict=True):
        decibels.append(psnr(picture.pixels, right.pixels))
        for measure, frame in ((own, picture), (own_ab, picture), (truth, right), (truth_ab, right)):
            measure.take(frame)
    return float(np.mean(decibels)), own.value - truth.value, own_ab.value - truth_ab.value


def shown(film: Path) -> Iterator[Shown]:
    """A film's frames, one after another."""
    return (Shown(frame.pixels) for frame in shown_frames(open_reel(film)))


def psnr(picture: Picture, truth: Picture) -> float:
    """In dB, of 8-bit pictures."""
    return float(10 * np.log10(255**2 / np.square(picture.astype(np.float64) - truth).mean()))


if __name__ == "__main__":
    main()
