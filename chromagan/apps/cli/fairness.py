"""`chromagan fairness`: what colorizers do to the colour of skin, by group of skin tone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.errors import UsageError

if TYPE_CHECKING:
    from chromagan.evaluation.fairness.measure import Method
    from chromagan.evaluation.pairs import Pairs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--pred", nargs="+", metavar="NAME=DIR", help="pictures made by any programs; a plain DIR names itself")
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


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the report; returns the exit code."""
    _check(args)
    from tqdm import tqdm

    from chromagan.compute.versions import versions
    from chromagan.evaluation.fairness.files import masked_skin, read_pictures
    from chromagan.evaluation.fairness.measure import (
        detected_skin,
        gray_method,
        mean_ab_method,
        mean_colour,
        measure_fairness,
    )
    from chromagan.evaluation.fairness.report import NOTES, printed_table, write_fairness
    from chromagan.evaluation.pairs import list_digest, without_suffix

    methods, settings, pairs = _methods(args)
    truth = dict(zip(map(without_suffix, pairs.images), pairs.truth, strict=True))
    find_skin = masked_skin(args.masks, truth) if args.masks else detected_skin()
    photos = tqdm(read_pictures(truth), "mean colour", len(truth), unit="photo", disable=None, leave=False)
    average = mean_colour(photos)
    baselines: dict[str, Method] = {"gray": gray_method, "mean ab": mean_ab_method(average)}
    result = measure_fairness(
        tqdm(read_pictures(truth), "skin", len(truth), unit="photo", disable=None, leave=False),
        {**methods, **baselines},
        find_skin,
        baselines=frozenset(baselines),
        fewest=args.min_faces,
        grouping=args.group_by,
        seed=args.seed,
    )
    result.versions = versions()
    result.settings |= {
        "truth": str(args.truth or args.data),
        "photos_sha256": list_digest(list(truth)),
        "skin": f"masks of {args.masks}" if args.masks else "LBP cascade of scikit-image on the truth's luminance",
        "mean_ab": list(average),
        **settings,
    }
    print(printed_table(result))
    print(NOTES)
    for warning in result.warnings:
        print(f"warning: {warning}")
    if args.out:
        write_fairness(args.out, result)
        print(f"written to {args.out}")
    return 0


def _methods(args: argparse.Namespace) -> tuple[dict[str, Method], dict[str, Any], Pairs]:
    """What to compare, what of it the figures depend on, and the photos."""
    from chromagan.evaluation.fairness.files import colorizer_method, folder_method
    from chromagan.evaluation.pairs import match_pairs, parse_methods

    if args.pred:
        folders = parse_methods(args.pred)
        pairs = match_pairs(args.truth, folders)
        methods = {name: folder_method(pairs.images, files) for name, files in pairs.predictions.items()}
        return methods, {"pred": {name: str(folder) for name, folder in folders.items()}}, pairs
    from chromagan.inference.colorizer import Colorizer

    pairs = match_pairs(args.data, {})

    colorizer = Colorizer.from_pretrained(args.model, args.device, args.size)
    mark = colorizer.mark
    settings = {
        "model": mark.model,
        "weights_sha256": mark.sha256,
        "size": colorizer.look.size,
        "saturation": colorizer.look.saturation,
        "device": str(colorizer.device),
    }
    return {mark.model: colorizer_method(colorizer)}, settings, pairs


def _check(args: argparse.Namespace) -> None:
    folders, network = bool(args.pred or args.truth), bool(args.model or args.data)
    if folders == network or bool(args.pred) != bool(args.truth) or bool(args.model) != bool(args.data):
        raise UsageError("give either --pred NAME=DIR ... and --truth DIR, or --model NAME|FILE and --data DIR")
    if args.min_faces < 2:
        raise UsageError(f"--min-faces must be at least 2, not {args.min_faces}")
    if args.seed < 0:
        raise UsageError(f"--seed must be 0 or more, not {args.seed}")
