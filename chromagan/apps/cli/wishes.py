"""What the options of `chromagan sample` wish of the colours of whole photos and of their parts."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from chromagan.conditioning.guidance import Guidance, Palette, Reference
from chromagan.errors import UsageError

REGIONS = ("only", "keep", "vary")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add = parser.add_argument_group("what colours are wished for").add_argument
    add("--hints", type=Path, action="append", default=[], metavar="FILE|FOLDER", help="colours at places: of one "
        "photo a JSON file, or a PNG whose opaque pixels are the hints; or files and folders of NAME.hints.json, "
        "NAME.hints.png and NAME.json for photos called NAME (may be given again)")  # fmt: skip
    add("--reference", nargs="+", action="extend", default=[], metavar="PHOTO", help="colour photos to "
        "take colours from, where a photo shows the like and nowhere else (may be given again)")  # fmt: skip
    add("--palette", metavar="COLOURS|PICTURE", help="colours to move towards: '#7a4b2a,#e0d3b8,...', or a picture, "
        "whose main colours are taken")  # fmt: skip
    add("--palette-strength", type=float, default=1.0, metavar="SHARE", help="how far towards the palette, above 0 and "
        "up to 1 (default: 1)")  # fmt: skip
    add("--variations", type=int, metavar="N", help="paint N alternatives, NAME.v1 to NAME.vN, with a "
        "contact sheet NAME-variations.jpg; none is the plain painting")  # fmt: skip
    add("--seed", type=int, metavar="S", help="of the first variation, that of the next is one higher; it "
        "stands in each file's mark, and with --variations 1 it draws that picture again (default: 0)")  # fmt: skip
    mask = "a picture that is white inside, or for several photos a folder of pictures called like them"
    add("--only", type=Path, metavar="MASK", help=f"colour this alone, the rest stays as it is: {mask}")
    add("--keep", type=Path, metavar="MASK", help="keep the photo's own colours there, as far as it has some")
    add("--vary", type=Path, metavar="MASK", help="let variations differ there alone")


def check(args: argparse.Namespace) -> None:
    """Raises `UsageError` where options do not go together."""
    if args.demo:
        for name in ("hints", *REGIONS):
            if getattr(args, name):
                raise UsageError(f"--{name} goes with photos of your own; leave --demo out")
    if args.vary and not args.variations and not args.hints:  # which may have one that was chosen
        raise UsageError("--vary is where variations differ; say how many with --variations N")


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of a request that were typed; they go before what was set in files of hints."""
    names = ("saturation", "warmth", "size", "views", "variations", "seed")
    typed = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if "variations" in typed:  # so many are drawn, from the first one on
        typed.setdefault("seed", 0)
    return typed


def wished(args: argparse.Namespace) -> Guidance:
    """What is wished of all photos; `UsageError` and `ReadError` where that cannot be."""
    missing = next((file for file in args.reference if not os.path.isfile(file)), None)
    if missing is not None:
        raise UsageError(f"--reference {missing}: there is no such file; name a colour photo")
    palette = palette_of(args.palette, args.palette_strength) if args.palette else None
    return Guidance(palette=palette, references=tuple(Reference(file) for file in args.reference))


def masks(args: argparse.Namespace) -> dict[str, Path]:
    """The regions' pictures by name."""
    given: dict[str, Any] = {name: getattr(args, name) for name in REGIONS}
    return {name: place for name, place in given.items() if place}


def palette_of(text: str, strength: float = 1.0) -> Palette:
    """A palette as a person types it: colours with commas between, or the name of a picture."""
    if not os.path.exists(text):
        colours = tuple(part.strip() for part in text.split(","))
        if not all(part.startswith("#") for part in colours):
            raise UsageError(f"--palette {text}: there is no such picture; for colours, write '#7a4b2a,#e0d3b8'")
        return Palette(colours, (), strength)
    from chromagan.conditioning.palette import palette_of as main_colours
    from chromagan.images.read import read_photo
    from chromagan.inference.kept import reduced_lab

    return main_colours(reduced_lab(read_photo(text).pixels), strength=strength)
