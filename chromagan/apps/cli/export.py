"""`chromagan export`: a run's averaged weights as one inference file, or a network as an ONNX graph."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromagan.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from chromagan.models.contract import ColorizationNetwork
    from chromagan.pretrained.card import WeightsCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add = parser.add_argument
    add("source", metavar="RUN|FILE|NAME", help="run folder of chromagan train; or a weights file, a shipped network, "
        "a Hub repository")  # fmt: skip
    add("-o", "--out", type=Path, required=True, help="file to write")
    add("--checkpoint", default="latest", metavar="latest|best|FILE", help="which state of the run [latest]")
    add("--onnx", action="store_true", help="write an ONNX graph (float32; extra: pip install 'chromagan[onnx]')")
    add("--half", action="store_true", help="with --onnx: store the weights in half precision, half the size")
    add("--keep-class-head", action="store_true", help="keep the class head and full precision, for chromagan train "
        "--init with a class term")  # fmt: skip
    add("--float32", action="store_true", help="full precision instead of half")
    add("--size", type=int, help="working size that sampling takes by default with these weights")
    add("--saturation", type=float, help="factor on ab that sampling takes by default")
    add("--typical-chroma", type=float, help="mean chroma that sampling draws photos towards")
    add("--annealed-share", type=float, help="share of the bins' annealed mean in the colours, 0 to 1")
    add("--zero-semantic", action="store_true", help="ablation: zero the deep features")
    add("--command", dest="training_command", help="training command to record [made from config.json]")


def run(args: argparse.Namespace) -> int:
    """Write the file; 0 when it stands."""
    from chromagan.models.conv_norm import fold_frozen_norms

    _check(args)
    folder = Path(args.source)
    # A folder that save_pretrained wrote has a config.json too.
    is_run = (folder / "config.json").is_file() and not (folder / "model.safetensors").is_file()
    network, card = _from_run(folder, args) if is_run else _from_weights(args)
    given = {"size": args.size, "saturation": args.saturation, "typical_chroma": args.typical_chroma}
    given["annealed_share"] = args.annealed_share
    look = replace(card.look, **{name: value for name, value in given.items() if value is not None})
    card = replace(card, look=look, command=args.training_command or card.command)
    if args.annealed_share and network.bins is None:
        raise UsageError(f"--annealed-share: the network of {args.source} predicts no bins; leave the option out")
    if not args.keep_class_head and fold_frozen_norms(network):
        card = replace(card, config={**card.config, "folded": True})
    if args.onnx:
        _write_onnx(network, card, args)
    else:
        _write_safetensors(network, card, args)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.half and not args.onnx:
        raise UsageError("--half goes with --onnx; a safetensors file is in half precision unless --float32 is given")
    if args.onnx and (args.keep_class_head or args.float32):
        raise UsageError("--onnx holds no class head and is float32 already; leave --keep-class-head and --float32 out")
    if args.onnx != (args.out.suffix == ".onnx"):
        raise UsageError(f"--out {args.out}: with --onnx the name ends in .onnx, and without it in .safetensors")


def _from_run(folder: Path, args: argparse.Namespace) -> tuple[ColorizationNetwork, WeightsCard]:
    """The averaged network of a run, whole, and what it says of itself."""
    from chromagan.models.registry import build_network
    from chromagan.pretrained.card import WeightsCard
    from chromagan.training.config import TrainConfig, look_of
    from chromagan.version import __version__

    state = _read_state(folder, args.checkpoint)
    name = state["network"]["name"]
    config = {**state["network"]["config"], **_ablation(args)}
    network = build_network(name, **config)
    network.load_state_dict(state["ema"]["tensors"])
    options = json.loads((folder / "config.json").read_text())
    values = TrainConfig.read(options)
    extra = {"images": str(state["images"]), "training": json.dumps(options, sort_keys=True)}
    ancestors = _ancestors(values.get("init", ""), state["network"])
    if ancestors:
        extra["ancestors"] = json.dumps(ancestors)
    return network, WeightsCard(
        name, config, f"chromagan {__version__}", "Apache-2.0", "", command_of(options), look_of(values), extra
    )


def _from_weights(args: argparse.Namespace) -> tuple[ColorizationNetwork, WeightsCard]:
    from chromagan.pretrained.create import load_model
    from chromagan.pretrained.hub import find_weights

    if args.checkpoint != "latest":
        raise UsageError(f"--checkpoint goes with a run folder; {args.source} is not one")
    network, card = load_model(find_weights(args.source), **_ablation(args))
    return network, replace(card, config=network.config)


def _ablation(args: argparse.Namespace) -> dict[str, Any]:
    return {"semantic": False} if args.zero_semantic else {}


def _read_state(folder: Path, which: str) -> dict[str, Any]:
    """The state of a run: the latest, the best (as training marked it), or that of one checkpoint file."""
    from chromagan.training.checkpoint import load_state, read_state

    if which in ("latest", "best"):
        state = load_state(folder, which)
        if state is None:
            raise TrainingError(f"{folder}: no training state there; name the --out folder of chromagan train")
    else:
        state = read_state(next((path for path in (Path(which), folder / which) if path.is_file()), Path(which)))
    if not isinstance(state, dict) or not {"network", "ema", "images"} <= state.keys():
        raise TrainingError(f"{which} of {folder} is not a checkpoint of chromagan train; name another one")
    return state


def _ancestors(init: str, network: dict[str, Any]) -> list[str]:
    """The sha256 of the weights that the run started from, then those that they started from, and so on."""
    if network.get("ancestors"):
        return list(network["ancestors"])
    if not init:
        return []
    from chromagan.pretrained.store import read_weights

    if not Path(init).is_file():
        print(f"chromagan: --init {init} of this run is no longer there: its sha256 is not recorded", file=sys.stderr)
        return []
    card = read_weights(init)[1]
    return [card.sha256, *json.loads(card.extra.get("ancestors", "[]"))]


def _write_safetensors(network: ColorizationNetwork, card: WeightsCard, args: argparse.Namespace) -> None:
    from chromagan.pretrained.store import save_weights

    if args.keep_class_head and not _has_training_parts(network):
        raise UsageError(f"--keep-class-head: the network of {args.source} has no class head; leave the option out")
    written = save_weights(
        args.out,
        network.state_dict() if args.keep_class_head else network,  # a state dict is stored whole
        model=card.model,
        config=card.config,
        command=card.command,
        licence=card.licence,
        half=not (args.float32 or args.keep_class_head),
        look=card.look,
        extra=card.extra,
    )
    _tell(args.out, card.model, f"sha256 {written.sha256}")


def _has_training_parts(network: ColorizationNetwork) -> bool:
    return any(network.training_only(name) for name in network.state_dict())


def _write_onnx(network: ColorizationNetwork, card: WeightsCard, args: argparse.Namespace) -> None:
    from chromagan.pretrained.onnx import export_onnx

    difference = export_onnx(args.out, network, card, half=args.half)
    _tell(args.out, card.model, f"ab within {difference:.1g} Lab units of the network's under onnxruntime")


def _tell(path: Path, model: str, fact: str) -> None:
    print(f"{path}: {model}, {path.stat().st_size / 2**20:.1f} MiB, {fact}", file=sys.stderr)


def command_of(options: dict[str, Any]) -> str:
    """The training command of a saved configuration: what differs from the default preset."""
    from chromagan.training.config import TrainConfig, from_preset

    values = TrainConfig.read(options)
    plain = from_preset("default", model=values.get("model", "chromagan")).flat()
    words = ["python", "train_gan.py"]
    for name, value in values.items():
        if value == plain.get(name) or value in ("", []):
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, list):
            words += [flag, *value]
        else:
            words += [flag, str(value)]
    return " ".join(words)
