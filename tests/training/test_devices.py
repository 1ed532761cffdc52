"""A step on a device that is not the CPU, on machines that have none: PyTorch's meta device, which has shapes only.

It shows that no operation mixes devices and that nothing waits for a value (`item`, `bool`), for that cannot be had
there. What it cannot show is autocast, which the meta device has not.
"""

from contextlib import nullcontext

import cv2
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from chromagan.data.loader import Batch, BatchStream
from chromagan.data.photos import Survey
from chromagan.data.training_photos import open_training_photos
from chromagan.models.registry import list_models, model_record
from chromagan.models.teacher import Teacher
from chromagan.models.trunk import import_timm
from chromagan.training import trainer
from chromagan.training.config import from_preset

AWAY = torch.device("meta")
# These are how tensors come to a device, or what CUDA also takes from the CPU.
_MAY_MIX = ("aten::_to_copy", "aten::copy_", "aten::index", "aten::index_put_")


class OneDevice(TorchDispatchMode):
    """Refuses operations between tensors of several devices, as CUDA does; scalars may come from anywhere."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [t for t in tree_leaves((args, kwargs or {})) if isinstance(t, torch.Tensor) and t.dim()]
        found = {t.device.type for t in tensors}
        # An index from the CPU is moved, but one on the device cannot choose from a tensor on the CPU.
        index_away = function._schema.name == "aten::index" and args[0].device.type == "cpu" and len(found) > 1
        if len(found) > 1 and (index_away or function._schema.name not in _MAY_MIX):
            raise RuntimeError(f"{function} mixes {', '.join(sorted(found))}")
        return function(*args, **(kwargs or {}))


def train_away(tmp_path, monkeypatch, **options):
    """One batch through a whole `Trainer` on the meta device; the terms."""
    plain = {
        "data": ["x"], "size": 32, "batch_size": 2, "images": 4, "workers": 0, "warmup": 0, "ema": 0.9,
        "precision": "float32", "no_pretrained": True, "class_weight": 0.0,
    }  # fmt: skip
    monkeypatch.setattr(trainer, "survey", lambda *_: Survey())
    monkeypatch.setattr(trainer, "run_prior", lambda *_: torch.full((313,), 1 / 313).double())
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
    run = trainer.Trainer(from_preset("default", **{**plain, **options}), tmp_path / "run", AWAY)
    with OneDevice():
        return run.train_batch(Batch(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.arange(2)))


RECORDS = {name: model_record(name) for name in list_models()}
OURS = {name: record for name, record in RECORDS.items() if record.network.__module__.startswith("chromagan.")}
TRAINABLE = [name for name, record in OURS.items() if not record.weightless]


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_step_stays_on_the_device(name, tmp_path, monkeypatch):
    terms = train_away(tmp_path, monkeypatch, model=name)
    bins = {"bins"} if name == "chromagan" else set()
    assert set(terms) == {"chroma", "adversarial", "chroma_ratio", "wasserstein", "penalty"} | bins
    assert {term.device for term in terms.values()} == {AWAY}


@pytest.mark.parametrize(
    "options",
    [
        {"model": "siggraph17", "hints": True, "global_hints": True},
        {"model": "chromagan", "saturation_weight": 0.1, "accumulate": 2, "refresh_fakes": True, "critic_steps": 2},
        {"model": "chromagan", "penalty_on": "sum", "optimizer": "sgd", "critic_steps": 3},
    ],
    ids=["hints", "accumulate", "sum"],
)
def test_options_stay_on_the_device(options, tmp_path, monkeypatch):
    assert {term.device for term in train_away(tmp_path, monkeypatch, **options).values()} == {AWAY}


def test_class_rebalancing_stays_on_the_device(tmp_path, monkeypatch):
    terms = train_away(
        tmp_path, monkeypatch, model="eccv16", objective="ab_bins", rebalance=True, adversarial_weight=0.0
    )
    assert {name: term.device for name, term in terms.items()} == {"chroma": AWAY, "chroma_ratio": AWAY}


def test_the_teacher_stays_on_the_device(tmp_path, monkeypatch):
    tensors = import_timm().create_model("mobilenetv2_050").state_dict()
    monkeypatch.setattr(trainer, "build_teacher", lambda config: Teacher("mobilenetv2_050", tensors))
    terms = train_away(tmp_path, monkeypatch, class_weight=0.1, teacher_weights="x", teacher="mobilenetv2_050")
    assert terms["class"].device == AWAY


def test_squares_are_cut_on_the_device(tmp_path):
    for i in range(3):
        colours = np.zeros((40 + i, 50, 3), np.uint8)
        colours[:20], colours[20:] = (60, 170, 240), (150, 60, 20)
        cv2.imwrite(str(tmp_path / f"{i}.png"), colours)
    config = from_preset("default", data=[str(tmp_path)], size=32, batch_size=3, cache="device", workers=0)
    photos = open_training_photos(config.photos, config.seed, None, AWAY)
    with OneDevice():
        rgb = next(iter(BatchStream(photos, 3))).rgb
    assert (rgb.device, rgb.dtype, rgb.shape) == (AWAY, torch.uint8, (3, 3, 32, 32))


def test_a_constant_left_on_the_cpu_would_be_found():
    away, here = torch.empty(4, device=AWAY), torch.ones(4)
    with OneDevice():
        away.add(here.to(AWAY)).add(torch.tensor(1.0))  # moved, and a scalar
        away[torch.tensor([0, 1])]  # an index that CUDA takes from the CPU
        with pytest.raises(RuntimeError, match="mixes cpu, meta"):
            torch.nn.functional.conv2d(torch.empty(1, 1, 4, 4, device=AWAY), torch.ones(1, 1, 3, 3))
        with pytest.raises(RuntimeError, match="mixes cpu, meta"):
            here[torch.empty(2, dtype=torch.long, device=AWAY)]
        with pytest.raises(RuntimeError, match="meta"):
            away.sum().item()
