"""From a run, or from weights, to a file: what `chromagan export` and `chromagan.export` do."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from chromagan.errors import TrainingError, UsageError
from chromagan.models.look import Look
from chromagan.models.registry import build_network
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.create import Exported, is_upsampler, load_model, write_chroma_step, write_network
from chromagan.pretrained.hub import find_weights
from chromagan.training.average import Loaded, average
from chromagan.training.build import ancestors_of
from chromagan.training.checkpoint import load_state, read_state
from chromagan.training.config import NetworkOptions, TrainConfig, from_preset, look_of
from chromagan.training.run_folder import read_saved
from chromagan.version import __version__

log = logging.getLogger(__name__)

Place = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What to write, from where, and how it is stored.

    Attributes:
        source: run folder of `chromagan train`; or a weights file, a name of the catalogue, a Hub repository. With
            `onnx` also "chroma_upsampler", or a file of such weights: the chroma step.
        out: file to write, `.onnx` with `onnx` and `.safetensors` otherwise.
        average: more sources of the same network, whose weights are averaged with it; the card and look are its own.
        checkpoint: which state of a run: "latest", "best", or a file.
        onnx: write an ONNX graph, in float32 (extra `onnx`).
        half: with `onnx`, store the weights in half precision.
        keep_class_head: keep the class head and full precision, for `chromagan train --init`.
        float32: full precision instead of half.
        size: working size that sampling takes by default; None for that of the source, as with the next four.
        saturation: factor on ab.
        typical_chroma: mean chroma that photos are drawn towards.
        annealed_share: share of the bins' annealed mean in the colours, 0 to 1.
        calm: share of chroma taken away where the bins do not agree, 0 to 1.
        views: of a photo that the network sees, 1, 2 or 4.
        zero_semantic: ablation: zero the deep features.
        training_command: to record; None for what `config.json` of the run, or the source, says.

    Raises:
        UsageError: options that contradict each other.
    """

    source: Place
    out: Place
    average: Sequence[Place] = ()
    checkpoint: str = "latest"
    onnx: bool = False
    half: bool = False
    keep_class_head: bool = False
    float32: bool = False
    size: int | None = None
    saturation: float | None = None
    typical_chroma: float | None = None
    annealed_share: float | None = None
    calm: float | None = None
    views: int | None = None
    zero_semantic: bool = False
    training_command: str | None = None

    def __post_init__(self) -> None:
        if self.half and not self.onnx:
            raise UsageError(
                "--half goes with --onnx; a safetensors file is in half precision unless --float32 is given"
            )
        if self.onnx and (self.keep_class_head or self.float32):
            raise UsageError(
                "--onnx holds no class head and is float32 already; leave --keep-class-head and --float32 out"
            )
        if self.average and self.keep_class_head:
            raise UsageError("--average is of what paints; leave --keep-class-head out")
        if Path(self.out).suffix != (".onnx" if self.onnx else ".safetensors"):
            raise UsageError(f"--out {self.out}: with --onnx the name ends in .onnx, and without it in .safetensors")

    @property
    def look(self) -> dict[str, Any]:
        """What is given of the look, by the names of `Look`'s fields."""
        given = {field.name: getattr(self, field.name) for field in fields(Look)}
        return {name: value for name, value in given.items() if value is not None}


def export(options: ExportOptions | None = None, **given: Any) -> Exported:
    """Write a run's averaged weights, or any weights, as one inference file or as an ONNX graph.

        chromagan.export(source="runs/mine", out="mine.safetensors", checkpoint="best")

    Args:
        options: what to write and how.
        **given: fields of `ExportOptions`, in place of `options`.

    Returns:
        The file, and what it says of itself.

    Raises:
        UsageError: options that contradict each other, or that the network has no use for.
        TrainingError: the run has no such state, or it is damaged.
        ModelError, WeightsError, WriteError: see their messages.
    """
    options = options or ExportOptions(**given)
    # The network and what it says of itself.
    if options.onnx and not _is_run(options.source) and is_upsampler(file := find_weights(options.source)):
        return _chroma_step(options, file)
    sources = [options.source, *options.average]
    loaded = [_loaded(replace(options, source=source)) for source in sources]
    network, card = average(loaded, [str(source) for source in sources]) if options.average else loaded[0]
    # What was asked for laid over that.
    for flag, value in (("--annealed-share", options.annealed_share), ("--calm", options.calm)):
        if value and network.bins is None:
            raise UsageError(f"{flag}: the network of {options.source} predicts no bins; leave the option out")
    if options.keep_class_head and not any(network.training_only(name) for name in network.state_dict()):
        raise UsageError(f"--keep-class-head: the network of {options.source} has no class head; leave the option out")
    look = replace(card.look, **options.look)
    card = replace(card, look=look, command=options.training_command or card.command)
    half = options.half if options.onnx else not (options.float32 or options.keep_class_head)
    return write_network(
        options.out, network, card, onnx=options.onnx, half=half, keep_class_head=options.keep_class_head
    )


