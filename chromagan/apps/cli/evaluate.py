"""`chromagan evaluate`: compare colorizers - folders of pictures by any program, or models - with the truth."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from chromagan.evaluation.options import EvaluateOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    what = parser.add_argument_group("what to compare")
    add = what.add_argument
    add("--pred", nargs="+", default=[], metavar="NAME=DIR", help="folders of colorized pictures (NAME= is optional)")
    add("--truth", type=Path, metavar="DIR", help="true colour photos of the same names, in any format")
    add("--model", nargs="+", default=[], metavar="NAME|FILE",
        help="shipped networks or .safetensors files (NAME=FILE renames); photos become gray first")  # fmt: skip
    add("--data", type=Path, metavar="DIR", help="true colour photos for models (as --truth; model: chromagan)")
    how = parser.add_argument_group("how to measure")
    add = how.add_argument
    add("--protocol", default="folder", metavar="NAME", help="images, crop, size (default: folder, as they are)")
    add("--list", type=Path, metavar="FILE", help="the published list of images that a protocol needs")
    add("--metrics", nargs="+", metavar="NAME", help="default: all that need no network; `all` adds the others")
    add("--metric-networks", type=Path, metavar="DIR", help="folder with the networks that metrics need")
    add("--classifier", metavar="NAME",
        help="timm model for accuracy, agreement and class_kl (default: MobileNetV2)")  # fmt: skip
    add("--classifier-weights", type=Path, metavar="FILE", help="its weights (default: of --metric-networks, or timm)")
    add("--no-download", action="store_true", help="never download a metric's network")
    add("--limit", type=int, metavar="N", help="measure the first N photos only")
    add("--against", choices=("published",), help="print published figures of the protocol beside the own ones")
    models = parser.add_argument_group("models")
    add = models.add_argument
    add("--size", type=int, metavar="PIXELS", help="working size (default: what suits the weights)")
    add("--saturation", type=float, nargs="+", metavar="FACTOR",
        help="factors on the chroma; with several, the network still runs once a photo")  # fmt: skip
    add("--simulated-hints", type=int, nargs="+", metavar="N",
        help="show a model that takes hints N true colours of each photo (0: none); one row each")  # fmt: skip
    add("--hint-size", type=int, metavar="PIXELS", help="side of the hints' squares at the working size (default: 4)")
    add("--hint-seed", type=int, metavar="SEED", help="decides, with a photo's name, where they are (default: 0)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--out", type=Path, metavar="FOLDER",
        help="write report.html, tables, metrics.json and per_image.csv there; a killed run goes on")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the report; returns the exit code."""
    options = EvaluateOptions(**{field.name: getattr(args, field.name) for field in fields(EvaluateOptions)})
    from chromagan.evaluation.evaluate import evaluate

    found = evaluate(options)
    if found is None:
        return 0
    print(found.text())
    for warning in found.result.warnings:
        print(f"chromagan: {warning}", file=sys.stderr)
    if args.out:
        print(f"written to {args.out}")
    for reason in dict.fromkeys(found.result.missing.values()):
        print(f"chromagan: {reason}", file=sys.stderr)
    return 1 if found.result.missing else 0
