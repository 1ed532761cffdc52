"""From a configuration to networks: generator with its pretrained trunk, teacher."""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from chromagan.errors import UsageError, WeightsError
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.registry import build_network, model_record
from chromagan.models.trunk import Teacher, downloaded_name, fill_trunk, published_backbone
from chromagan.training.config import TrainConfig

_IMAGENET_CLASSES = 1000


def read_classifier(path: str) -> dict[str, Tensor]:
    """Tensors of a local classifier file, float32.

    Raises:
        WeightsError: missing, or not a safetensors file (pickles are not opened).
    """
    try:
        return {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: not found; give the classifier's weights as a safetensors file") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error}); convert it to safetensors") from error


def build_generator(config: TrainConfig) -> ColorizationNetwork:
    """The generator of a run: fresh, with a pretrained trunk where the network has one, or from exported weights."""
    if model_record(config.model).weightless:
        raise UsageError(f"model {config.model!r} has nothing to train; it works as it is: chromagan sample --model")
    arguments = _network_options(config)
    if config.init:
        from chromagan.pretrained.create import create_model, read_any_weights

        own = str(read_any_weights(config.init, config.model)[1].config.get("backbone", ""))
        if own.partition(".")[0] == arguments.get("backbone"):
            arguments["backbone"] = own  # with the tag that tells how it is built
        network = create_model(config.model, weights=config.init, **arguments)
        if config.wants_teacher and network.config.get("classes") == 0:
            # An inference file has no class head; a fresh one is trained beside what is there.
            network = create_model(config.model, weights=config.init, classes=_IMAGENET_CLASSES, **arguments)
        return network
    network = build_network(config.model, **arguments, **({"global_hints": True} if config.global_hints else {}))
    trunk = getattr(network, "trunk", None)
    local = config.backbone_weights
    if not isinstance(trunk, nn.Module):
        if local:
            raise UsageError(f"--backbone-weights: {config.model} has no pretrained part here; leave the option out")
    elif not config.no_pretrained:
        name = str(trunk.name)
        fill_trunk(trunk, read_classifier(local) if local else published_backbone(name), local or name)
    return network


def _network_options(config: TrainConfig) -> dict[str, Any]:
    """What the command line says about the network itself; `UsageError` where this one has no such option."""
    known = inspect.signature(model_record(config.model).factory).parameters
    if config.no_semantic and "semantic" not in known:
        raise UsageError(f"--no-semantic goes with --model chromagan, not {config.model}")
    if config.backbone and "backbone" not in known:
        raise UsageError(f"--backbone goes with --model chromagan or unet, not {config.model}")
    options: dict[str, Any] = {"semantic": not config.no_semantic} if "semantic" in known else {}
    download = not (config.no_pretrained or config.backbone_weights or config.init)
    if config.chosen_backbone:
        name = config.chosen_backbone
        options["backbone"] = downloaded_name(name) if download and name != "vgg16" else name
    elif download and "tag" in known:
        own = str(getattr(model_record(config.model).factory, "backbone", ""))
        options["tag"] = downloaded_name(own).partition(".")[2]
    return options


def ancestors_of(config: TrainConfig) -> list[str]:
    """The sha256 of the weights that a run starts from (`--init`), then of those that they started from, and so on."""
    if not config.init:
        return []
    from chromagan.pretrained.create import read_any_weights

    card = read_any_weights(config.init, config.model)[1]
    return [card.sha256, *json.loads(card.extra.get("ancestors", "[]"))]


def build_teacher(config: TrainConfig) -> Teacher | None:
    """The teacher of the class term, None when the run has no such term."""
    if not config.wants_teacher:
        if config.class_weight > 0:
            print("no class term: --no-pretrained without --teacher-weights", file=sys.stderr)
        return None
    name = config.teacher or "vgg16"
    local = config.teacher_weights
    if local:
        return Teacher(name, read_classifier(local), config.teacher_raw_lightness, local)
    try:
        tensors = published_backbone(name)
    except WeightsError as error:
        raise WeightsError(str(error).replace("--backbone-weights", "--teacher-weights")) from error
    return Teacher(downloaded_name(name), tensors, config.teacher_raw_lightness, name)


def trunk_stages(network: nn.Module, config: TrainConfig) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters of the trunk that are never trained, and those that are; both empty for a network without one."""
    trunk = getattr(network, "trunk", None)
    if getattr(trunk, "always_frozen", False):
        return list(trunk.parameters()), []  # type: ignore[union-attr]
    if trunk is None or not hasattr(trunk, "stages"):
        return [], []
    stages = trunk.stages()
    cut = config.trunk_frozen
    if len(stages) == 1:  # timm's backbones come as one stage: frozen whole or not at all
        cut = int(cut == 5)
    if config.no_pretrained:
        cut = 0
    return [p for s in stages[:cut] for p in s], [p for s in stages[cut:] for p in s]
