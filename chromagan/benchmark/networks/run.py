"""Train networks for the same budget on the same photographs, and measure all on the same held-out set.

Each run is an ordinary run folder, so a benchmark that is stopped or killed goes on where it was: finished rows stand
in `zoo.json`, and the run under way resumes from its checkpoint.
"""

from __future__ import annotations

import gc
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from chromagan.benchmark.networks.figures import Exam, training_pace
from chromagan.benchmark.networks.matrix import Entry, Matrix
from chromagan.benchmark.networks.sheet import ContactSheet
from chromagan.compute.versions import versions
from chromagan.errors import ChromaganError, TrainingError, UsageError
from chromagan.files.atomic import write_json
from chromagan.losses.bins import Bins
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.registry import build_network
from chromagan.pretrained.store import save_weights
from chromagan.training.checkpoint import state_files
from chromagan.training.config import TrainConfig
from chromagan.training.train import open_loop
from chromagan.training.trainer import Trainer

RESULTS = "zoo.json"
_SNAPSHOTS = 10  # a run; what a kill can cost
_PACE_SECONDS, _PACE_STEPS = 10.0, 30


@dataclass
class Row:
    """One trained network; baselines that are not trained have one row."""

    label: str
    model: str
    seed: int
    images: int  # photographs that it was trained on
    start: str  # "pretrained", "not pretrained" (its backbone began from nothing), "no backbone" or "not trained"
    objective: str  # what it was trained on, in the words of the configuration
    figures: dict[str, float] = field(default_factory=dict)  # by name, see `Exam.measure` and `training_pace`
    config: dict[str, Any] = field(default_factory=dict)


@dataclass
class Results:
    """All finished rows, those that failed with the reason, and why the benchmark stopped before its end, if it did."""

    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    stopped: str = ""


