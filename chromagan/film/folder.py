"""The folder beside an unfinished film: its plan, finished parts, and where the colour of a scene stands."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from pathlib import Path
from typing import Any

from chromagan.errors import UsageError, WriteError
from chromagan.files.atomic import remove_abandoned, told
from chromagan.files.lock import FileLock, Held
from chromagan.film.plan import Plan

log = logging.getLogger(__name__)
_OWN = re.compile(r"lock|plan\.json|part-\d+\.mkv|state-\d+\.npz|led-\d+\.png|\..*")  # file browsers leave hidden ones
_ENDS = 1 << 20  # bytes of a film's beginning and end that tell it from others


class Parts:
    """Files of finished windows, by the window's number."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def part(self, window: int) -> Path:
        """Where a window's pictures are; the file stands there once they are complete."""
        return self.path / f"part-{window:06d}.mkv"

    def state(self, window: int) -> Path:
        """Where the colour at a window's end is; it stands there before the part does."""
        return self.path / f"state-{window:06d}.npz"


class PartsFolder(Parts):
    """OUTPUT.parts, held by this process until `release`.

    What stands there is gone on with where the same was asked for, and thrown away otherwise.

    Args:
        output: the film that is made.
        asked: plain values that decide what its frames are.

    Raises:
        UsageError: another process is making this film, a file stands where the folder must, or it holds other files.
        WriteError: the folder cannot be made.
    """

    def __init__(self, output: Path, asked: dict[str, Any]) -> None:
        super().__init__(folder_of(output))
        self._asked = asked
        with told(self.path):
            if self.path.is_file():
                raise UsageError(f"{self.path}: is a file, where the folder of unfinished parts must be; move it away")
            self.path.mkdir(parents=True, exist_ok=True)
            strange = next((file for file in self.path.iterdir() if not _OWN.fullmatch(file.name)), None)
        if strange:  # it is emptied, and goes at the end
            raise UsageError(f"{self.path}: holds what is no part of a film, {strange.name}; move it away")
        try:
            self._lock = FileLock(self.path / "lock")
        except Held as error:
            raise UsageError(f"{output}: another process is colouring this film; wait for it") from error
        except OSError as error:
            raise WriteError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        remove_abandoned(self.path)
        self.plan = Plan.load(self.path / "plan.json", asked)
        if self.plan is None:
            stale = [file for file in self.path.iterdir() if file.name != "lock"]
            if any(file.suffix == ".mkv" for file in stale):
                log.warning("%s: the parts there are of another film or other options; they are made anew", self.path)
            for file in stale:
                file.unlink() if file.is_file() else shutil.rmtree(file)

    def keep(self, plan: Plan) -> Plan:
        """Write a plan down; parts count from now on."""
        plan.save(self.path / "plan.json", self._asked)
        self.plan = plan
        return plan

    def release(self) -> None:
        """Let others in."""
        self._lock.release()

    def remove(self) -> None:
        """The film is whole: the folder goes."""
        self.release()
        shutil.rmtree(self.path, ignore_errors=True)


def folder_of(output: Path) -> Path:
    """The folder of a film's parts."""
    return output.with_name(output.name + ".parts")


def identity(film: Path) -> dict[str, Any]:
    """What tells a film from others without reading all of it: its size, and the digest of its two ends."""
    size = film.stat().st_size
    with open(film, "rb") as file:
        digest = hashlib.sha256(file.read(_ENDS))
        file.seek(max(0, size - _ENDS))
        digest.update(file.read(_ENDS))
    return {"bytes": size, "ends": digest.hexdigest()}
