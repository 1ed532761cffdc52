"""The `chromagan` command: finds the subcommand, turns errors into one line and an exit code.

Exit codes: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted. Nothing heavy is imported before a
subcommand is chosen.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import difflib
import importlib
import logging
import math
import os
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from chromagan.apps.cli import words
from chromagan.errors import ChromaganError, UsageError, describe, loading_failure
from chromagan.files.atomic import dismiss
from chromagan.inference.crew import abandoned
from chromagan.strangers import mind_damaged_packages
from chromagan.version import __version__

COMMANDS = {
    "sample": "colorize photographs",
    "film": "colour a film: steady colours, sound and stamps as they were",
    "archive": "colour an archive of millions, in any store, on one machine or a cluster",
    "studio": "colour photographs by hand, on a page in the browser",
    "serve": "colour photos that come by HTTP",
    "train": "train a colorizer",
    "export": "write a run's averaged weights as one inference file",
    "train-upsampler": "train the learned x2 chroma step, or measure it",
    "evaluate": "compare colorizers, or pictures by any program, with colour photographs",
    "gray": "make the gray inputs that other programs are given, to be compared with",
    "fairness": "measure what colorizers do to the colour of skin",
    "zoo": "list the networks: size, arithmetic, paper, licence, where weights come from",
    "benchmark": "time a colorizer on this machine",
    "study": "ask people: the page of a colorization Turing test, and its analysis",
}
"""What each does; its module in this folder has `add_arguments(parser)` and `run(args) -> int`."""

PHOTOS_ALONE = ("sample", "archive", "studio", "serve", "gray", "evaluate", "fairness", "study")
"""Commands that start no processes, whose words would be lost with those of decoders; Ray's have files for theirs."""

_SCIENTIFIC = re.compile(r"-(\d+\.?\d*|\.\d+)[eE][+-]?\d+", re.ASCII)

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; those of the process unless given.

    Returns:
        The exit code.
    """
    words.occupy_standard_descriptors()
    hanging = len(abandoned)
    with words.lossy("stderr"), words.logged():
        code = _run(list(sys.argv[1:] if argv is None else argv))
    if any(thread.is_alive() for thread in abandoned[hanging:]):
        atexit.register(_leave, code, abandoned[hanging:])
    return code


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        if any(not word.startswith("-") for word in arguments):
            mind_damaged_packages()
        args = build_parser(arguments).parse_args(arguments)
        if args.command is None:
            build_parser([]).print_help()
            return 2
        with contextlib.nullcontext() if debug else words.quiet_decoders(args.command in PHOTOS_ALONE):
            return int(args.run(args))
    except ChromaganError as error:
        log.error("%s", error, exc_info=debug)
        return 2 if isinstance(error, UsageError) else 1
    except (ImportError, MemoryError) as error:
        log.error("%s", loading_failure(error), exc_info=debug)
        return 1
    except KeyboardInterrupt:
        with words.last_words(words.INTERRUPTED):
            log.warning("interrupted", exc_info=debug)
        return words.INTERRUPTED
    except Exception as error:
        debug = debug or arguments[0] not in PHOTOS_ALONE  # what took hours is not done again to see where
        log.error("%s%s", describe(error), "" if debug else "; --debug shows where", exc_info=debug)
        return 1


def _leave(code: int, threads: list[threading.Thread]) -> None:
    """End the process in spite of threads that hang: the interpreter's own end could wait for them or crash."""
    if any(thread.is_alive() for thread in threads):
        dismiss(threads)
        os._exit(code)


class _Parser(argparse.ArgumentParser):
    """Says what was mistyped under the usage of the command that it was typed for, and what may be meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ever, but what nobody knows is told here, where the command's own options are known."""
        found, rest = super().parse_known_args(_with_plain_numbers(sys.argv[1:] if args is None else args), namespace)
        for word in rest:
            if word.startswith("-") and os.path.lexists(word):
                self.error(f"there is no option {word}; for the file of that name write .{os.sep}{word}")
            if word.startswith("-"):
                self.error(f"there is no option {word}{_meant(word.partition('=')[0], self._option_string_actions)}")
            self.error(f"one argument too many: {word!r}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Usage, message and exit code 2; of a choice that there is not, the nearest that there is."""
        if message.endswith("expected one argument"):
            message += "; one that begins with - is joined on: --suffix=-colour"
        wrong = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        super().error(words.spelled(message + (_meant(wrong[1], re.findall(r"[\w-]+", wrong[2])) if wrong else "")))


def _with_plain_numbers(words: Sequence[str]) -> list[str]:
    """The words with -0.0001 for -1e-4, an option to `argparse` before Python 3.14; what stands behind -- stays."""
    words = list(words)
    end = words.index("--") if "--" in words else len(words)
    return [_plain(word) if _SCIENTIFIC.fullmatch(word) else word for word in words[:end]] + words[end:]


def _plain(number: str) -> str:
    value = float(number)
    return format(Decimal(repr(value)), "f") if math.isfinite(value) else number


def _meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, [one for one in known if len(one) > 2], 1)
    return f"; did you mean {near[0]}?" if near else ""


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that the arguments name is imported and has its options."""
    parser = _Parser(
        prog="chromagan", description="Colorize black-and-white photographs; train and compare the networks that do it."
    )
    parser.add_argument("--version", action="version", version=f"chromagan {__version__}")
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            module = importlib.import_module(f"chromagan.apps.cli.{name.replace('-', '_')}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
            if not any("--debug" in action.option_strings for action in subparser._actions):
                subparser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


if __name__ == "__main__":
    sys.exit(main())
