"""Networks and the chroma step as ONNX graphs that need neither PyTorch nor this package.

The painting takes `L` (N, 1, H, W) float32, CIE L* in [0, 100], and gives `ab` (N, 2, h, w) float32 in Lab units with
h = ceil(H / ab_stride), w = ceil(W / ab_stride), as `settle` has it. The chroma step takes `ab` (N, 2, h, w) and `L`
(N, 1, 2h, 2w) and gives `finer_ab` (N, 2, 2h, 2w). All sizes are free. What a photo needs beside them is resizing, the
look's saturation and joining; `examples/onnx_only.py` has it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from chromagan.errors import ModelError
from chromagan.files.atomic import write_atomically
from chromagan.models.chroma_upsampler import ChromaUpsampler
from chromagan.models.contract import ColorizationNetwork, digest
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.onnx_graphs import ChromaStep, Graph, Painting
from chromagan.pretrained.store import inference_part
from chromagan.version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
TOLERANCE = 1e-3
BINS_TOLERANCE = 1e-2  # the annealed mean raises differences of its logits to the power of 2.6
HALF_TOLERANCE = 0.1
"""Lab units by which `ab` of the graph may differ from the network's; a just visible difference is about 2."""

_EXAMPLE = (2, 50, 70)  # photographs, rows, columns: no two equal, or the exporter takes them for one symbol
_CHECKED_SIZES = ((1, 33, 47), (2, 128, 96), (1, 256, 341))


def export_onnx(
    path: str | os.PathLike[str], network: ColorizationNetwork, card: WeightsCard, half: bool = False
) -> float:
    """Write a network as an ONNX file, check the graph and compare its answers under onnxruntime with the network's.

    Args:
        path: where to write; folders are made, and the file appears under its name only when it is complete.
        network: any registered network, with its weights; it is put into evaluation mode on the CPU.
        card: what the file says of itself in its metadata properties; an empty `sha256` is computed.
        half: store the weights as float16, which halves the file; the graph still computes in float32.

    Returns:
        The largest difference of ab between graph and network that the check found, in Lab units.

    Raises:
        ModelError: the extra `onnx` is not installed, the exporter cannot express this network, or its graph answers
            otherwise than the network.
        WriteError: the file cannot be written.
    """
    network = network.cpu().float().eval()
    tensors, config = inference_part(network, card.config)
    card = replace(card, config=config, sha256=card.sha256 or digest(tensors))
    tolerance = BINS_TOLERANCE if card.look.annealed_share or card.look.calm else TOLERANCE
    return _write(Path(path), Painting(network, card.look), card, half, tolerance)


def export_chroma_step(
    path: str | os.PathLike[str], step: ChromaUpsampler, card: WeightsCard, half: bool = False
) -> float:
    """Write the chroma step as an ONNX file; otherwise as `export_onnx`."""
    step = step.cpu().float().eval()
    card = replace(card, sha256=card.sha256 or digest(step.state_dict()))
    return _write(Path(path), ChromaStep(step), card, half, TOLERANCE)


def _write(path: Path, graph: Graph, card: WeightsCard, half: bool, tolerance: float) -> float:
    for extra in ("onnx", "onnxruntime", "onnxscript"):
        if importlib.util.find_spec(extra) is None:
            raise ModelError(f"ONNX export needs {extra}, not installed: pip install 'chromagan[onnx]'")
    # The graph, what it says of itself, and the proof that it answers as the network does; then the file.
    model = _translate(graph.eval(), card)
    if half:
        _halve(model)
    _describe(model, graph, card)
    data = model.SerializeToString()
    difference = _check(data, graph, card, HALF_TOLERANCE if half else tolerance)
    with contextlib.suppress(OSError):  # writing tells what is wrong with the folder
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(data))
    return difference


def _translate(graph: Graph, card: WeightsCard) -> ModelProto:
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                graph, graph.example(*_EXAMPLE), dynamo=True, opset_version=OPSET, input_names=list(graph.inputs),
                output_names=[graph.output], dynamic_shapes=graph.free, external_data=False, verbose=False,
            )  # fmt: skip
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise ModelError(
            f"model {card.model} cannot be written as ONNX by PyTorch {torch.__version__}: "
            f"{reason[0][:160] if reason else type(error).__name__}; update torch and onnxscript, or use safetensors"
        ) from error
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's progress lines and its warnings about itself tell a user nothing."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _halve(model: ModelProto) -> None:
    """Store weights of two or more dimensions as float16, each with a cast to float32 behind it."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            raise ModelError(f"cannot store {name!r}: it has values too large for half precision; leave out --half")
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])


def _describe(model: ModelProto, source: Graph, card: WeightsCard) -> None:
    """Put the card into the metadata, and take out the traces of the machine that exported the graph."""
    graph = model.graph
    for part in (model, graph, *graph.node):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]
    graph.name = card.model
    for index, name in zip((2, 3), source.sides, strict=True):
        graph.output[0].type.tensor_type.shape.dim[index].dim_param = name
    model.producer_name, _, model.producer_version = card.created_by.partition(" ")
    entries = {**card.to_metadata(), "software": f"chromagan {__version__}", "opset": str(OPSET), **source.facts}
    if not isinstance(source, Painting):
        del entries["look"]
    for name, text in entries.items():
        model.metadata_props.add(key=name, value=text)


@torch.no_grad()
def _check(data: bytes, graph: Graph, card: WeightsCard, tolerance: float) -> float:
    import onnx
    import onnxruntime

    onnx.checker.check_model(data, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for size in _CHECKED_SIZES:
        inputs = graph.example(*size)
        given = {name: one.numpy() for name, one in zip(graph.inputs, inputs, strict=True)}
        (answer,) = session.run([graph.output], given)
        difference = float(np.abs(answer - graph.expected(*inputs).numpy()).max())
        if not difference <= tolerance:  # also for values that are not finite
            raise ModelError(
                f"the ONNX graph of {card.model} answers otherwise than the network: by {difference:.2g} Lab units at "
                f"{size[1]} x {size[2]} pixels, {json.dumps(tolerance)} are allowed; nothing was written"
            )
        worst = max(worst, difference)
    return worst
