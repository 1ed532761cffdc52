"""`chromagan train-upsampler`: train the learned x2 chroma step, and measure it against plain interpolation."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from chromagan.errors import UsageError
from chromagan.evaluation.chroma_edges import measure_chroma_edges, plain_enlarger, stepwise_enlarger
from chromagan.files.find import find_photo_files
from chromagan.files.suffixes import is_training_name
from chromagan.models.chroma_upsampler import ChromaUpsampler
from chromagan.pretrained.create import load_upsampler
from chromagan.training.upsampler import train_upsampler
from chromagan.training.upsampler_crops import UpsamplerTraining, read_photograph


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Enter the command's flags; names and defaults of the training options are those of `UpsamplerTraining`."""
    parser.add_argument("--data", type=Path, metavar="DIR", help="colour photographs to train on (recursive)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="safetensors file to write")
    parser.add_argument("--measure", type=Path, metavar="DIR", help="print the chroma RMSE at edges on these photos")
    parser.add_argument("--init", type=Path, metavar="FILE", help="go on from these weights")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights to measure when nothing is trained")
    for one in UpsamplerTraining.options().values():
        parser.add_argument(one.flag, type=one.kind, default=one.default, help=f"{one.help} (default {one.default})")


def run(args: argparse.Namespace) -> int:
    """Train, write and measure as the flags say; returns the exit code."""
    if (args.data is None) != (args.out is None):
        raise UsageError("--data and --out go together; give both to train")
    if args.data is None and args.measure is None:
        raise UsageError("nothing to do; give --data DIR --out FILE to train, or --measure DIR")
    weights = args.weights
    if args.data is not None:
        if weights is not None:
            raise UsageError("--weights names the file to measure; with --data the trained --out is measured")
        config = UpsamplerTraining.from_flat({name: getattr(args, name) for name in UpsamplerTraining.options()})
        _, seen, loss = train_upsampler(args.data, args.out, config, args.init, training_command(args))
        print(f"{args.out}: trained on {seen} crops, last loss {loss:.2f}")
        weights = args.out
    if args.measure is not None:
        print(measure_table(args.measure, load_upsampler(weights) if weights is not None else None))
    return 0


def training_command(args: argparse.Namespace) -> str:
    """The command that trains these weights again, with file names but no folders of this machine."""
    words = ["chromagan", "train-upsampler", "--data", f"DATA/{args.data.resolve().name}", "--out", args.out.name]
    if args.init is not None:
        words += ["--init", args.init.name]
    for one in UpsamplerTraining.options().values():
        value = getattr(args, one.name)
        if value != one.default:
            words += [one.flag, str(value)]
    return shlex.join(words)


def measure_table(folder: Path, network: ChromaUpsampler | None) -> str:
    """Lines with the chroma RMSE at edges of bilinear, bicubic and, where given, the learned step."""
    paths = find_photo_files(folder, is_training_name)
    enlargers = {"bilinear": plain_enlarger("bilinear"), "bicubic": plain_enlarger("bicubic")}
    if network is not None:
        enlargers["learned"] = stepwise_enlarger(network)
    figures = measure_chroma_edges((read_photograph(path) for path in paths), enlargers)
    lines = [f"chroma RMSE at the 5 % strongest edges, ab from 1/8, {len(paths)} photographs"]
    for name, value in figures.items():
        lines.append(f"{name:9} {value:6.3f}  {100 * (value / figures['bilinear'] - 1):+6.1f} %")
    return "\n".join(lines)
