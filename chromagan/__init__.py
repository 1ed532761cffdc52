"""Adversarial semantic colorization: black-and-white photographs in, believable colour out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chromagan.version import __version__

if TYPE_CHECKING:
    from chromagan.conditioning.condition import Hints
    from chromagan.conditioning.guidance import Guidance
    from chromagan.evaluation.evaluate import evaluate
    from chromagan.inference.colorizer import Colored, Colorizer, Session
    from chromagan.inference.request import Request
    from chromagan.inference.stages import paint
    from chromagan.models.contract import Prediction
    from chromagan.models.look import Look
    from chromagan.models.registry import list_models
    from chromagan.pretrained.create import create_model
    from chromagan.training.export import export
    from chromagan.training.train import train

# Imported on first use: the command line answers --help without waiting for PyTorch.
_HOMES = {
    "conditioning.condition": "Hints", "conditioning.guidance": "Guidance", "evaluation.evaluate": "evaluate",
    "inference.colorizer": "Colored Colorizer Session", "inference.request": "Request", "inference.stages": "paint",
    "models.contract": "Prediction", "models.look": "Look", "models.registry": "list_models",
    "pretrained.create": "create_model", "training.export": "export", "training.train": "train",
}  # fmt: skip
_HOME_OF = {name: f"chromagan.{home}" for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'chromagan' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})


__all__ = [
    "Colored", "Colorizer", "Guidance", "Hints", "Look", "Prediction", "Request", "Session", "__version__",
    "create_model", "evaluate", "export", "list_models", "paint", "train",
]  # fmt: skip