class NetworkBenchmark:
    """A benchmark in a folder: `zoo.json`, the runs, their weights and the columns of the contact sheet.

    Args:
        matrix: what all rows share.
        out: the folder.
        device: where networks are.
        sheet: photographs for the sheet.
        keep_states: keep the checkpoints of finished runs (they can be several times as large as the weights).
        tell: takes a line of progress.

    Raises:
        TrainingError: the folder holds a benchmark of other settings.
    """

    def __init__(
        self,
        matrix: Matrix,
        out: Path,
        device: torch.device,
        sheet: ContactSheet,
        keep_states: bool = False,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.matrix, self.out, self.device, self.sheet = matrix, out, device, sheet
        self.keep_states, self.tell = keep_states, tell
        self.rows: list[Row] = []
        self.lengths: dict[str, int] = {}
        self._exam: Exam | None = None
        self._read()

    def run(self, entries: Sequence[str], seeds: int, max_minutes: float = math.inf) -> Results:
        """Train and measure what is not finished yet; all first seeds come before the second ones.

        Args:
            entries: labels, see `Entry`; `ModelError` or `UsageError` for one that means nothing, before any training.
            seeds: runs of each, with the seeds 0, 1, ...
            max_minutes: stop cleanly after this time; the same call goes on.
        """
        parsed = [Entry.parse(label) for label in entries]
        if len({entry.folder for entry in parsed}) != len(parsed):
            raise UsageError("two entries of the list have the same name; leave one out")
        deadline = time.monotonic() + 60 * max_minutes
        results = Results(self.rows)
        todo = [(entry, seed) for seed in range(seeds) for entry in parsed if not (entry.weightless and seed)]
        for number, (entry, seed) in enumerate(todo, 1):
            if any(row.label == entry.label and row.seed == seed for row in self.rows):
                continue
            self.tell(f"{number} of {len(todo)}: {entry.label}, seed {seed}")
            try:
                results.stopped = self._finish_row(entry, seed, (deadline - time.monotonic()) / 60)
            except (ChromaganError, torch.OutOfMemoryError) as error:
                results.failures[f"{entry.label}, seed {seed}"] = str(error).splitlines()[0]
                self.tell(f"{entry.label}, seed {seed}: {error}")
            self._tidy()
            if results.stopped:
                break
        return results

    def _finish_row(self, entry: Entry, seed: int, minutes: float) -> str:
        """Train the rest of one run and measure it; says why it stopped before its end, or nothing."""
        if minutes <= 0:
            return "the time limit"
        if entry.weightless:
            network = build_network(entry.model).to(self.device).eval()
            self._add(Row(entry.label, entry.model, seed, 0, "not trained", "-"), network)
            return ""
        config, start = self.matrix.config(entry, seed, self._length(entry))
        run = self.out / "runs" / f"{entry.folder}-{seed}"
        trainer = Trainer(config, run, self.device)
        every = max(trainer.batch_size, trainer.length // _SNAPSHOTS)
        reason = open_loop(trainer, every, minutes).run()
        if not trainer.finished:
            return reason
        network = trainer.averaged_generator()
        row = Row(entry.label, entry.model, seed, trainer.images, start, _objective(config, trainer))
        row.figures, row.config = training_pace(run), config.flat()
        save_weights(
            run / "weights.safetensors", network, model=entry.model, config=network.config,
            command="chromagan benchmark networks", extra={"training": json.dumps(row.config, sort_keys=True)},
        )  # fmt: skip
        del trainer
        self._tidy()
        self._add(row, network)
        if not self.keep_states:
            for state in state_files(run):
                state.unlink()
        return ""

    def _length(self, entry: Entry) -> int:
        """Photographs of an entry's runs; by minutes it is measured once, so that a resumed run has the same."""
        if self.matrix.images:
            return self.matrix.images
        if entry.label not in self.lengths:
            config, _ = self.matrix.config(entry, 0, 10**9)
            pace = _measure_pace(config, self.device)
            self._tidy()
            batch_size = config.schedule.batch_size
            steps = max(1, round(60 * self.matrix.minutes * pace / batch_size))
            self.lengths[entry.label] = steps * batch_size
            self._write()
            self.tell(f"{entry.label}: {pace:.1f} photographs/s, so {self.lengths[entry.label]:,} in its minutes")
        return self.lengths[entry.label]

    def _add(self, row: Row, network: ColorizationNetwork) -> None:
        if self._exam is None:
            self._exam = Exam(self.matrix, self.device)
        figures = row.figures | self._exam.measure(network)
        row.figures = {name: value for name, value in figures.items() if math.isfinite(value)}  # strict JSON
        if row.seed == 0:
            self.sheet.add_column(self.out, row.label, network, self.device)
        self.rows.append(row)
        self._write()

    def _read(self) -> None:
        file = self.out / RESULTS
        if not file.exists():
            self.out.mkdir(parents=True, exist_ok=True)
            return
        try:
            then = json.loads(file.read_text())
            rows = [Row(**row) for row in then["rows"]]
            settings, self.lengths = then["settings"], then["lengths"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{file}: not the results of such a benchmark ({error}); name another --out") from error
        now = json.loads(json.dumps(asdict(self.matrix)))
        changed = [f"{k}: {settings.get(k)!r} there, {now.get(k)!r} now" for k in now if now.get(k) != settings.get(k)]
        if changed:
            raise TrainingError(f"{self.out} belongs to another benchmark ({'; '.join(changed)}); choose another --out")
        self.rows = rows

    def _write(self) -> None:
        content = {
            "settings": asdict(self.matrix), "versions": versions(), "device": device_name(self.device),
            "lengths": self.lengths, "rows": [asdict(row) for row in self.rows],
        }  # fmt: skip
        write_json(self.out / RESULTS, content)

    def _tidy(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _objective(config: TrainConfig, trainer: Trainer) -> str:
    """What a run minimised, in a few words."""
    taught = trainer.teacher is not None
    words = [term.words for term in config.objective.active if taught or "teacher" not in term.needs]
    words[0] += " rebalanced" if config.objective.term(Bins).rebalance else ""
    return " + ".join([words[0], *(["hints"] if config.hints.hints else []), *words[1:]])


def _measure_pace(config: TrainConfig, device: torch.device) -> float:
    """Photographs a second of a run's training loop, by a short one that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, Path(folder) / "run", device)
        batches = trainer.batches()
        trainer.generator.train()
        for _ in range(2):
            trainer.train_batch(next(batches))
        start, steps = time.perf_counter(), 0
        while steps < 3 or (steps < _PACE_STEPS and time.perf_counter() - start < _PACE_SECONDS):
            float(trainer.train_batch(next(batches))["chroma"])  # asks for a value, so that a GPU has finished
            steps += 1
        return steps * trainer.batch_size / (time.perf_counter() - start)


def device_name(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {os.cpu_count()} processors"
