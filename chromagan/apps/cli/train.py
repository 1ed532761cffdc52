"""`chromagan train`: flags to configuration to one call."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path
from typing import Any

from chromagan.errors import UsageError
from chromagan.training.config import TrainConfig, from_preset, preset_names, read_config

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag for each option of the configuration, and what concerns this call alone."""
    for one in TrainConfig.options().values():
        default = " ".join(one.default) if isinstance(one.default, list) else one.default
        shown = f"{one.help} [{default}]" if default not in ("", False) else one.help
        kind: dict[str, Any] = {"type": one.kind, "choices": one.choices}
        if one.kind is bool:
            # argparse would read a flag that itself begins with --no- as a denial
            denies = one.name.startswith("no_")
            kind = {"action": "store_true" if denies else argparse.BooleanOptionalAction}
        elif one.kind == list[str]:
            kind = {"nargs": "+", "action": "extend"}  # `--data A --data B` is both
        parser.add_argument(one.flag, default=None, help=shown.replace("%", "%%"), **kind)
    parser.add_argument("--out", type=Path, required=True, help="run folder; the same command goes on where it stopped")
    presets = preset_names()
    shown = f"starting values of the options; that of a network sets --model too [default]: {', '.join(presets)}"
    parser.add_argument("--preset", choices=presets, metavar="NAME", help=shown)
    shown = "values of a saved config.json, in place of a preset's; flags beside it win"
    parser.add_argument("--config", type=Path, metavar="FILE", help=shown)
    parser.add_argument("--snapshot-every", type=int, default=10_000, help="photographs between checkpoints [10000]")
    parser.add_argument("--max-minutes", type=float, default=math.inf, help="stop cleanly after so many minutes")
    parser.add_argument("--stop-at", type=int, default=0, help="stop cleanly after so many photographs of the run")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument(
        "--rank-timeout", type=float, default=600.0, help="with torchrun: seconds until a silent process is lost [600]"
    )
    parser.add_argument(
        "--allow-changes", nargs="+", action="extend", default=[], metavar="OPTION", help="go on in --out though these "
        "options differ from those of the run so far, such as images (a longer run), data (other photographs) or lr"
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print configuration, sizes, steps and memory, and stop")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the run ended or was stopped cleanly."""
    names = TrainConfig.options()
    given = {name: value for name, value in vars(args).items() if name in names and value is not None}
    if args.preset and args.config:
        raise UsageError("--preset and --config both bring starting values; give one of them, and flags beside it")
    config = from_preset(args.preset or "default", base=read_config(args.config) if args.config else None, **given)
    from chromagan.training.train import describe, train

    if args.dry_run:
        print(describe(config))
        return 0
    allowed = [name.lstrip("-").replace("-", "_") for name in args.allow_changes]
    trainer, reason = train(
        config, args.out, args.device, args.snapshot_every, args.max_minutes, args.stop_at, args.rank_timeout, allowed
    )
    if trainer.folder.writes:
        log.info("%s: %s photographs seen; stopped by %s", args.out, f"{trainer.images:,}", reason)
    return 0
