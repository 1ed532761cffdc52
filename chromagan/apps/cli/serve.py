"""`chromagan serve`: colour photos that come by HTTP."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from chromagan.apps.web.door import address, listen
from chromagan.errors import UsageError

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer

log = logging.getLogger(__name__)
PORT = 7870


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.usage = "chromagan serve [options]"
    add = parser.add_argument_group("where").add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="that the service listens at; 0.0.0.0 lets other "
        "machines in (default: 127.0.0.1)")  # fmt: skip
    add("--port", type=int, default=PORT, metavar="N", help=f"0 for one that is free (default: {PORT})")
    add("--allow-host", action="append", default=[], metavar="NAME", help="a name by which clients may ask for it, "
        "besides numbers and localhost (may be given again)")  # fmt: skip

    add = parser.add_argument_group("how").add_argument
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add("--batch-size", type=int, default=1, metavar="N", help="photos that go through the network together; more are "
        "faster on a GPU, and may change the last bit of some pixels (default: 1)")  # fmt: skip

    add = parser.add_argument_group("how much").add_argument
    add("--max-upload", type=int, default=100, metavar="MB", help="of one request (default: 100)")
    add("--max-pixels", type=int, default=120, metavar="MP", help="millions, of one photo (default: 120)")
    add("--max-photos", type=int, default=32, metavar="N", help="accepted at a time; a further one is answered 429 "
        "(default: 32)")  # fmt: skip
    add("--timeout", type=float, default=120, metavar="SECONDS", help="for a photo's colours, waiting included "
        "(default: 120)")  # fmt: skip
    add("--transfer-timeout", type=float, default=120, metavar="SECONDS", help="for a photo to arrive, and for one to "
        "be taken (default: 120)")  # fmt: skip

    add = parser.add_argument_group("what is told").add_argument
    add("--quiet", action="store_true", help="no line of JSON on stdout for each request")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal asks to stop; returns the exit code."""
    try:
        from chromagan.apps.serve.server import serve
    except ImportError as error:
        raise UsageError(f'the service needs {error.name}; run: pip install "chromagan[serve]"') from error
    from chromagan.apps.serve.limits import Limits
    from chromagan.apps.serve.lines import Lines
    from chromagan.apps.serve.service import Service

    def make_colorizer() -> Colorizer:
        from chromagan.inference.colorizer import Colorizer

        return Colorizer.from_pretrained(args.model, args.device, batch_size=args.batch_size)

    limits = Limits(
        args.max_upload * 10**6, args.max_pixels * 10**6, args.max_photos, args.timeout, args.transfer_timeout
    )
    with listen(args.host, args.port) as door, Lines() as lines:
        log.info("serving at %s, described there; Ctrl-C ends it", address(door))
        serve(Service(make_colorizer, limits), door, tuple(args.allow_host), _silent if args.quiet else lines)
    return 0


def _silent(line: str) -> None:
    pass
