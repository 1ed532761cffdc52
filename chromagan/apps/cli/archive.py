"""`chromagan archive`: colour an archive of millions in any store, on one machine or a cluster."""

from __future__ import annotations

import argparse
import logging
import re
from typing import TYPE_CHECKING, Any

from chromagan.apps.cli import words
from chromagan.apps.cli.sample import device_name, format_name
from chromagan.apps.cli.wishes import palette_of
from chromagan.conditioning.guidance import Guidance
from chromagan.errors import UsageError
from chromagan.inference.request import Request
from chromagan.models.look import VIEWS

if TYPE_CHECKING:
    from chromagan.apps.archive.archive import Engine
    from chromagan.apps.archive.manifest import Listing
    from chromagan.apps.archive.order import Order
    from chromagan.apps.archive.status import Status

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.usage = "chromagan archive MANIFEST|FOLDER|URI... -o FOLDER|URI [options]"
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="folders and URIs (s3://BUCKET/scans), or manifests: .parquet, .csv "
        "or .jsonl with a column uri, and id and size if you like")  # fmt: skip
    add("-o", "--out", required=True, metavar="OUT", help="folder or URI of the outputs; the same command again goes "
        "on where it was, and paints what failed")  # fmt: skip

    add = parser.add_argument_group("where").add_argument
    add("--address", metavar="ADDRESS", help="of a Ray cluster: auto on one of its machines, or HOST:PORT (default: a "
        "cluster of this machine alone)")  # fmt: skip
    add("--actors", type=int, metavar="N", help="workers, each with one network (default: as many as have room)")
    add("--processors", type=int, metavar="N", help="of each worker (default: four, or as many as a machine has for "
        "each; with --here all that this process may use)")  # fmt: skip
    add("--gpus", type=float, default=0.0, metavar="SHARE", help="GPUs of each worker, 0.5 for two that share one "
        "(default: 0)")  # fmt: skip
    add("--here", action="store_true", help="in this process, without Ray")
    add("--part", type=_part, metavar="I/N", help="the I-th of N parts alone, for N tasks of a Slurm "
        "array; goes with --here")  # fmt: skip

    add = parser.add_argument_group("how").add_argument
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file that every "
        "machine finds")  # fmt: skip
    add("--device", type=device_name, metavar="DEVICE", help="auto, cpu, cuda, mps (default: cuda with --gpus, cpu "
        "otherwise)")  # fmt: skip
    add("--batch-size", type=int, default=1, metavar="N", help="photos of one shape that go through the network "
        "together; 16 or more keep a GPU busy (default: 1: the bytes of a photo depend on no other)")  # fmt: skip
    add("--size", type=int, metavar="PIXELS", help="working size, the short side that the network sees (default: what "
        "suits the weights)")  # fmt: skip
    add("--views", type=int, choices=VIEWS, help="how often the network sees a photo: 1, 2 at half the size too, 4 "
        "mirrored too (default: what suits the weights)")  # fmt: skip
    add("--saturation", type=float, default=1.0, metavar="FACTOR", help="1 is as the network paints")
    add("--warmth", type=float, default=0.0, metavar="AMOUNT", help="-1 to 1: colder, or warmer")
    add("--palette", metavar="COLOURS|PICTURE", help="colours to move towards: '#7a4b2a,#e0d3b8,...', or a picture")
    add("--recolour", action="store_true", help="paint photos that are in colour, too; they are left alone otherwise")

    add = parser.add_argument_group("what is listed and written").add_argument
    add("--relist", action="store_true", help="list the inputs again and add what is new")
    add("--list-only", action="store_true", help="list the inputs, and paint nothing")
    add("--shard", type=int, default=100, metavar="N", help="photos that a worker takes at a time (default: 100)")
    add("--format", type=format_name, metavar="FORMAT", help="of all outputs: jpeg, png, tiff, webp, heif or avif "
        "(default: that of the input)")  # fmt: skip
    add("--quality", type=int, default=95, help="of lossy formats, 1 to 100 (default: 95)")
    add("--no-metadata", action="store_true", help="carry no EXIF, XMP and IPTC over; the mark that says that the "
        "colours are generated is always written")  # fmt: skip
    add("--overwrite", action="store_true", help="make anew what other options or weights made")

    add = parser.add_argument_group("what is told").add_argument
    add("--quiet", action="store_true", help="no progress and no summary; errors are told")
    add("--debug", action="store_true", help="show the traceback of an error")


