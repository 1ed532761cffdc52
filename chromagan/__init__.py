"""Adversarial semantic colorization: black-and-white photographs in, believable colour out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chromagan.version import __version__

if TYPE_CHECKING:
    from chromagan.conditioning.condition import Hints
    from chromagan.evaluation.evaluate import evaluate
    from chromagan.inference.colorizer import Colorizer
    from chromagan.models.contract import Prediction
    from chromagan.models.registry import list_models
    from chromagan.pretrained.create import create_model
    from chromagan.training.train import train

# Imported on first use: the command line answers --help without waiting for PyTorch.
_HOMES = {
    "Colorizer": "chromagan.inference.colorizer",
    "Hints": "chromagan.conditioning.condition",
    "Prediction": "chromagan.models.contract",
    "create_model": "chromagan.pretrained.create",
    "evaluate": "chromagan.evaluation.evaluate",
    "list_models": "chromagan.models.registry",
    "train": "chromagan.training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'chromagan' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


__all__ = ["Colorizer", "Hints", "Prediction", "__version__", "create_model", "evaluate", "list_models", "train"]
