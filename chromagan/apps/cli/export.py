"""`chromagan export`: a run's averaged weights as one inference file, or a network as an ONNX graph."""

from __future__ import annotations

import argparse
import logging
from dataclasses import fields
from pathlib import Path

from chromagan.models.look import VIEWS
from chromagan.training.export import ExportOptions

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add = parser.add_argument
    add("source", metavar="RUN|FILE|NAME", help="run folder of chromagan train; or a weights file, a shipped network, "
        "a Hub repository; with --onnx also chroma_upsampler, the chroma step")  # fmt: skip
    add("-o", "--out", type=Path, required=True, help="file to write")
    add("--average", nargs="+", action="extend", default=[], metavar="RUN|FILE|NAME", help="average the "
        "weights with these, of the same network and from the same beginning (may be given again)")  # fmt: skip
    add("--checkpoint", default="latest", metavar="latest|best|FILE", help="which state of the run [latest]")
    add("--onnx", action="store_true", help="write an ONNX graph, the look inside (float32; extra: pip install "
        "'chromagan[onnx]')")  # fmt: skip
    add("--half", action="store_true", help="with --onnx: store the weights in half precision, half the size")
    add("--keep-class-head", action="store_true", help="keep the class head and full precision, for chromagan train "
        "--init with a class term")  # fmt: skip
    add("--float32", action="store_true", help="full precision instead of half")
    add("--size", type=int, help="working size that sampling takes by default with these weights")
    add("--saturation", type=float, help="factor on ab that sampling takes by default")
    add("--typical-chroma", type=float, help="mean chroma that sampling draws photos towards")
    add("--annealed-share", type=float, help="share of the bins' annealed mean in the colours, 0 to 1")
    add("--calm", type=float, help="share of chroma that is taken away where the bins do not agree, 0 to 1")
    add("--views", type=int, choices=VIEWS, help="of a photo that the network sees: 1, 2 at half the size too, 4 "
        "mirrored too; what it answers is averaged")  # fmt: skip
    add("--zero-semantic", action="store_true", help="ablation: zero the deep features")
    add("--command", dest="training_command", help="training command to record [made from config.json]")


def run(args: argparse.Namespace) -> int:
    """Write the file; 0 when it stands."""
    options = ExportOptions(**{field.name: getattr(args, field.name) for field in fields(ExportOptions)})
    from chromagan.training.export import export

    log.info("%s", export(options).text())
    return 0