def _part(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no part; write 3/16 for the third of sixteen")
    return int(found[1]), int(found[2])


def run(args: argparse.Namespace) -> int:
    """Colour; returns the exit code."""
    counts = [args.shard, *(count for count in (args.actors, args.processors) if count is not None)]
    if min(counts) < 1 or args.gpus < 0:
        raise UsageError("--shard, --actors and --processors are at least 1, and --gpus is no less than 0")
    if not all([*args.inputs, args.out]):
        raise UsageError("an input or output has no name; write . for the folder that you are in")
    if args.part and not args.here:
        raise UsageError("--part is for tasks that run apart from each other; add --here")
    palette = palette_of(args.palette) if args.palette else None
    wishes = {"saturation": args.saturation, "warmth": args.warmth, "size": args.size, "views": args.views}
    request = Request(guidance=Guidance(palette=palette), **wishes)
    try:
        from chromagan.apps.archive.archive import colorize_archive
        from chromagan.apps.archive.order import Order
        from chromagan.inference.batch import count_processors
    except ImportError as error:
        raise UsageError(f'archives need {error.name}; run: pip install "chromagan[archive]"') from error

    order = Order(
        out=args.out, model=args.model, device=args.device or ("cuda" if args.gpus else "cpu"),
        batch_size=args.batch_size, processors=args.processors or count_processors(), request=request,
        photo_format=args.format, quality=args.quality, keep_metadata=not args.no_metadata, recolour=args.recolour,
        overwrite=args.overwrite,
    )  # fmt: skip
    with words.lossy("stdout"), _Bar(args.quiet) as bar:
        listing, summary = colorize_archive(
            args.inputs, order, _engine(args, order), relist=args.relist, list_only=args.list_only,
            part=args.part or (1, 1), shard=args.shard, progress=bar,
        )  # fmt: skip
        bar.close()
        for place, why in listing.refused:
            log.error("%s: %s", place, why)
        if summary.others:
            told = "%s photos are as other options or weights left them; --overwrite makes them anew"
            log.warning(told, summary.others)
        if not args.quiet:
            print(words.spelled(f"{listing.photos:,} photos listed{_passed(listing)}" if args.list_only
                                else summary.text(args.out)), flush=True)  # fmt: skip
        if summary.failed:
            print("\n".join(map(words.spelled, summary.table(args.out).splitlines())), flush=True)
    return 1 if summary.failed or listing.refused else 0


def _engine(args: argparse.Namespace, order: Order) -> Engine:
    if args.here:
        from chromagan.apps.archive.shard import here

        return here
    if any(place.startswith("memory://") for place in [*args.inputs, args.out]):
        raise UsageError("what lies in memory:// is in this process alone; add --here")
    from chromagan.apps.archive.cluster import Cluster

    return Cluster(address=args.address, actors=args.actors, processors=args.processors, gpus=args.gpus)


def _passed(listing: Listing) -> str:
    kinds = [f"{count:,} {kind or 'without an ending'}" for kind, count in listing.passed.most_common(6)]
    return f"; of other kinds: {', '.join(kinds)}" if kinds else ""


class _Bar:
    """Photos listed, then photos done, with the time left."""

    def __init__(self, quiet: bool) -> None:
        self._disable, self._bar = True if quiet else None, None

    def __enter__(self) -> _Bar:
        self._start("listing", None)
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _start(self, what: str, total: int | None) -> None:
        from tqdm import tqdm

        self.close()
        self._bar = tqdm(total=total, desc=what, unit="photo", disable=self._disable, leave=False, smoothing=0.05)

    def listed(self, photos: int) -> None:
        """See `Progress`."""
        self._step(photos)

    def begin(self, photos: int) -> None:
        """See `Progress`."""
        self._start("painting", photos)

    def painted(self, rows: list[Status]) -> None:
        """See `Progress`."""
        self._step(len(rows))

    def _step(self, count: int) -> None:
        if self._bar is not None:
            self._bar.update(count)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
