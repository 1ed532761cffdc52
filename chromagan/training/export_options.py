"""What an export is asked for: one field for each flag of `chromagan export`, checked in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromagan.errors import UsageError

Place = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What to write, from where, and how it is stored.

    Attributes:
        source: run folder of `chromagan train`; or a weights file, a name of the catalogue, a Hub repository.
        out: file to write, `.onnx` with `onnx` and `.safetensors` otherwise.
        checkpoint: which state of the run: "latest", "best", or a file.
        onnx: write an ONNX graph, in float32 (extra `onnx`).
        half: with `onnx`, store the weights in half precision.
        keep_class_head: keep the class head and full precision, for `chromagan train --init`.
        float32: full precision instead of half.
        size: working size that sampling takes by default; None for that of the source, as with the next three.
        saturation: factor on ab.
        typical_chroma: mean chroma that photos are drawn towards.
        annealed_share: share of the bins' annealed mean in the colours, 0 to 1.
        zero_semantic: ablation: zero the deep features.
        training_command: to record; None for what `config.json` of the run, or the source, says.

    Raises:
        UsageError: options that contradict each other.
    """

    source: Place
    out: Place
    checkpoint: str = "latest"
    onnx: bool = False
    half: bool = False
    keep_class_head: bool = False
    float32: bool = False
    size: int | None = None
    saturation: float | None = None
    typical_chroma: float | None = None
    annealed_share: float | None = None
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
        if self.onnx != (Path(self.out).suffix == ".onnx"):
            raise UsageError(f"--out {self.out}: with --onnx the name ends in .onnx, and without it in .safetensors")

    @property
    def look(self) -> dict[str, Any]:
        """What is given of the look, by the names of `Look`'s fields."""
        given = {name: getattr(self, name) for name in ("size", "saturation", "typical_chroma", "annealed_share")}
        return {name: value for name, value in given.items() if value is not None}
