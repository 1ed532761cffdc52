"""From a configuration to networks: generator with its pretrained trunk, teacher."""

from __future__ import annotations

import json
import logging
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from chromagan.errors import ModelError, UsageError, WeightsError
from chromagan.losses.class_distribution import ClassDistribution
from chromagan.models.contract import ColorizationNetwork, Trunk
from chromagan.models.conv_norm import learn_statistics
from chromagan.models.options import parse_options
from chromagan.models.registry import build_network, list_models, model_record
from chromagan.models.teacher import Teacher
from chromagan.models.trunk import downloaded_name, fill_trunk, published_backbone, trunks_of
from chromagan.pretrained.create import load_model, read_any_weights
from chromagan.pretrained.hub import find_weights
from chromagan.pretrained.store import first_bytes
from chromagan.training.config import NetworkOptions, TrainConfig

log = logging.getLogger(__name__)

_IMAGENET_CLASSES = 1000
_FILE_DECIDES = ("bins", "hints", "global_hints")  # parts that weights have or have not
_OWN_TRUNK = "--init brings its own trunk; leave --backbone-weights out"


def read_classifier(path: str) -> dict[str, Tensor]:
    """Tensors of a local classifier file, float32; `WeightsError` where it is no safetensors file (or a pickle)."""
    first_bytes(path)  # a pipe would never end
    try:
        return {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error}); convert it to safetensors") from error


def build_generator(config: TrainConfig) -> ColorizationNetwork:
    """The generator of a run: fresh, with a pretrained trunk where the network has one, or from exported weights."""
    options = config.network
    if model_record(options.model).weightless:
        raise UsageError(f"model {options.model!r} has nothing to train; it works as it is: chromagan sample --model")
    if options.init:
        return _from_init(config)
    network = build_network(options.model, **_network_options(config))
    trunks = trunks_of(network)
    if options.backbone_weights and not trunks:
        raise UsageError(f"--backbone-weights: {options.model} has no pretrained part here; leave the option out")
    if options.no_pretrained:
        learn_statistics(network)
    else:
        _fill(trunks, options)
    return network


def _from_init(config: TrainConfig) -> ColorizationNetwork:
    """The network of `--init`: of the file's form, with what the run adds to it."""
    options, file = config.network, find_weights(config.network.init)
    there = read_any_weights(file, options.model)[1].config
    given: dict[str, Any] = {"folded": False} if "folded" in there else {}
    classes = _IMAGENET_CLASSES if config.wants_teacher else 0
    before = load_model(file, options.model, **given)[0]
    if before.grows:
        return _grown(before, config, classes)
    given |= _model_options(options)
    # Any other has the parts of the file, and a class head where the run trains one.
    if options.backbone_weights:
        raise UsageError(_OWN_TRUNK)
    lacks_bins = "bins" in model_record(options.model).options and "bins" not in there
    if lacks_bins and (config.hints.hints or config.objective.asking_for("bins")):
        raise UsageError(f"--init {options.init} has the generator of version 0.1: add --no-hints --bin-weight 0")
    given |= {name: value for name, value in _network_options(config).items() if name not in _FILE_DECIDES}
    own = there.get("backbone", "")
    if not options.backbone or _stems(own) == _stems(given.get("backbone", "")):
        given["backbone"] = own  # with the tag that tells how it is built
    if classes and there.get("classes") == 0:
        given["classes"] = classes
    return load_model(file, options.model, **{k: value for k, value in given.items() if k in there})[0]


def _grown(before: ColorizationNetwork, config: TrainConfig, classes: int) -> ColorizationNetwork:
    """A network with what a run adds: branches behind its own, bins, hints, a class head of so many `classes`.

    What is new begins so that the colours stay as they are, see `take_over` of the contract. What the network has and
    the run does not use stays; `semantic` alone may take something away.
    """
    options, own = config.network, before.config
    # What it has, and what is asked for.
    known = len(own["backbone"])
    if _stems(options.backbone[:known]) != _stems(own["backbone"])[: len(options.backbone)]:
        branches = ", ".join(own["backbone"])
        raise UsageError(f"--init {options.init} has the branch {branches}: name it first in --backbone")
    parts = _parts(config)
    more: dict[str, Any] = {name: own[name] or used for name, used in parts.items() if name in own}
    more["backbone"] = [*own["backbone"], *_built_names(options.backbone[known:], options)]
    more["classes"] = own["classes"] or classes
    if "semantic" in more:
        more["semantic"] = parts["semantic"]
    # The larger network, with the old weights, and pretrained ones for the new branches.
    try:
        network = build_network(before.registered_as, **{**own, **more, **_model_options(options)})
        network.take_over(before)
    except ModelError as error:
        raise UsageError(f"--init {options.init}: {error}") from error
    new = trunks_of(network)[known:]
    if options.backbone_weights and not new:
        raise UsageError(_OWN_TRUNK)
    if not options.no_pretrained:
        _fill(new, options)
    return network


def _fill(trunks: list[Trunk], options: NetworkOptions) -> None:
    """Give trunks their pretrained weights, from local files or from the libraries that own them."""
    files = backbone_files(options.backbone_weights, [trunk.name for trunk in trunks])
    for trunk in trunks:
        local, name = files.get(trunk.name, ""), trunk.name
        fill_trunk(trunk, read_classifier(local) if local else published_backbone(name), local or name)


