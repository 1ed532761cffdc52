"""`chromagan benchmark WHAT`: time the product on this machine, or compare the networks."""

from __future__ import annotations

import argparse
import importlib

KINDS = {
    "sample": "time colorizing: a photo, a folder, a fresh process, its memory",
    "models": "time the networks: latency, throughput, memory, roofline, whole photos",
    "networks": "train the networks for the same budget, and compare them on held-out photos",
    "metrics": "time the metrics of `chromagan evaluate` against scikit-image's",
    "guidance": "measure what strokes of colour do: met, leaking, carried",
    "consistency": "does a photo keep its colours at other sizes, flipped, cropped, compressed, with grain",
    "film": "time a film against decoding and encoding it, and follow its memory",
    "archive": "time an archive on a cluster against sample.py, list a million names, kill workers and drivers",
    "serve": "load the service with clients: lost, latency, memory",
    "train": "time the training loop against its arithmetic and a plain loop",
}
_OLD_NAMES = {"networks": ["zoo"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmarks and their options; each is a module of this folder."""
    kinds = parser.add_subparsers(dest="benchmark", metavar="WHAT", required=True)
    for name, summary in KINDS.items():
        kind = kinds.add_parser(name, aliases=_OLD_NAMES.get(name, ()), help=summary)
        module = importlib.import_module(f"chromagan.apps.cli.benchmark.{name}")
        module.add_arguments(kind)
        kind.set_defaults(measure=module.run)


def run(args: argparse.Namespace) -> int:
    """Measure, print and write; returns the exit code."""
    return int(args.measure(args))
