"""A small comparison: what the tests run in their own process, in several that share the work, and in one to kill."""

import itertools
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from chromagan.compute.distributed import process_group, world_size
from chromagan.evaluation.compare import compare
from chromagan.evaluation.comparison import Comparison
from chromagan.evaluation.comparison_report.files import as_json
from chromagan.evaluation.pairs import match_pairs
from chromagan.metrics.figure import Figure
from chromagan.metrics.registry import choose_metrics


class AsTheyAre:
    label = "folder/1"

    def __init__(self):
        self.calls = itertools.count(1)

    def prepare(self, picture):
        if next(self.calls) > float(os.environ.get("HALT", "inf")):
            time.sleep(3600)  # to be killed
        return picture


class Brightness:
    """A set metric whose answer is known: the mean brightness of all pictures of a method, and of their blocks."""

    names = ("brightness", "blocks")

    def __init__(self):
        self.settings = {"network": "none"}
        self.warnings = []
        self.missing = {}
        self.held = {}
        self.waiting = []
        self.updates = 0

    def update(self, index, method, picture, truth):
        assert picture.shape == truth.shape
        self.updates += 1
        self.waiting.append((method, index, float(picture.mean())))

    def flush(self):
        of_block = float(np.mean([value for _, _, value in self.waiting]))  # depends on what shares the block
        for method, index, value in self.waiting:
            self.held[method, index] = (value, of_block)
        self.waiting = []

    def state(self):
        keys = sorted(self.held)
        values = torch.tensor([self.held[key] for key in keys], dtype=torch.float64)
        return {"methods": [key[0] for key in keys], "indices": [key[1] for key in keys], "values": values}

    def merge(self, states):
        for state in states:
            for key, value in zip(zip(state["methods"], state["indices"], strict=True), state["values"].tolist(),
                                  strict=True):  # fmt: skip
                self.held.setdefault(key, tuple(value))

    def compute(self, method):
        values = [value for (name, _), value in sorted(self.held.items()) if name == method]
        brightness, blocks = np.mean(values, axis=0)
        return {"brightness": Figure(float(brightness), count=len(values)), "blocks": Figure(float(blocks))}


class Tinter:
    """A model that tints."""

    names = ("tinted", "tinted twice")

    def __init__(self):
        self.settings = {name: {"weights_sha256": "0" * 64} for name in self.names}
        self.calls = 0

    whole_blocks = False

    def paint(self, block):
        self.calls += len(block)
        return [tinted(one.gray) for one in block]


def tinted(gray):
    three = np.repeat(gray[..., None], 3, axis=2).astype(int)
    return [(three + np.array([k, 0, -k])).clip(0, 255).astype(np.uint8) for k in (10, 20)]


def make_plan(truth, methods, out=None, **options):
    """A plan over folders."""
    pairs = match_pairs(Path(truth), {name: Path(folder) for name, folder in methods.items()})
    options["metrics"] = choose_metrics(options.get("metrics"))
    options = {"workers": 2, "progress": False, "protocol": AsTheyAre(), **options}
    return Comparison(pairs=pairs, out=None if out is None else Path(out), **options)


def main():
    truth, made, out = sys.argv[1:4]
    with process_group("cpu"):
        plan = make_plan(truth, {"made": made}, out, painters=[Tinter()], collectors=[Brightness()])
        result = compare(plan, "folder/1")
        if result is not None:
            content = {"json": as_json(result), "per_image": {m.name: m.per_image for m in result.methods}}
            content["world"] = world_size()
            Path(out, "answer.json").write_text(json.dumps(content))


if __name__ == "__main__":
    main()
