"""Run state on disk: written beside and renamed, plain tensors and plain types, loaded with `weights_only=True`.

A run folder keeps the newest two states (`state-000120000.pt`, by photographs seen) and `best.pt`. Behind the archive
that `torch.save` writes stands the digest of its bytes, so that a state in which a bit has changed is not gone on from.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from chromagan.errors import TrainingError
from chromagan.files.atomic import moved_into_place, told, write_atomically

log = logging.getLogger(__name__)

BEST = "best.pt"
KEPT = 2
_MARK = b"\nchromagan sha256 "  # then 64 hexadecimal digits
_TRAILER = len(_MARK) + 64


def state_files(folder: Path) -> list[Path]:
    """The states of a run folder, oldest first."""
    return sorted(folder.glob("state-*.pt"))


def state_name(images: int) -> str:
    """The name of the state after so many photographs."""
    return f"state-{images:09d}.pt"


class _Hashed:
    """A file that is written to and hashed; keeps the error of the disk, which PyTorch's writer replaces by its own."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha, self.error = file, hashlib.sha256(), None

    def write(self, data: bytes) -> int:
        try:
            self.sha.update(data)
            return self.file.write(data)
        except OSError as error:
            self.error = error  # type: ignore[assignment]
            raise

    def flush(self) -> None:
        self.file.flush()


def _write(state: dict[str, Any], file: BinaryIO) -> None:
    hashed = _Hashed(file)
    try:
        torch.save(state, hashed)  # type: ignore[arg-type]
    except Exception as error:
        raise hashed.error or error from error
    file.write(_MARK + hashed.sha.hexdigest().encode())


def save_state(folder: Path, state: dict[str, Any], best: bool = False) -> Path:
    """Write a state atomically: a kill at any moment leaves the old files whole and the new one whole or absent.

    Args:
        folder: of the run.
        state: tensors and plain types; `images` names the file.
        best: this state is the best so far; `best.pt` becomes it.

    Raises:
        WriteError: the disk is full or refuses; what was begun is gone, the states before stand.
    """
    # The state whole under its name, then its second name, and only then fewer of those before.
    path = folder / state_name(state["images"])
    write_atomically(path, lambda file: _write(state, file), sync=True)
    if best:
        mark_best(path)
    for old in state_files(folder)[:-KEPT]:
        old.unlink()
    return path


def mark_best(path: Path) -> None:
    """Make a state `best.pt`: one file under two names where the file system can, a copy elsewhere."""
    best = path.parent / BEST
    with told(best), moved_into_place(best) as beside:
        try:
            os.link(path, beside)
        except OSError:
            shutil.copyfile(path, beside)


def load_state(folder: Path, which: str = "latest", accept: Callable[[dict[str, Any]], object] = bool) -> Any:
    """A state of a run folder; None when the run has none yet.

    A newest state that is damaged is told, and the one before is taken.

    Args:
        folder: of the run.
        which: "latest" or "best".
        accept: takes a state in; what it raises on one of another form counts as damage.

    Raises:
        TrainingError: there is no best one, or none of the files can be used.
    """
    if which == "best":
        return read_state(folder / BEST)
    reasons: list[str] = []
    for path in reversed(state_files(folder)):
        try:
            state = read_state(path)
            _try(accept, state, path)
        except TrainingError as error:
            reasons.append(str(error))
            continue
        for reason in reasons:
            log.warning("%s; going on from %s", reason, path.name)
        return state
    if reasons:
        more = f"; neither can the {len(reasons) - 1} before it" if len(reasons) > 1 else ""
        raise TrainingError(f"{reasons[0]}{more}; choose another --out, or bring the file back from a backup")
    return None


def _try(accept: Callable[[dict[str, Any]], object], state: dict[str, Any], path: Path) -> None:
    try:
        accept(state)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise TrainingError(f"{path}: not a state of this run ({type(error).__name__}: {reason})") from error


def read_state(path: Path) -> dict[str, Any]:
    """The state in a file, on the CPU; only tensors and plain types are opened.

    Raises:
        TrainingError: there is no such file, or it is damaged: cut, changed since it was written, or something else.
    """
    try:
        with open(path, "rb") as file:
            _check_digest(file, path)
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path}: there is no such checkpoint; chromagan train marks the best one where --val is given"
        ) from error
    except TrainingError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged file
        raise TrainingError(f"{path}: damaged run state ({type(error).__name__})") from error
    if not isinstance(state, dict):
        raise TrainingError(f"{path}: not a run state")
    return state


def _check_digest(file: BinaryIO, path: Path) -> None:
    """Refuse a file whose bytes are no longer those that were written; version 0.1 wrote no digest."""
    length = file.seek(0, os.SEEK_END) - _TRAILER
    if length < 0:
        return
    file.seek(length)
    trailer = file.read()
    if not trailer.startswith(_MARK):
        return
    file.seek(0)
    sha, left = hashlib.sha256(), length
    while left and (data := file.read(min(left, 1 << 20))):
        sha.update(data)
        left -= len(data)
    if sha.hexdigest().encode() != trailer[len(_MARK) :]:
        raise TrainingError(f"{path}: damaged run state (its bytes are not those that were written)")
