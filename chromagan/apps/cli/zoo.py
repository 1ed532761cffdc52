"""`chromagan zoo`: list the registered networks."""

from __future__ import annotations

import argparse

from chromagan.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("pattern", nargs="?", default="*", metavar="PATTERN", help="names to list, such as '*unet' (default: all)")
    add("--markdown", action="store_true", help="print the file docs/zoo.md: table and papers")


def run(args: argparse.Namespace) -> int:
    """Print the list; returns the exit code."""
    from chromagan.benchmark.networks.listing import list_zoo, zoo_markdown, zoo_text

    entries = list_zoo(args.pattern)
    if not entries:
        raise UsageError(f"no network is called {args.pattern!r}; `chromagan zoo` lists all of them")
    print(zoo_markdown(entries).rstrip("\n") if args.markdown else zoo_text(entries))
    return 0
