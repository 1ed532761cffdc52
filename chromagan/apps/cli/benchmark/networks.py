"""`chromagan benchmark networks`: train the networks of the zoo for the same budget and compare them."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

from chromagan.errors import UsageError

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--models", nargs="+", action="extend", metavar="NAME[:OPTION=VALUE,...]",
        help="networks, each with training options of its own if given, such as unet:backbone=resnet34 "
        "(default: the whole zoo)")  # fmt: skip
    add("--data", nargs="+", action="extend", required=True, metavar="PHOTOS",
        help="training photographs, as for chromagan train")  # fmt: skip
    add("--val", required=True, metavar="DIR", help="held-out colour photographs; nothing is trained on them")
    add("--out", type=Path, required=True, metavar="DIR", help="the same command goes on there where it stopped")
    add("--images", type=int, default=0, metavar="N", help="photographs that each network is trained on")
    add("--minutes", type=float, default=0.0, metavar="M", help="or how long each is trained, at its own pace")
    add("--seeds", type=int, default=2, metavar="N", help="runs of each network (default: 2)")
    add("--recipes", action="store_true", help="train each by its authors' recipe; unless given, optimiser, schedule, "
        "crops and batches are the same for all, and only the objective is each one's own")  # fmt: skip
    add("--set", nargs="+", action="extend", default=[], metavar="OPTION=VALUE", dest="common",
        help="options of chromagan train for all networks, such as size=112 batch_size=16 workers=2")  # fmt: skip
    add("--backbone-weights", nargs="+", action="extend", default=[], metavar="NAME=FILE",
        help="local pretrained weights by backbone, such as vgg16=vgg16.safetensors")  # fmt: skip
    add("--no-pretrained", action="store_true", help="backbones without a file start from nothing, and their rows are "
        "marked; unless given, they are downloaded")  # fmt: skip
    add("--eval-size", type=int, default=256, metavar="PIXELS", help="short side of the held-out photos (default: 256)")
    add("--eval-limit", type=int, default=0, metavar="N", help="measure so many of them, evenly spaced (default: all)")
    add("--equal-colourfulness", type=float, default=20.0, metavar="C", help="also compare the networks with their "
        "chroma scaled to this mean colourfulness (default: 20)")  # fmt: skip
    add("--vgg16", default="", metavar="FILE", help="convolutions of Oxford's VGG16, for vgg16_oxford_distance")
    add("--sheet", nargs="+", action="extend", default=[], metavar="PHOTO",
        help="photos of the contact sheet (default: those of scikit-image)")  # fmt: skip
    add("--max-minutes", type=float, default=math.inf, metavar="M", help="stop cleanly after so many minutes")
    add("--keep-states", action="store_true", help="keep the checkpoints of finished runs")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))


def run(args: argparse.Namespace) -> int:
    """Train, measure, write table and sheet; 1 when a network failed."""
    if args.seeds < 1:
        raise UsageError("--seeds is at least 1")
    from chromagan.benchmark.networks.matrix import Matrix, parse_options
    from chromagan.benchmark.networks.report import ranked, ranking_markdown
    from chromagan.benchmark.networks.run import NetworkBenchmark, device_name
    from chromagan.benchmark.networks.sheet import ContactSheet, sheet_photos
    from chromagan.compute.device import choose_device
    from chromagan.files.atomic import write_text
    from chromagan.models.registry import list_models

    device = choose_device(args.device)
    matrix = Matrix(
        args.data, args.val, args.images, args.minutes, parse_options(args.common), args.recipes, args.no_pretrained,
        _files(args.backbone_weights), args.eval_size, args.eval_limit, args.vgg16, args.equal_colourfulness,
    )  # fmt: skip
    sheet = ContactSheet(sheet_photos(args.sheet), args.eval_size)
    benchmark = NetworkBenchmark(matrix, args.out, device, sheet, args.keep_states, log.info)
    results = benchmark.run(args.models or list_models(), args.seeds, args.max_minutes)
    table = ranking_markdown(results, matrix, device_name(device))
    print(table)
    write_text(args.out / "zoo.md", table + "\n")
    log.info("%s", sheet.assemble(args.out, [label for label, _ in ranked(results.rows) if label != "gray"]))
    return 1 if results.failures else 0


def _files(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if any(not (name and equals and file) for name, equals, file in pairs):
        raise UsageError("--backbone-weights takes NAME=FILE, such as vgg16=vgg16.safetensors")
    return {name: file for name, _, file in pairs}
