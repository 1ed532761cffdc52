"""The folder of a run: its configuration, its log, and the refusal to mix two runs."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from chromagan.errors import TrainingError, UsageError
from chromagan.files.atomic import strict_json, told, write_json, write_text
from chromagan.files.lock import FileLock, Held
from chromagan.options import MADE_BY, Section
from chromagan.version import __version__

log = logging.getLogger(__name__)

CONFIG, STATS, INPUTS = "config.json", "stats.jsonl", "inputs.json"


class RunFolder:
    """A run's `OUT`: checks that it belongs to the same configuration, keeps others out, appends to `stats.jsonl`.

    Nothing is written before `start`, so that a failed start leaves nothing behind. A folder in which nothing was
    trained yet belongs to no run.

    Args:
        path: the folder.
        config: of the run that is about to start.
        writes: whether this process writes; of several ranks the first alone does.
        boards: whether TensorBoard is told too, and Weights & Biases where the configuration names a project.
        inputs: digests of what the run reads, by the option that names it: what was moved is known by them.
        allowed: options that may differ on purpose from those that the run had so far.

    Attributes:
        is_new: no state is there to go on from.
        changed: what differs on purpose, by option: the value there, and the one now.

    Raises:
        TrainingError: another process trains there. Or the folder belongs to another configuration, the message is the
            difference of the two; or to another version that this one cannot go on from.
    """

    def __init__(
        self,
        path: Path,
        config: Section,
        writes: bool = True,
        boards: bool = True,
        inputs: Mapping[str, str] | None = None,
        allowed: Collection[str] = (),
    ) -> None:
        self.path, self.config, self.writes, self.boards = path, config, writes, boards
        self.inputs, self.changed = dict(inputs or {}), dict[str, tuple[Any, Any]]()
        self._later: dict[str, str] = {}
        self._board: Any = None
        self._wandb: Any = None
        self._lock: FileLock | None = None
        if writes and path.is_dir():
            self._keep_others_out()
        self.is_new = not any(path.glob("*.pt"))
        if not self.is_new:
            self._compare(read_saved(path), allowed)

    def _keep_others_out(self) -> None:
        """Lock the folder until `close`, or until this process ends however; not where the disk knows no locks."""
        try:
            with told(self.path):
                self._lock = FileLock(self.path / ".lock")
        except Held as error:
            several = int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "WORLD_SIZE" not in os.environ
            way = "let srun start one task a machine, and torchrun in it" if several else "wait for it to end"
            raise TrainingError(f"{self.path}: another process trains there; {way}, or choose another --out") from error

    def _compare(self, saved: dict[str, Any], allowed: Collection[str]) -> None:
        """Refuse a folder that this configuration cannot go on in."""
        config = self.config
        now, then = json.loads(json.dumps(config.flat())), config.read(saved)
        # Folders of other versions.
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
        # What differs: under another name the same as before, on purpose, or neither.
        then = type(config)().flat() | then  # an option that the run did not know yet had what is its default now
        options, before = config.options(), _read_inputs(self.path)
        other = {name: (then[name], now[name]) for name in now if now[name] != then[name] and not options[name].free}
        moved = {name for name in other if before.get(name, "") == self.inputs.get(name)}
        self.changed = {name: pair for name, pair in other.items() if name in allowed and name not in moved}
        refused = sorted(set(other) - moved - set(self.changed))
        fixed = sorted(name for name in self.changed if options[name].fixed)
        if refused:
            changes = "; ".join(f"{name}: {then[name]!r} there, {now[name]!r} now" for name in refused)
            fixed = [name for name in refused if options[name].fixed]
            way = "" if fixed else f"; or go on with it, changed on purpose: --allow-changes {' '.join(refused)}"
            raise TrainingError(f"{self.path} belongs to another configuration ({changes}); choose another --out{way}")
        if fixed:
            raise TrainingError(
                f"--allow-changes {fixed[0]}: a run keeps its network and its optimiser; export it, and go on in "
                "another --out with --init FILE"
            )
        # What the options name.
        if self.writes:
            for name in sorted(moved):
                log.info("%s: %s now; it holds what it held before", options[name].flag, now[name])
            for name in sorted(set(self.inputs) & set(before) - set(other)):
                if self.inputs[name] != before[name]:
                    log.warning(
                        "%s: no longer what it was (%s there, %s now); from here on the run equals no other",
                        options[name].flag, before[name], self.inputs[name],
                    )  # fmt: skip

    def start(self, images: int) -> None:
        """Make the folder this run's, and forget what a killed process logged beyond the `images` of its checkpoint."""
        if not self.writes:
            return
        with told(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            self._keep_others_out()
        write_json(self.path / CONFIG, {MADE_BY: __version__, **self.config.as_dict()})
        if self.inputs:
            write_json(self.path / INPUTS, self.inputs)
        for name, text in self._later.items():
            write_text(self.path / name, text)
        lines = _lines(self.path / STATS)
        kept = [line for line in lines if _images_of(line) <= images]
        broken = sum(_images_of(line) == float("inf") for line in lines[:-1])  # a kill tears the last one alone
        if broken:
            log.warning("%s: %d lines are no log lines any more; they are left out", self.path / STATS, broken)
        if kept != lines:
            write_text(self.path / STATS, "".join(line + "\n" for line in kept))
        if self.changed:
            self.log(images, {"changed": {name: list(pair) for name, pair in self.changed.items()}})
        if self.boards:
            self._board = _tensorboard(self.path, images)
            self._wandb = _weights_and_biases(self.path, self.config.flat().get("wandb", ""), images)

    def keep(self, name: str, text: str) -> None:
        """Write a small file once the folder is this run's."""
        self._later[name] = text

    def log(self, images: int, values: Mapping[str, Any]) -> None:
        """Append one line to `stats.jsonl`, null for what is no finite number; tell TensorBoard where there is one."""
        if not self.writes:
            return
        with told(self.path / STATS), open(self.path / STATS, "a", encoding="utf-8") as file:
            file.write(json.dumps(strict_json({"images": images, **values}), allow_nan=False) + "\n")
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, images)
        if self._wandb is not None:
            self._wandb.log(numbers, step=images)

    def close(self) -> None:
        """Flush what is buffered, and let others in."""
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def read_saved(path: Path) -> dict[str, Any]:
    """The configuration of a run folder as it was written; `TrainingError` where it cannot be read."""
    file = path / CONFIG
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
        raise TrainingError(
            f"{file}: not a readable configuration ({reason}); bring it back from a backup, or choose another --out"
        ) from error
    if not isinstance(saved, dict):
        raise TrainingError(f"{file}: not a configuration; bring it back from a backup, or choose another --out")
    return saved


def _read_inputs(path: Path) -> dict[str, str]:
    """The digests that the run had; none where it is older, or the file is torn."""
    try:
        found = json.loads((path / INPUTS).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def read_stats(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's `stats.jsonl`; what a kill or a disk has torn is left out."""
    return [json.loads(line) for line in _lines(path / STATS) if _images_of(line) < float("inf")]


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []


def _images_of(line: str) -> float:
    """The photographs that a log line was written at; a torn line counts as beyond everything."""
    try:
        return float(json.loads(line)["images"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")


def _tensorboard(path: Path, images: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # TensorBoard is optional; stats.jsonl has the same numbers
        return None
    return SummaryWriter(str(path), purge_step=images + 1)


def _weights_and_biases(path: Path, project: str, images: int) -> Any:
    if not project:
        return None
    try:
        import wandb
    except ImportError as error:
        raise UsageError("--wandb needs the wandb package: pip install wandb") from error
    # Two folders may have one name. A run of version 0.1 has that name alone.
    file = path / "wandb_id"
    if not file.exists():
        write_text(file, path.resolve().name if images else f"{path.resolve().name}-{secrets.token_hex(4)}")
    return wandb.init(project=project, name=path.name, dir=str(path), resume="allow", id=file.read_text())
