"""`chromagan film`: colour a film; sound, stamps and the Y plane stay."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.apps.cli import words
from chromagan.apps.cli.sample import device_name
from chromagan.apps.cli.wishes import palette_of
from chromagan.conditioning.guidance import Guidance
from chromagan.errors import UsageError
from chromagan.inference.request import Request
from chromagan.models.look import VIEWS

if TYPE_CHECKING:
    from chromagan.film.colorize import FilmOutcome

_COLOURING = (
    "--reference",
    "--palette",
    "--hints",
    "--codec",
    "--crf",
    "--preset",
    "--bits",
)  # mean nothing for gray frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.usage = "chromagan film FILM -o OUTPUT [options]"
    add = parser.add_argument
    add("film", metavar="FILM", type=Path, help="of any container and codec that FFmpeg reads")
    add("-o", "--out", metavar="OUTPUT", type=Path, help="the film to make: .mkv, .mp4, .mov, .webm, .ts; what is "
        "finished stands in OUTPUT.parts until it is whole, and the same command goes on from there")  # fmt: skip

    add = parser.add_argument_group("how").add_argument
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", type=device_name, metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps "
        "(default: auto)")  # fmt: skip
    add("--size", type=int, metavar="PIXELS", help="working size, the short side that the network sees (default: what "
        "suits the weights)")  # fmt: skip
    add("--views", type=int, choices=VIEWS, help="how often the network sees a frame: 1, 2 at half the size too, 4 "
        "mirrored too (default: what suits the weights)")  # fmt: skip
    add("--saturation", type=float, default=1.0, metavar="FACTOR", help="1 is as the network paints")
    add("--warmth", type=float, default=0.0, metavar="AMOUNT", help="-1 to 1: colder, or warmer")
    add("--no-steady", action="store_true", help="paint every frame by itself, as a photo: slow, and it flickers")
    add("--jobs", type=int, default=1, metavar="N", help="processes that share the scenes (default: 1, which uses two "
        "or three cores)")  # fmt: skip

    add = parser.add_argument_group("what colours are wished for").add_argument
    add("--reference", nargs="+", action="extend", default=[], metavar="PHOTO|TIME=PHOTO", help="colour photos to take "
        "colours from: in all scenes, or in the one at a time such as 1:23.5 (may be given again)")  # fmt: skip
    add("--palette", metavar="COLOURS|PICTURE", help="colours to move towards: '#7a4b2a,#e0d3b8,...', or a picture")
    add("--export-frames", type=Path, metavar="FOLDER", help="write one frame a scene there, to be corrected in the "
        "studio or an editor, and colour nothing")  # fmt: skip
    add("--hints", type=Path, metavar="FOLDER", help="that folder again, with hints of the studio (NAME.hints.json), "
        "or frames painted in colour: each guides its scene")  # fmt: skip

    add = parser.add_argument_group("what is written").add_argument
    add("--from", dest="start", metavar="TIME", help="begin there: seconds, MM:SS or HH:MM:SS")
    add("--to", dest="stop", metavar="TIME", help="end there")
    add("--codec", metavar="NAME", help="h264, h265, av1, ffv1 (lossless) or prores (default: what suits OUTPUT)")
    add("--crf", type=int, metavar="N", help="quality, lower is better (default: 18 for h264, 20 for h265, 28 for av1)")
    add("--preset", metavar="NAME", help="speed of the encoder, in its own words (default: medium; 8 for av1)")
    add("--bits", type=int, choices=(8, 10, 12, 16), help="of a sample, such as 10 for an 8-bit film: colours change "
        "more finely, Y stays (default: the film's own)")  # fmt: skip
    add("--overwrite", action="store_true", help="write over an output that stands there")

    add = parser.add_argument_group("what is told").add_argument
    add("--quiet", action="store_true", help="no progress and no summary; errors are told")
    add("--debug", action="store_true", help="show the traceback of an error")


def run(args: argparse.Namespace) -> int:
    """Colour; returns the exit code."""
    request = _check(args)
    try:
        from chromagan.film.colorize import colorize, export_frames
    except ImportError as error:
        raise UsageError(f'films need {error.name}; run: pip install "chromagan[film]"') from error

    common = {"start": args.start, "stop": args.stop}
    with _Bar(args.quiet) as bar:
        if args.export_frames:
            written = export_frames(args.film, args.export_frames, progress=bar, overwrite=args.overwrite, **common)
            bar.close()
            if not args.quiet:
                print(words.spelled(f"{_count(len(written), 'frame')}, one a scene, in {args.export_frames}"))
            return 0
        outcome = colorize(
            args.film, args.out, model=args.model, device=args.device, request=request, references=args.reference,
            hints=args.hints, codec=args.codec, crf=args.crf, preset=args.preset, bits=args.bits,
            jobs=args.jobs, steady=not args.no_steady, overwrite=args.overwrite, progress=bar, **common,
        )  # fmt: skip
    if not args.quiet:
        print(words.spelled(_summary(outcome, args.out)))
    return 1 if outcome.damaged else 0


def _check(args: argparse.Namespace) -> Request:
    if args.out is None and not args.export_frames:
        raise UsageError("name the film to make with -o, such as -o colour.mp4")
    if args.out is not None and args.export_frames:
        raise UsageError("--export-frames colours nothing; give it or -o, not both")
    if args.export_frames:
        unused = [flag for flag in _COLOURING if getattr(args, flag[2:].replace("-", "_")) not in (None, [])]
        if unused:
            raise UsageError(f"--export-frames colours nothing; leave out {unused[0]}")
    palette = palette_of(args.palette) if args.palette else None
    return Request(
        guidance=Guidance(palette=palette),
        saturation=args.saturation,
        warmth=args.warmth,
        size=args.size,
        views=args.views,
    )


def _summary(outcome: FilmOutcome, output: Path) -> str:
    if outcome.finished_before:
        return f"{output} was finished before, by the same options"
    damaged = f", {outcome.damaged} damaged and left gray" if outcome.damaged else ""
    frames, scenes = _count(outcome.frames, "frame"), _count(outcome.scenes, "scene")
    return f"{frames} in {scenes}{damaged}; output {output}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + "s" * (number != 1)


class _Bar:
    """Frames done, frames a second, and the time left."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._bar, self._lock = quiet, None, threading.Lock()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def begin(self, what: str, frames: int | None, done: int = 0) -> None:
        """A pass begins."""
        from tqdm import tqdm

        self.close()
        self._bar = tqdm(total=frames, initial=done, desc=what, unit="frame", disable=self._quiet, smoothing=0.1)

    def step(self) -> None:
        """One frame more."""
        with self._lock:
            if self._bar is not None:
                self._bar.update()

    def close(self) -> None:
        """Its last words."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
