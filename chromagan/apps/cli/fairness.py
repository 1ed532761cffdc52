"""`chromagan fairness`: what colorizers do to the colour of skin, by group of skin tone."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from chromagan.evaluation.fairness.options import FairnessOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--pred", nargs="+", action="extend", metavar="NAME=DIR",
        help="pictures made by any programs; a plain DIR names itself")  # fmt: skip
    add("--truth", type=Path, metavar="DIR", help="the true colour photos, matched by name without extension")
    add("--model", metavar="NAME|FILE", help="colorize --data with this network instead of --pred")
    add("--data", type=Path, metavar="DIR", help="folder of colour photos of faces, for --model")
    add("--masks", metavar="DIR", help="skin masks, not zero where skin is, in place of the face detector")
    add("--group-by", default="ita", choices=("ita", "lightness"),
        help="typology angle of the true skin, or its L*, which a gray photo tells (default: %(default)s)")  # fmt: skip
    add("--min-faces", type=int, default=10, metavar="N", help="groups with fewer are flagged (default: %(default)s)")
    add("--size", type=int, metavar="PIXELS", help="working size of --model (default: what suits the weights)")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    add("--seed", type=int, default=0, metavar="N", help="of the intervals' resampling")
    add("--out", type=Path, metavar="FOLDER", help="write fairness.json, .md, .svg and per_face.csv there")
    add("--overwrite", action="store_true", help="replace a report that stands there")


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the report; returns the exit code."""
    options = FairnessOptions(**{field.name: getattr(args, field.name) for field in fields(FairnessOptions)})
    from chromagan.evaluation.fairness.evaluate import evaluate_fairness
    from chromagan.evaluation.fairness.report import printed_table

    result = evaluate_fairness(options)
    print(printed_table(result))
    for warning in result.warnings:
        print(f"warning: {warning}")
    if args.out:
        print(f"written to {args.out}")
    return 0
