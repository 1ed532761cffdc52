"""Networks as ONNX graphs that need neither PyTorch nor this package.

The graph takes `L` (N, 1, H, W) float32, CIE L* in [0, 100], and gives `ab` (N, 2, h, w) float32 in Lab units with
h = ceil(H / ab_stride), w = ceil(W / ab_stride). N, H and W are free. Padding to the network's stride and cropping
back are part of the graph, so that its contract is that of `ColorizationNetwork.forward`.
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
from torch import Tensor, nn

from chromagan.errors import ModelError
from chromagan.files.atomic import write_atomically
from chromagan.models.contract import NOTHING, ColorizationNetwork, digest
from chromagan.models.look import mixture
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.store import inference_part

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
TOLERANCE = 1e-3
BINS_TOLERANCE = 1e-2  # the annealed mean raises differences of its logits to the power of 2.6
HALF_TOLERANCE = 0.1
"""Lab units by which `ab` of the graph may differ from the network's; a just visible difference is about 2."""

_EXAMPLE = (2, 50, 70)  # photographs, rows, columns: no two equal, or the exporter takes them for one symbol
_CHECKED_SIZES = ((1, 33, 47), (2, 128, 96))


class _Graph(nn.Module):
    """A network from L to ab alone, mixed with its bins as the card says; the padding is computed in the graph."""

    def __init__(self, network: ColorizationNetwork, annealed_share: float) -> None:
        super().__init__()
        self.network, self.annealed_share = network, annealed_share

    def forward(self, L: Tensor) -> Tensor:
        """See the module."""
        height, width = L.shape[-2:]
        step = self.network.ab_stride
        prediction = self.network.predict(_pad(L, self.network.stride), NOTHING)
        ab = mixture(prediction, self.network.bins, self.annealed_share)  # balance is left to the caller
        return ab[..., : (height + step - 1) // step, : (width + step - 1) // step]


def _pad(image: Tensor, stride: int) -> Tensor:
    """What `pad_to_stride` does, as a gather of rows and columns: the choice of its mode depends on the size."""
    if stride == 1:
        return image
    height, width = image.shape[-2:]
    rows, columns = (torch.full((), side, dtype=torch.int64, device=image.device) for side in (height, width))
    reflects = ((-rows) % stride < rows) & ((-columns) % stride < columns)

    def indices(padded: int, side: Tensor) -> Tensor:
        index, last = torch.arange(padded, device=image.device), side - 1
        # The clamp only keeps the branch that is not taken inside the image.
        return torch.where(reflects, last - (index - last).abs(), torch.minimum(index, last)).clamp(min=0)

    padded_height = (height + stride - 1) // stride * stride
    padded_width = (width + stride - 1) // stride * stride
    return image.index_select(2, indices(padded_height, rows)).index_select(3, indices(padded_width, columns))


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
    for extra in ("onnx", "onnxruntime", "onnxscript"):
        if importlib.util.find_spec(extra) is None:
            raise ModelError(f"ONNX export needs {extra}, not installed: pip install 'chromagan[onnx]'")
    network = network.cpu().float().eval()
    tensors, config = inference_part(network, card.config)
    card = replace(card, config=config, sha256=card.sha256 or digest(tensors))
    # The graph, what it says of itself, and the proof that it answers as the network does; then the file.
    model = _translate(network, card)
    if half:
        _halve(model)
    _describe(model, network, card)
    data = model.SerializeToString()
    tolerance = BINS_TOLERANCE if card.look.annealed_share else TOLERANCE
    difference = _check(data, network, card, HALF_TOLERANCE if half else tolerance)
    path = Path(path)
    with contextlib.suppress(OSError):  # writing tells what is wrong with the folder
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(data))
    return difference


def _translate(network: ColorizationNetwork, card: WeightsCard) -> ModelProto:
    count, rows, columns = _EXAMPLE
    share = card.look.annealed_share
    example = torch.linspace(0, 100, count * rows * columns).reshape(count, 1, rows, columns)
    free = {0: torch.export.Dim("N"), 2: torch.export.Dim("H"), 3: torch.export.Dim("W")}
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                _Graph(network, share).eval(), (example,), dynamo=True, opset_version=OPSET, input_names=["L"],
                output_names=["ab"], dynamic_shapes=(free,), external_data=False, verbose=False,
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


def _describe(model: ModelProto, network: ColorizationNetwork, card: WeightsCard) -> None:
    """Put the card into the metadata, and take out the traces of the machine that exported the graph."""
    graph = model.graph
    for part in (model, graph, *graph.node):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]
    graph.name = card.model
    sides = ("H", "W") if network.ab_stride == 1 else ("h", "w")
    for index, name in zip((2, 3), sides, strict=True):
        graph.output[0].type.tensor_type.shape.dim[index].dim_param = name
    model.producer_name, _, model.producer_version = card.created_by.partition(" ")
    step = network.ab_stride
    entries = {
        **card.to_metadata(),
        "opset": str(OPSET),
        "ab_stride": str(step),
        "stride": str(network.stride),
        "input": "L: float32 (N, 1, H, W), CIE L* (D65) in [0, 100], any size; the graph pads to the stride itself",
        "output": f"ab: float32 (N, 2, ceil(H / {step}), ceil(W / {step})), CIE a* and b* in Lab units",
    }
    for name, text in entries.items():
        model.metadata_props.add(key=name, value=text)


@torch.no_grad()
def _check(data: bytes, network: ColorizationNetwork, card: WeightsCard, tolerance: float) -> float:
    import onnx
    import onnxruntime

    onnx.checker.check_model(data, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    worst = 0.0
    for count, rows, columns in _CHECKED_SIZES:
        L = (random.random((count, 1, rows, columns)) * 100).astype(np.float32)
        (answer,) = session.run(["ab"], {"L": L})
        ours = mixture(network(torch.from_numpy(L)), network.bins, card.look.annealed_share)
        difference = float(np.abs(answer - ours.numpy()).max())
        if not difference <= tolerance:  # also for values that are not finite
            raise ModelError(
                f"the ONNX graph of {card.model} answers otherwise than the network: by {difference:.2g} Lab units at "
                f"{rows} x {columns} pixels, {json.dumps(tolerance)} are allowed; nothing was written"
            )
        worst = max(worst, difference)
    return worst
