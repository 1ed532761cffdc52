"""`chromagan train`: flags to configuration to one call."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from chromagan.errors import UsageError
from chromagan.training.config import TrainConfig, from_preset, preset_names, read_config


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
            kind = {"nargs": "+", "action": "extend" if one.repeated else "store"}
        parser.add_argument(one.flag, default=None, help=shown.replace("%", "%%"), **kind)
    parser.add_argument("--out", type=Path, required=True, help="run folder; the same command goes on where it stopped")
    presets = preset_names()
    shown = f"starting values of the options; that of a network sets --model too [default]: {', '.join(presets)}"
    parser.add_argument("--preset", default="default", choices=presets, metavar="NAME", help=shown)
    shown = "values of a saved config.json, in place of a preset's; flags beside it win"
    parser.add_argument("--config", type=Path, metavar="FILE", help=shown)
    parser.add_argument("--snapshot-every", type=int, default=10_000, help="photographs between checkpoints [10000]")
    parser.add_argument("--max-minutes", type=float, default=math.inf, help="stop cleanly after so many minutes")
    parser.add_argument("--stop-at", type=int, default=0, help="stop cleanly after so many photographs of the run")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument(
        "--rank-timeout", type=float, default=600.0, help="with torchrun: seconds until a silent process is lost [600]"
    )
    parser.add_argument("--dry-run", action="store_true", help="print configuration, sizes, steps and memory, and stop")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the run ended or was stopped cleanly."""
    names = TrainConfig.options()
    given = {name: value for name, value in vars(args).items() if name in names and value is not None}
    config = from_preset(args.preset, base=read_config(args.config) if args.config else None, **given)
    if not config.photos.data:
        raise UsageError("give the training photographs: --data PLACE ...")
    if args.snapshot_every < 1:
        raise UsageError("--snapshot-every must be at least 1 photograph")
    if args.dry_run:
        return _describe(config)
    from chromagan.compute.device import choose_device
    from chromagan.compute.distributed import local_rank, process_group, rank
    from chromagan.training.train import train

    device = choose_device(args.device)
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = choose_device(f"cuda:{local_rank()}")
    with process_group(device.type, args.rank_timeout):
        trainer, reason = train(config, args.out, device, args.snapshot_every, args.max_minutes, args.stop_at)
        if rank() == 0:
            print(f"{args.out}: {trainer.images:,} photographs seen; stopped by {reason}", file=sys.stderr)
    return 0


def _describe(config: TrainConfig) -> int:
    """Print what a run would be: configuration, parameters, steps, memory."""
    from chromagan.models.contract import count_parameters
    from chromagan.training.build import build_generator
    from chromagan.training.memory import estimate_memory

    generator = build_generator(config)
    head = sum(p.numel() for n, p in generator.named_parameters() if generator.training_only(n))
    memory = estimate_memory(generator, config)
    print(json.dumps(config.as_dict(), indent=1))
    print(f"generator: {count_parameters(generator):,} parameters, {head:,} of them in the class head")
    print(f"steps: {math.ceil(config.schedule.images / config.schedule.batch_size):,}")
    parts = ", ".join(f"{name} {size / 2**30:.2f}" for name, size in memory.items())
    print(f"memory: about {sum(memory.values()) / 2**30:.2f} GiB ({parts}), photographs and PyTorch itself apart")
    return 0
