"""The folder of a run: its configuration, its log, and the refusal to mix two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chromagan.errors import TrainingError, UsageError
from chromagan.files.atomic import write_json, write_text
from chromagan.training.config import TrainConfig

# What may differ when a run goes on: it does not change what is computed.
FREE = frozenset(
    {"workers", "val", "manifest", "shard_cache", "eval_every", "eval_size", "eval_limit", "metrics", "best_metric"}
    | {"metric_networks", "wandb", "look_size", "look_saturation", "look_typical_chroma", "look_annealed_share"}
)


class RunFolder:
    """Opens or makes `OUT`, checks that it belongs to the same configuration, appends to `stats.jsonl`.

    Args:
        path: the folder.
        config: of the run that is about to start.
        writes: whether this process writes; of several ranks the first alone does.

    Raises:
        TrainingError: the folder belongs to another configuration; the message is the difference of the two.
    """

    def __init__(self, path: Path, config: TrainConfig, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self._wandb_project = config.wandb
        self._board: Any = None
        self._wandb: Any = None
        file = path / "config.json"
        now = json.loads(json.dumps(config.as_dict()))
        if file.exists():
            # An option that the run did not know yet had what is its default now.
            saved = json.loads(file.read_text())
            if saved.get("model") == "chromagan" and "bin_weight" not in saved:
                raise TrainingError(
                    f"{path} has the generator of version 0.1; export it, and go on in another --out with "
                    "--init FILE --no-hints --bin-weight 0"
                )
            then = TrainConfig().as_dict() | as_now(saved)
            keys = sorted(k for k in {*now, *then} - FREE if now.get(k) != then.get(k))
            if keys:
                changes = "; ".join(f"{k}: {then.get(k)!r} there, {now.get(k)!r} now" for k in keys)
                raise TrainingError(f"{path} belongs to another configuration ({changes}); choose another --out")
        elif writes:
            path.mkdir(parents=True, exist_ok=True)
            write_json(file, now)

    def start(self, images: int) -> None:
        """Go on after `images` photographs: forget what a killed process logged beyond its last checkpoint."""
        if not self.writes:
            return
        file = self.path / "stats.jsonl"
        if file.exists():
            kept = [line for line in file.read_text().splitlines() if _images_of(line) <= images]
            write_text(file, "".join(line + "\n" for line in kept))
        self._board = _tensorboard(self.path, images)
        self._wandb = _weights_and_biases(self.path, self._wandb_project)

    def log(self, images: int, values: dict[str, Any]) -> None:
        """Append one line to `stats.jsonl`, and to TensorBoard where it is installed."""
        if not self.writes:
            return
        with open(self.path / "stats.jsonl", "a") as file:
            file.write(json.dumps({"images": images, **values}) + "\n")
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, images)
        if self._wandb is not None:
            self._wandb.log(numbers, step=images)

    def close(self) -> None:
        """Flush what is buffered."""
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()


def read_stats(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's `stats.jsonl`; a last line that a kill has torn is left out."""
    file = path / "stats.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines if _images_of(line) < float("inf")]


def as_now(config: dict[str, Any]) -> dict[str, Any]:
    """A saved configuration in today's form.

    Version 0.1 named one backbone, and its file, as plain text; its teacher was VGG16 unless named, and saw gray.
    """
    if "teacher_gray" in config:
        return config
    lists = {name: [config[name]] if config.get(name) else [] for name in ("backbone", "backbone_weights")}
    taught = {"teacher": config.get("teacher") or "vgg16", "teacher_gray": True}
    if not config.get("class_weight", TrainConfig().class_weight):
        taught = {}
        config = {name: value for name, value in config.items() if name != "teacher"}
    return {**config, **lists, **taught}


def _images_of(line: str) -> float:
    """The photographs that a log line was written at; a torn line counts as beyond everything."""
    try:
        return float(json.loads(line)["images"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _tensorboard(path: Path, images: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # TensorBoard is optional; stats.jsonl has the same numbers
        return None
    return SummaryWriter(str(path), purge_step=images + 1)


def _weights_and_biases(path: Path, project: str) -> Any:
    if not project:
        return None
    try:
        import wandb
    except ImportError as error:
        raise UsageError("--wandb needs the wandb package: pip install wandb") from error
    return wandb.init(project=project, name=path.name, dir=str(path), resume="allow", id=path.resolve().name)
