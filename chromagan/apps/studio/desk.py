"""Who sits where: each tab of a browser has a desk with photos of its own, under a name that nobody can guess."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from chromagan.apps.studio.batch import Batch
from chromagan.errors import ReadError, UsageError
from chromagan.inference.batch_plan import Job


@dataclass(frozen=True)
class Limits:
    """What visitors may bring: bytes and pixels of one photo, photos of one desk, desks, seconds without a sign."""

    upload_bytes: int = 100_000_000
    pixels: int = 120_000_000
    photos: int = 40
    desks: int = 64
    idle_seconds: float = 3600


@dataclass(frozen=True)
class Picture:
    """A photo of a desk.

    Attributes:
        key: what the browser calls it.
        job: where it is read and written.
        uploaded: it was brought, and is deleted with the desk.
        reference: it is there for its colours, and is itself coloured by nobody.
    """

    key: str
    job: Job
    uploaded: bool = False
    reference: bool = False

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.job.name.as_posix()

    @property
    def hints(self) -> Path:
        """Where its hints are saved."""
        name = self.job.source.name if self.job.shared else self.job.source.stem
        return self.job.output.with_name(f"{name}.hints.json")


@dataclass
class Desk:
    """What one tab sees: its own uploads, in a folder of their own, and the studio's photos.

    `saved` is where each was saved last, `batch` what runs, `seen` when the tab last gave a sign, in monotonic seconds.
    """

    key: str
    folder: Path
    pictures: dict[str, Picture]
    saved: dict[str, Path] = field(default_factory=dict)
    batch: Batch | None = None
    seen: float = field(default_factory=time.monotonic)

    def picture(self, key: object) -> Picture:
        """One of the photos; `UnknownPhoto` where this desk has none that is called so."""
        if not isinstance(key, str) or key not in self.pictures:
            raise UnknownPhoto("there is no such photo here; open it again")
        return self.pictures[key]


class UnknownPhoto(ReadError):
    """A photo that this desk has not; another's is as unknown as one that never was."""


class UnknownDesk(UsageError):
    """A desk that was cleared, or never was."""
