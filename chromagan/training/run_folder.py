"""The folder of a run: its configuration, its log, and the refusal to mix two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chromagan.errors import ChromaganError, TrainingError, UsageError
from chromagan.files.atomic import write_json, write_text
from chromagan.options import MADE_BY, Section
from chromagan.version import __version__


class RunFolder:
    """Opens or makes `OUT`, checks that it belongs to the same configuration, appends to `stats.jsonl`.

    Args:
        path: the folder.
        config: of the run that is about to start.
        writes: whether this process writes; of several ranks the first alone does.
        boards: whether TensorBoard is told too, and Weights & Biases where the configuration names a project.

    Raises:
        TrainingError: the folder belongs to another configuration, the message is the difference of the two; or to
            another version that this one cannot go on from.
    """

    def __init__(self, path: Path, config: Section, writes: bool = True, boards: bool = True) -> None:
        self.path, self.writes, self.boards = path, writes, boards
        self._wandb_project = config.flat().get("wandb", "")
        self._board: Any = None
        self._wandb: Any = None
        self._made = False
        file = path / "config.json"
        if file.exists():
            self._compare(json.loads(file.read_text()), config)
        elif writes:
            path.mkdir(parents=True, exist_ok=True)
            write_json(file, {MADE_BY: __version__, **config.as_dict()})
            self._made = True

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """Leave a folder that this call made to the mended command where an error comes before anything was trained."""
        try:
            yield
        except ChromaganError:
            trained = (self.path / "stats.jsonl").exists() or any(self.path.glob("*.pt"))
            if self._made and not trained:
                for name in ("config.json", "ab_prior.json"):
                    (self.path / name).unlink(missing_ok=True)
                with suppress(OSError):  # something else lies there
                    self.path.rmdir()
            raise

    def _compare(self, saved: dict[str, Any], config: Section) -> None:
        """Refuse a folder that this configuration cannot go on in."""
        now, then = json.loads(json.dumps(config.flat())), config.read(saved)
        if then.get("model") == "chromagan" and "bin_weight" not in then:
            raise TrainingError(
                f"{self.path} has the generator of version 0.1; export it, and go on in another --out with "
                "--init FILE --no-hints --bin-weight 0"
            )
        strange = sorted(set(then) - set(now))
        if strange:
            raise TrainingError(
                f"{self.path} was made by version {saved.get(MADE_BY, 'of another day')} with the option {strange[0]}, "
                f"which version {__version__} does not have here; go on with that version and what it had installed, "
                "or export the run and go on in another --out with --init FILE"
            )
        # An option that the run did not know yet had what is its default now.
        then = type(config)().flat() | then
        free = {name for name, one in config.options().items() if one.free}
        keys = sorted(name for name in set(now) - free if now[name] != then[name])
        if keys:
            changes = "; ".join(f"{name}: {then[name]!r} there, {now[name]!r} now" for name in keys)
            raise TrainingError(f"{self.path} belongs to another configuration ({changes}); choose another --out")

    def start(self, images: int) -> None:
        """Go on after `images` photographs: forget what a killed process logged beyond its last checkpoint."""
        if not self.writes:
            return
        file = self.path / "stats.jsonl"
        if file.exists():
            kept = [line for line in file.read_text().splitlines() if _images_of(line) <= images]
            write_text(file, "".join(line + "\n" for line in kept))
        if not self.boards:
            return
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
