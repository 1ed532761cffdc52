"""`chromagan gray`: the gray inputs that other programs are given, so that all colorize the same photographs."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from chromagan.errors import UsageError

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("data", metavar="DIR", help="folder of colour photos, with all below it, or one photo")
    add("-o", "--out", required=True, metavar="DIR", help="gets 8-bit gray PNGs of the same names, in the "
        "same folders")  # fmt: skip
    add("--protocol", default="folder", metavar="NAME", help="images, crop, size, as for evaluate (default: folder)")
    add("--list", type=Path, metavar="FILE", help="the published list of images that a protocol needs")
    add("--overwrite", action="store_true", help="write over pictures that exist (they are left alone otherwise)")


def run(args: argparse.Namespace) -> int:
    """Write them; returns the exit code."""
    from chromagan.evaluation.gray_inputs import gray_inputs, write_gray_inputs
    from chromagan.evaluation.pairs import Pairs
    from chromagan.evaluation.protocols import protocol as find_protocol

    if "" in (args.data, args.out):  # a variable of a script that is not set
        raise UsageError("DIR is an empty name; write . for the folder you are in")
    data, out = Path(args.data), Path(args.out)
    protocol = find_protocol(args.protocol)
    if protocol.films:
        raise UsageError(f"--protocol {args.protocol} is over films, and gray makes photos; choose another protocol")
    if args.list:
        protocol = protocol.with_list(args.list)
    pairs, files = gray_inputs(data, out, protocol)
    missing = [index for index, file in enumerate(files) if args.overwrite or not file.exists()]
    wanted = Pairs([pairs.images[i] for i in missing], [pairs.truth[i] for i in missing], {})
    failed = 0
    for error in write_gray_inputs(wanted, [files[i] for i in missing], protocol):
        if error is not None:
            failed += 1
            log.error("%s", error)
    there = len(files) - len(missing)
    print(f"{out}: {len(missing) - failed} gray photographs written"
          + (f", {there} were there already" if there else ""))  # fmt: skip
    return 1 if failed else 0
