"""Run state on disk: written beside and renamed, plain tensors and plain types, loaded with `weights_only=True`.

A run folder keeps the newest two states (`state-000120000.pt`, by photographs seen) and `best.pt`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from chromagan.errors import TrainingError
from chromagan.files.atomic import moved_into_place, write_atomically

BEST = "best.pt"
KEPT = 2


def state_files(folder: Path) -> list[Path]:
    """The states of a run folder, oldest first."""
    return sorted(folder.glob("state-*.pt"))


def save_state(folder: Path, state: dict[str, Any], best: bool = False) -> Path:
    """Write a state atomically: a kill at any moment leaves the old files whole and the new one whole or absent.

    Args:
        folder: of the run.
        state: tensors and plain types; `images` names the file.
        best: this state is the best so far; `best.pt` becomes it.
    """
    # The state whole under its name, then its second name, and only then fewer of those before.
    path = folder / f"state-{state['images']:09d}.pt"
    write_atomically(path, lambda file: torch.save(state, file), sync=True)
    if best:
        mark_best(path)
    for old in state_files(folder)[:-KEPT]:
        old.unlink()
    return path


def mark_best(path: Path) -> None:
    """Make a state `best.pt`: one file under two names where the file system can, a copy elsewhere."""
    with moved_into_place(path.parent / BEST) as beside:
        try:
            os.link(path, beside)
        except OSError:
            shutil.copyfile(path, beside)


def load_state(folder: Path, which: str = "latest") -> dict[str, Any] | None:
    """A state of a run folder; None when the run has none yet.

    Args:
        folder: of the run.
        which: "latest" or "best".

    Raises:
        TrainingError: there is no best one, or the file is damaged.
    """
    if which == "best":
        return read_state(folder / BEST)
    files = state_files(folder)
    return read_state(files[-1]) if files else None


def read_state(path: Path) -> dict[str, Any]:
    """The state in a file, on the CPU; only tensors and plain types are opened.

    Raises:
        TrainingError: there is no such file, or it is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path}: there is no such checkpoint; chromagan train marks the best one where --val is given"
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise TrainingError(
            f"{path}: damaged run state ({type(error).__name__}); remove it to go on from the one before"
        ) from error