def _chroma_step(options: ExportOptions, file: Path) -> Exported:
    if options.look or options.average or options.zero_semantic or options.checkpoint != "latest":
        raise UsageError(f"{options.source} is the chroma step, which takes --half alone; leave the other options out")
    return write_chroma_step(options.out, file, options.half)


def _is_run(source: Place) -> bool:
    # A folder that save_pretrained wrote has a config.json too.
    return (Path(source) / "config.json").is_file() and not (Path(source) / "model.safetensors").is_file()


def _loaded(options: ExportOptions) -> Loaded:
    return _from_run(Path(options.source), options) if _is_run(options.source) else _from_weights(options)


def _from_run(folder: Path, options: ExportOptions) -> Loaded:
    """The averaged network of a run, whole, and what it says of itself."""
    state = _read_state(folder, options.checkpoint)
    name = state["network"]["name"]
    config = {**state["network"]["config"], **_ablation(options)}
    network = build_network(name, **config)
    network.load_state_dict(state["ema"]["tensors"])
    saved = read_saved(folder)
    values = TrainConfig.read(saved)
    extra = {"images": str(state["images"]), "training": json.dumps(saved, sort_keys=True)}
    ancestors = _ancestors(values.get("init", ""), name, state["network"])
    if ancestors:
        extra["ancestors"] = json.dumps(ancestors)
    return network, WeightsCard(
        name, config, f"chromagan {__version__}", "Apache-2.0", "", command_of(saved), look_of(values), extra
    )


def _from_weights(options: ExportOptions) -> Loaded:
    if options.checkpoint != "latest" and not options.average:
        raise UsageError(f"--checkpoint goes with a run folder; {options.source} is not one")
    network, card = load_model(find_weights(options.source), **_ablation(options))
    return network, replace(card, config=network.config)


def _ablation(options: ExportOptions) -> dict[str, Any]:
    return {"semantic": False} if options.zero_semantic else {}


def _read_state(folder: Path, which: str) -> dict[str, Any]:
    """The state of a run: the latest, the best (as training marked it), or that of one checkpoint file."""
    if which in ("latest", "best"):
        state = load_state(folder, which)
        if state is None:
            raise TrainingError(f"{folder}: no training state there; name the --out folder of chromagan train")
    else:
        state = read_state(next((path for path in (Path(which), folder / which) if path.is_file()), Path(which)))
    if not isinstance(state, dict) or not {"network", "ema", "images"} <= state.keys():
        raise TrainingError(f"{which} of {folder} is not a checkpoint of chromagan train; name another one")
    return state


def _ancestors(init: str, model: str, network: dict[str, Any]) -> list[str]:
    """The sha256 of the weights that the run started from, then those that they started from, and so on."""
    if network.get("ancestors"):
        return list(network["ancestors"])
    if not init:
        return []
    if not Path(init).is_file():
        log.warning("--init %s of this run is no longer there: its sha256 is not recorded", init)
        return []
    return ancestors_of(NetworkOptions(model, init=init))


def command_of(saved: dict[str, Any]) -> str:
    """The training command of a saved configuration: what differs from the default preset."""
    values = TrainConfig.read(saved)
    plain = from_preset("default", model=values.get("model", "chromagan")).flat()
    words = ["python", "train_gan.py"]
    for name, value in values.items():
        if value == plain.get(name) or value in ("", []):
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, *(value if isinstance(value, list) else [str(value)])]
    return " ".join(words)
