"""The zoo as a list: what the registry says of each network, with its size and arithmetic counted here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from chromagan.benchmark.contender import inference_network
from chromagan.benchmark.roofline import work_of
from chromagan.errors import ModelError
from chromagan.models.contract import ColorizationNetwork, count_parameters
from chromagan.models.registry import ModelRecord, build_network, list_models, model_record
from chromagan.pretrained.catalog import Entry, entries_of
from chromagan.reports.render import render
from chromagan.reports.tables import markdown_table

SIDE = 256
_WEIGHTS = ("--model", "file", "size", "licence", "what")
_HEADER = ("name", "parameters", "with training heads", "multiply-adds", "answers", "licence", "weights")


@dataclass(frozen=True)
class ZooEntry:
    """One network of the registry, and the weights that go by its name."""

    record: ModelRecord
    catalogue: list[Entry]
    parameters: int = 0  # at inference
    training_parameters: int = 0  # with the heads that only training needs
    multiply_adds: int = 0  # of one photo of 256 x 256 at inference: convolutions and matrix products
    uncounted: str = ""  # why there are none of these figures

    @property
    def billions(self) -> str:
        """The multiply-adds in words."""
        return f"{self.multiply_adds / 1e9:.2f} G" if self.multiply_adds else "0"

    @property
    def weights(self) -> str:
        """Where weights come from, in words."""
        others = [self.record.weights] if self.record.weights else []
        shipped = [", ".join(f"`{entry.name}`" for entry in self.catalogue)] if self.catalogue else []
        return "; ".join(shipped + others or [f"none shipped: `chromagan train --model {self.record.name}`"])


def zoo_entry(name: str) -> ZooEntry:
    """Look a network up and count; `ModelError` where there is none, or it needs a package that is not installed."""
    record = model_record(name)
    try:
        # tensors without memory: nothing is computed, so the whole zoo takes seconds
        with FakeTensorMode(allow_non_fake_inputs=True):
            counts = _count(name)
    except RuntimeError:
        # a network that looks at values while it is built or run; the same counts, slower
        counts = _count(name)
    return ZooEntry(record, entries_of(name), *counts)


def _count(name: str) -> tuple[int, int, int]:
    network: ColorizationNetwork = inference_network(name).eval()
    work = work_of(network, torch.zeros(1, 1, SIDE, SIDE))
    return count_parameters(network), count_parameters(build_network(name)), work.flops // 2


def list_zoo(pattern: str = "*") -> list[ZooEntry]:
    """Entries of the networks whose names match a shell pattern, sorted by name.

    What cannot be built here, since its backbone's package is not installed, is listed without figures.
    """
    entries = []
    for name in list_models(pattern):
        try:
            entries.append(zoo_entry(name))
        except ModelError as error:
            entries.append(ZooEntry(model_record(name), entries_of(name), uncounted=str(error)))
    return entries


def zoo_text(entries: list[ZooEntry]) -> str:
    """The list for a terminal, a few lines a network."""
    return render("zoo.txt", entries=entries, side=SIDE).rstrip("\n")


def zoo_markdown(entries: list[ZooEntry]) -> str:
    """The whole of `docs/zoo.md`; `ModelError` where a network could not be counted."""
    if missing := [entry for entry in entries if entry.uncounted]:
        raise ModelError(f"{missing[0].record.name}: {missing[0].uncounted}")
    rows = [
        (
            f"`{e.record.name}`", f"{e.parameters:,}",
            "" if e.training_parameters == e.parameters else f"{e.training_parameters:,}",
            e.billions, e.record.outputs, e.record.licence, e.weights,
        )
        for e in entries
    ]  # fmt: skip
    weights = [
        (f"`{w.name}`", f"`{w.file}`", f"{w.size / 2**20:.1f} MiB", w.licence, w.about)
        for e in entries
        for w in e.catalogue
    ]
    tables = {"table": markdown_table(_HEADER, rows, "lrrrlll"), "weights": markdown_table(_WEIGHTS, weights, "llrll")}
    return render("zoo.md", entries=entries, side=SIDE, **tables)