def backbone_files(given: list[str], names: list[str]) -> dict[str, str]:
    """The local file of each backbone: `given` as NAME=FILE each, or as one FILE where there is one backbone.

    Raises:
        UsageError: a name that the network does not have, or a plain FILE for several.
    """
    files = {}
    for one in given:
        name, equals, file = one.partition("=")
        if equals and name in names:
            files[name] = file
        elif len(names) == 1 and len(given) == 1 and (not equals or "/" in name):
            files[names[0]] = one
        else:
            raise UsageError(f"--backbone-weights {one}: give NAME=FILE, the names being {', '.join(names)}")
    return files


def _stems(backbone: str | list[str]) -> list[str]:
    """Names of backbones without the tags of their weights."""
    return [name.partition(".")[0] for name in ([backbone] if isinstance(backbone, str) else backbone)]


def _network_options(config: TrainConfig) -> dict[str, Any]:
    """What the command line says about the network itself; `UsageError` where this one has no such option."""
    options, record = config.network, model_record(config.network.model)
    known = record.options
    if options.no_semantic and "semantic" not in known:
        raise UsageError(f"--no-semantic goes with --model {_models_with('semantic')}, not {options.model}")
    if options.backbone and "backbone" not in known:
        raise UsageError(f"--backbone goes with --model {_models_with('backbone')}, not {options.model}")
    several = "backbone" in known and not isinstance(known["backbone"].default, str)
    if len(options.backbone) > 1 and not several:
        raise UsageError(f"--backbone: {options.model} takes one; two go with --model chromagan")
    found = {name: value for name, value in _parts(config).items() if name in known}
    if options.chosen_backbones:
        names = _built_names(options.chosen_backbones, options)
        found["backbone"] = names if several else names[0]
    elif record.network.own_backbone and "tag" in known and not options.init:
        found["tag"] = _built_names([record.network.own_backbone], options)[0].partition(".")[2]
    return {**found, **_model_options(options)}


def _models_with(option: str) -> str:
    return " or ".join(name for name in list_models() if option in model_record(name).options)


def _parts(config: TrainConfig) -> dict[str, Any]:
    """Which optional parts of a network a run uses, by the names that they have as options."""
    bins, hints = bool(config.objective.asking_for("bins")), config.hints
    parts = {"semantic": not config.network.no_semantic, "bins": bins, "hints": hints.hints}
    return {**parts, "global_hints": True} if hints.global_hints else parts


def _model_options(options: NetworkOptions) -> dict[str, Any]:
    """`--model-option`, by name."""
    return parse_options(options.model_option, model_record(options.model).network, "--model-option")


def _built_names(names: list[str], options: NetworkOptions) -> list[str]:
    """Backbones as they are built: where weights are downloaded with timm's tag, which may decide the padding."""
    files = {} if options.init and not names else backbone_files(options.backbone_weights, names)
    given = options.no_pretrained or (options.init and not options.backbone)
    return [name if given or name in files or name == "vgg16" else downloaded_name(name) for name in names]


def ancestors_of(options: NetworkOptions) -> list[str]:
    """The sha256 of the weights that a run starts from (`--init`), then of those that they started from, and so on."""
    if not options.init:
        return []
    card = read_any_weights(find_weights(options.init), options.model)[1]
    return [card.sha256, *json.loads(card.extra.get("ancestors", "[]"))]


def build_teacher(config: TrainConfig) -> Teacher | None:
    """The teacher of the class term, None when the run has no such term."""
    if not config.wants_teacher:
        if config.objective.asking_for("teacher"):
            without = "--no-pretrained without --teacher-weights" if config.network.no_pretrained else "no class head"
            log.warning("no class term: %s", without)
        return None
    term = config.objective.term(ClassDistribution)
    name, local, gray = term.teacher, term.teacher_weights, term.teacher_gray
    if local:
        return Teacher(name, read_classifier(local), term.teacher_raw_lightness, local, gray)
    try:
        tensors = published_backbone(name)
    except WeightsError as error:
        raise WeightsError(str(error).replace("--backbone-weights", "--teacher-weights")) from error
    return Teacher(downloaded_name(name), tensors, term.teacher_raw_lightness, name, gray)


def trunk_stages(network: nn.Module, options: NetworkOptions) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters of the trunk that are never trained, and those that are; both empty for a network without one."""
    frozen: list[nn.Parameter] = []
    tuned: list[nn.Parameter] = []
    frozen_whole = _stems(options.frozen_backbones)
    strangers = sorted(set(frozen_whole) - {_stems(trunk.name)[0] for trunk in trunks_of(network)})
    if strangers:
        raise UsageError(f"--frozen-backbones {strangers[0]}: the network has no such branch")
    for trunk in trunks_of(network):
        stages = trunk.stages()
        cut = options.trunk_frozen
        if len(stages) == 1:  # timm's backbones come as one stage: frozen whole or not at all
            cut = int(cut == 5)
        if options.no_pretrained:
            cut = 0
        if trunk.always_frozen or _stems(trunk.name)[0] in frozen_whole:
            cut = len(stages)
        frozen += [p for s in stages[:cut] for p in s]
        tuned += [p for s in stages[cut:] for p in s]
    return frozen, tuned
