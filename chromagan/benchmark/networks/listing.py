"""The zoo as a list: what the registry says of each network, with its size and arithmetic counted here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from chromagan.benchmark.contender import inference_network
from chromagan.benchmark.roofline import work_of
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
    """One network.

    Attributes:
        record: from the registry.
        parameters: at inference.
        training_parameters: with the heads that only training needs.
        multiply_adds: of one photo of 256 x 256 at inference: convolutions and matrix products.
        catalogue: the weights that go by its name.
    """

    record: ModelRecord
    parameters: int
    training_parameters: int
    multiply_adds: int
    catalogue: list[Entry]

    @property
    def billions(self) -> str:
        """The multiply-adds in words."""
        return f"{self.multiply_adds / 1e9:.2f} G" if self.multiply_adds else "0"

    @property
    def weights(self) -> str:
        """Where weights come from, in words."""
        others = [self.record.weights] if self.record.weights else []
        if self.catalogue:
            return "; ".join([", ".join(f"`{entry.name}`" for entry in self.catalogue), *others])
        return "; ".join(others or [f"none shipped: `chromagan train --model {self.record.name}`"])


def zoo_entry(name: str) -> ZooEntry:
    """Look a network up and count.

    Args:
        name: registered.

    Raises:
        ModelError: there is no such network, or it needs a package that is not installed.
    """
    record = model_record(name)
    try:
        # tensors without memory: nothing is computed, so the whole zoo takes seconds
        with FakeTensorMode(allow_non_fake_inputs=True):
            counts = _count(name)
    except RuntimeError:
        # a network that looks at values while it is built or run; the same counts, slower
        counts = _count(name)
    return ZooEntry(record, *counts, entries_of(name))


def _count(name: str) -> tuple[int, int, int]:
    network: ColorizationNetwork = inference_network(name).eval()
    work = work_of(network, torch.zeros(1, 1, SIDE, SIDE))
    return count_parameters(network), count_parameters(build_network(name)), work.flops // 2


def list_zoo(pattern: str = "*") -> list[ZooEntry]:
    """Entries of the networks whose names match a shell pattern, sorted by name."""
    return [zoo_entry(name) for name in list_models(pattern)]


def zoo_text(entries: list[ZooEntry]) -> str:
    """The list for a terminal, a few lines a network."""
    return render("zoo.txt", entries=entries, side=SIDE).rstrip("\n")


def zoo_markdown(entries: list[ZooEntry]) -> str:
    """The whole of `docs/zoo.md`."""
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
